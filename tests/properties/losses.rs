//! The losses: what a clip of ∞ leaves, what scaling does, how batches add up, and the first inner step.

use crate::{
    case::Case,
    oracle::{U, roundings},
};
use nalgebra::DMatrix;
use reference::{
    Agg, ClipFrac, Ends, Half, Kl, KlEstimate, KlOf, Listing, Mask, PolicyClip, Settings, ValueClip,
    aggregate::aggregate,
    gae::gae,
    policy_loss::{policy_loss, policy_loss_grad},
    returns::returns,
    step::{Now, Rollout, losses, rollout_phase},
    total_loss::kl_loss,
    value_loss::{value_loss, value_loss_grad},
};

const INF: f64 = f64::INFINITY;

fn clip(eps: f64, clip_frac: ClipFrac) -> PolicyClip {
    let (kl_kind, kl_of) = (Kl::K3, KlOf::Raw);
    PolicyClip { eps_lo: eps, eps_hi: eps, c_dual: INF, log_ratio_clamp: INF, clip_frac, kl_kind, kl_of }
}

fn tokens(mask: &Mask) -> impl Iterator<Item = (usize, usize)> {
    (0..mask.shape().0).flat_map(|row| mask.tokens_of(row).into_iter().map(move |t| (row, t)))
}

property! {
    fn an_infinite_radius_removes_every_clip_of_the_ratio(case) {
        let mask = case.m();
        let (logp, old, adv) = (case.matrix(1), case.matrix(2), case.matrix(3));
        for kind in [ClipFrac::Effective, ClipFrac::SignBlind, ClipFrac::Signed] {
            if mask.count() == 0 {
                continue;
            }
            let got = policy_loss(&logp, &old, &adv, &mask, None, &clip(INF, kind), Agg::TokenSum);
            let grad = policy_loss_grad(&logp, &old, &adv, &mask, None, &clip(INF, kind), Agg::TokenSum);
            ensure!((got.clip_frac, got.clip_frac_lower) == (0.0, 0.0), "{kind:?} counts {}", got.clip_frac);
            for slot in tokens(&mask) {
                let plain = -(got.ratio[slot] * adv[slot]);
                ensure!(got.per_token[slot] == plain, "{slot:?}: loss {:e} for {plain:e}", got.per_token[slot]);
                ensure!(grad[slot] == plain, "{slot:?}: slope {:e} for {plain:e}", grad[slot]);
            }
        }
    }
}

property! {
    fn an_infinite_radius_removes_every_clip_of_the_value(case) {
        let mask = case.m();
        let (v, old, ret) = (case.matrix(1), case.matrix(2), case.matrix(3));
        for form in [ValueClip::Max, ValueClip::ClippedOnly].into_iter().filter(|_| mask.count() > 0) {
            let of = |form, eps| value_loss(&v, &old, &ret, &mask, eps, form, Agg::TokenMean, Half::Yes);
            let slope = |form, eps| value_loss_grad(&v, &old, &ret, &mask, eps, form, Agg::TokenMean, Half::Yes);
            let (clipped, off) = (of(form, INF), of(ValueClip::Off, INF));
            ensure!(clipped == off, "{form:?}: {:e} for {:e}", clipped.loss, off.loss);
            ensure!(clipped.clip_frac == 0.0, "{form:?} counts {}", clipped.clip_frac);
            ensure!(slope(form, INF) == slope(ValueClip::Off, 0.1), "{form:?}: another slope");
        }
    }
}

/// Rewards, values and ε_v times `scale`, from rewards to value loss.
fn scaled(case: &Case, scale: f64, eps_v: f64) -> reference::value_loss::ValueLoss {
    let e = case.episode();
    let [r, v, v_boot] = [&e.r, &e.v, &e.ends.v_boot].map(|x| x * scale);
    let ends = Ends { v_last: &e.ends.v_last * scale, v_boot, ..e.ends };
    let adv = gae(&r, &v, &e.mask, &ends, case.gap, case.gamma, &e.lambda);
    let ret = returns(&adv, &v, &e.mask);
    let now = &v + case.matrix(7) * (0.5 * scale);
    value_loss(&now, &v, &ret, &e.mask, eps_v, ValueClip::Max, Agg::TokenMean, Half::No)
}

property! {
    /// In units of 1/8 or of 16 of the reward, powers of two, every step is exact: L_V goes with the square
    /// and no clip flag moves, to the last bit.
    fn a_new_unit_of_reward_scales_the_value_loss_by_its_square(case) {
        for unit in [0.125, 16.0].into_iter().filter(|_| case.m().count() > 0) {
            let (a, b) = (scaled(case, 1.0, 0.25), scaled(case, unit, 0.25 * unit));
            ensure!(a.loss * unit * unit == b.loss, "L_V {:e} becomes {:e}", a.loss, b.loss);
            ensure!(a.clip_frac == b.clip_frac, "flags {} become {}", a.clip_frac, b.clip_frac);
        }
    }
}

/// The ratio's radius taken for the value's is a radius in the wrong unit: with rewards in cents it clips
/// nearly everything.
#[test]
fn a_radius_left_in_the_old_unit_clips_other_tokens() {
    let text =
        "b=2 t=8 mask=11111111/11111111 ends=......../........ seed=3 gap=skip gamma=0.9 lambda=0.8/0.8 k=0";
    let case: Case = text.parse().unwrap();
    let (a, b) = (scaled(&case, 1.0, 0.25), scaled(&case, 128.0, 0.25));
    assert!(b.clip_frac > a.clip_frac, "{} {}", a.clip_frac, b.clip_frac);
    assert!(a.loss * 128.0 * 128.0 != b.loss);
}

property! {
    /// Micro-batches add up under token-sum: n roundings of Σ |x| for the sums, whatever the cut.
    fn micro_batches_add_up_under_token_sum(case) {
        let mask = case.m();
        let (a, b, c) = (case.matrix(1), case.matrix(2), case.matrix(3));
        let rows: Vec<usize> = (0..case.b()).collect();
        let (first, second) = rows.split_at(case.k.min(case.b()));
        let sum = |rows: &[usize]| {
            let m = Mask::new(DMatrix::from_fn(rows.len(), case.t_len(), |row, t| mask.has((rows[row], t))));
            let [a, b, c] = [&a, &b, &c].map(|x| x.select_rows(rows));
            if m.count() == 0 {
                return [0.0; 4]; // the losses also log a mean and refuse an empty mask
            }
            [
                aggregate(&a, &m, Agg::TokenSum),
                policy_loss(&a, &b, &c, &m, None, &clip(0.2, ClipFrac::Effective), Agg::TokenSum).loss,
                value_loss(&a, &b, &c, &m, 0.2, ValueClip::Max, Agg::TokenSum, Half::Yes).loss,
                kl_loss(&a, &b, &m, KlEstimate::plain(Kl::K3), Agg::TokenSum),
            ]
        };
        let (whole, first, second) = (sum(&rows), sum(first), sum(second));
        let ratio = |slot: (usize, usize)| (a[slot] - b[slot]).abs().exp();
        let sizes: [f64; 4] = [
            tokens(&mask).map(|slot| a[slot].abs()).sum(),
            tokens(&mask).map(|slot| ratio(slot).max(1.2) * c[slot].abs()).sum(),
            tokens(&mask).map(|slot| (a[slot] - c[slot]).powi(2).max((b[slot] - c[slot]).abs() + 0.2).powi(2)).sum(),
            tokens(&mask).map(|slot| ratio(slot) + 1.0 + (a[slot] - b[slot]).abs()).sum(),
        ];
        for (i, size) in sizes.into_iter().enumerate() {
            let (parts, allowed) = (first[i] + second[i], 2.0 * roundings(mask.count() + case.b() + 1) * size);
            ensure!((whole[i] - parts).abs() <= allowed, "loss {i}: {:e} whole, {parts:e} in parts", whole[i]);
        }
    }
}

/// The mean of means is another number: one row of one token, one of three.
#[test]
fn micro_batches_do_not_average_under_token_mean() {
    let mean = |x: &[f64]| {
        aggregate(&DMatrix::from_row_slice(1, x.len(), x), &Mask::full(1, x.len()), Agg::TokenMean)
    };
    assert_eq!(mean(&[1.0, -1.0, -1.0, -1.0]), -0.5);
    assert_eq!((mean(&[1.0]) + mean(&[-1.0, -1.0, -1.0])) / 2.0, 0.0);
}

/// A rollout of a case: one score a row, V after the last token, no reference model.
fn rollout(case: &Case, scale: f64) -> Rollout {
    let e = case.episode();
    let [v_last, v_boot] = [DMatrix::from_column_slice(case.b(), 1, e.ends.v_last.as_slice()), e.ends.v_boot];
    Rollout {
        attended: None,
        scores: case.rng(5).matrix(case.b(), 1, scale),
        logp_old: case.matrix(6),
        logp_ref: None,
        v_old: e.v * scale,
        ends: Ends { v_last: v_last.column(0) * scale, v_boot: v_boot * scale, ..e.ends },
        weights: None,
        mask: e.mask,
    }
}

/// What a model that has not moved says.
fn unmoved(rollout: &Rollout) -> Now {
    let ent = rollout.logp_old.map(|_| 0.5);
    Now { logp: rollout.logp_old.clone(), ent, v: rollout.v_old.clone() }
}

fn settings(case: &Case) -> Settings {
    Settings { gamma: case.gamma, lambda: case.lambda[0], gap: case.gap, ..Settings::default() }
}

property! {
    /// Before the first optimizer step the policy is the one that sampled: ρ is 1, nothing is clipped, no KL,
    /// L_policy is minus the mean advantage, and L_V the mean square of the raw one.
    fn at_the_first_inner_step_nothing_has_moved(case) {
        let (rollout, s, n) = (rollout(case, 1.0), settings(case), case.m().count());
        if n < 2 {
            return Ok(());
        }
        let targets = rollout_phase(&rollout, &s);
        let got = losses(&rollout, &targets, &unmoved(&rollout), &s);
        let of = |x: &DMatrix<f64>, f: &dyn Fn(f64) -> f64| tokens(&rollout.mask).map(|slot| f(x[slot])).sum::<f64>() / n as f64;
        ensure!(tokens(&rollout.mask).all(|slot| got.policy.ratio[slot] == 1.0), "ρ is not 1");
        ensure!((got.policy.clip_frac, got.policy.clip_frac_lower, got.value.clip_frac) == (0.0, 0.0, 0.0), "clipped");
        ensure!(got.policy.approx_kl == 0.0, "KL {}", got.policy.approx_kl);
        let (mean, size) = (of(&targets.adv, &|x| x), of(&targets.adv, &f64::abs));
        let allowed = 2.0 * roundings(n + case.b()) * size;
        ensure!((got.policy.loss + mean).abs() <= allowed, "L_policy {:e}, mean Â {mean:e}", got.policy.loss);
        // V − (Â + V) has a rounding of |Â| + |V| and one of |Â|; the square doubles it, and has its own.
        let miss = |slot: (usize, usize)| {
            let (adv, v) = (targets.adv_raw[slot].abs(), rollout.v_old[slot].abs());
            U * (4.0 * adv * (2.0 * adv + v) + 2.0 * adv * adv)
        };
        let (square, off) = (of(&targets.adv_raw, &|x| x * x), tokens(&rollout.mask).map(miss).sum::<f64>() / n as f64);
        let allowed = 1.01 * off + 2.0 * roundings(n + case.b()) * square;
        ensure!((got.value.loss - square).abs() <= allowed, "L_V {:e}, mean Â² {square:e}, allowed {allowed:e}", got.value.loss);
    }
}

property! {
    /// The listing as printed adds whitened advantages to V: L_V at the first step is then the variance of
    /// whitened numbers, (n − 1)/n (σ/(σ + ε))², in whatever unit the rewards are, and learns no level.
    fn returns_from_whitened_advantages_forget_the_unit_of_reward(case) {
        let listing = Listing { returns_from_whitened: true, ..Listing::CORRECTED };
        let (s, n) = (Settings { listing, ..settings(case) }, case.m().count() as f64);
        for scale in [1.0, 128.0].into_iter().filter(|_| n >= 2.0) {
            let rollout = rollout(case, scale);
            let targets = rollout_phase(&rollout, &s);
            let got = losses(&rollout, &targets, &unmoved(&rollout), &s).value.loss;
            let sigma = targets.whitened.unwrap().1.sqrt();
            let want = (n - 1.0) / n * (sigma / (sigma + 1e-8)) * (sigma / (sigma + 1e-8));
            // V − (Â + V) as above with |Â| ≤ √n, and the variance's own 2 n + 8.
            let v = tokens(&rollout.mask).map(|slot| rollout.v_old[slot].abs()).fold(0.0, f64::max);
            let allowed = U * (4.0 * n.sqrt() * (2.0 * n.sqrt() + v) + 2.0 * n) + roundings(2 * n as usize + 8)
                + 4.0 * roundings(n as usize + 2) * (1.0 + tokens(&rollout.mask).map(|s| targets.adv_raw[s].abs()).fold(0.0, f64::max) / sigma);
            ensure!((got - want).abs() <= allowed, "unit {scale}: L_V {got}, {want} whatever the rewards");
        }
    }
}

property! {
    /// Rows in another order: the same token losses and slopes, the same means but for the order of the sums.
    fn rows_in_another_order_give_the_same_losses(case) {
        let order: Vec<usize> = (0..case.b()).map(|row| (row + case.k) % case.b()).collect();
        let (mask, [a, b, c]) = (case.m(), [1, 2, 3].map(|purpose| case.matrix(purpose)));
        if mask.count() == 0 {
            return Ok(());
        }
        let turned = Mask::new(DMatrix::from_fn(case.b(), case.t_len(), |row, t| mask.has((order[row], t))));
        let [x, y, z] = [&a, &b, &c].map(|x| x.select_rows(&order));
        let how = clip(0.2, ClipFrac::Effective);
        let before = policy_loss(&a, &b, &c, &mask, None, &how, Agg::TokenMean);
        let after = policy_loss(&x, &y, &z, &turned, None, &how, Agg::TokenMean);
        ensure!(before.per_token.select_rows(&order) == after.per_token, "the token losses of the policy moved");
        ensure!(before.clip_frac == after.clip_frac, "the clip fraction moved");
        let (form, agg) = (ValueClip::Max, Agg::TokenMean);
        let slope = value_loss_grad(&a, &b, &c, &mask, 0.2, form, agg, Half::No);
        let moved = value_loss_grad(&x, &y, &z, &turned, 0.2, form, agg, Half::No);
        ensure!(slope.select_rows(&order) == moved, "the slopes of the value moved");
    }
}

property! {
    /// By the sign of Â and not by a minimum: a gain is capped at 1 + ε_hi, a loss is no smaller than at
    /// 1 − ε_lo and no larger than at c. The tokens counted are those where the cap or the floor holds.
    fn the_policy_loss_is_a_capped_gain_and_a_floored_loss(case) {
        let (mask, [logp, old, adv, w]) = (case.m(), [1, 2, 3, 4].map(|purpose| case.matrix(purpose)));
        let how = PolicyClip { eps_hi: 0.3, c_dual: 1.75, ..clip(0.2, ClipFrac::Effective) };
        if mask.count() == 0 {
            return Ok(());
        }
        let got = policy_loss(&logp, &old, &adv, &mask, Some(&w), &how, Agg::TokenMean);
        let (mut held, mut bounded) = (0, 0);
        for slot in tokens(&mask) {
            let (a, ratio) = (adv[slot], got.ratio[slot]);
            let used = if a > 0.0 { ratio.min(1.3) } else { ratio.clamp(0.8, 1.75) };
            held += u32::from(if a > 0.0 { ratio > 1.3 } else { ratio < 0.8 });
            bounded += u32::from(a < 0.0 && ratio > 1.75);
            let (loss, want) = (got.per_token[slot], -(used * a) * w[slot]);
            // 1 + 0.3 and 1 − 0.2 are a rounding each; the products are the same ones.
            ensure!((loss - want).abs() <= roundings(4) * want.abs(), "{slot:?}: {loss:e} for {want:e}");
        }
        let share = |count: u32| f64::from(count) / mask.count() as f64;
        ensure!(got.clip_frac == share(held), "{held} tokens are clipped, counted {}", got.clip_frac);
        ensure!(got.clip_frac_lower == share(bounded), "{bounded} are bounded, counted {}", got.clip_frac_lower);
        let signed = PolicyClip { clip_frac: ClipFrac::Signed, ..how };
        let signed = policy_loss(&logp, &old, &adv, &mask, Some(&w), &signed, Agg::TokenMean);
        ensure!(signed.clip_frac == got.clip_frac, "the sign of Â says which clips are effective");
    }
}

property! {
    /// By distances and not by squares: the error of a token is the farther of V and of V brought back to
    /// within ε_v of V_old; the tokens counted are those that the way back takes farther from R.
    fn the_value_loss_is_the_farther_of_two_distances(case) {
        let (mask, [v, old, ret]) = (case.m(), [1, 2, 3].map(|purpose| case.matrix(purpose)));
        if mask.count() == 0 {
            return Ok(());
        }
        let of = |form| value_loss(&v, &old, &ret, &mask, 0.25, form, Agg::TokenMean, Half::No);
        let (worse, back_only) = (of(ValueClip::Max), of(ValueClip::ClippedOnly));
        let mut counted = 0;
        for slot in tokens(&mask) {
            let step = v[slot] - old[slot];
            // A sum only where V is brought back: inside the range V stays V to the bit.
            let back = if step.abs() <= 0.25 { v[slot] } else { old[slot] + 0.25 * step.signum() };
            let (near, far) = ((v[slot] - ret[slot]).abs(), (back - ret[slot]).abs());
            counted += u32::from(far > near);
            ensure!(worse.per_token[slot] == far.max(near) * far.max(near), "{slot:?}: {:e}", worse.per_token[slot]);
            ensure!(back_only.per_token[slot] == far * far, "{slot:?}: {:e}", back_only.per_token[slot]);
        }
        let share = f64::from(counted) / mask.count() as f64;
        ensure!(worse.clip_frac == share, "{counted} are clipped, counted {}", worse.clip_frac);
    }
}
