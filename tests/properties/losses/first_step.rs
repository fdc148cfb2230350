//! The first inner step: policy and critic still say what they said in the rollout.

use crate::{
    case::{Case, tokens},
    oracle::{U, roundings},
};
use nalgebra::DMatrix;
use reference::{
    Ends, Listing, Settings,
    step::{Now, Rollout, losses, rollout_phase},
};

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
