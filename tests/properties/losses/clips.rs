//! What the clips of the losses do, in other words, and what a clip of ∞ leaves.

use super::{INF, clip};
use crate::{case::tokens, oracle::roundings};
use reference::{
    Agg, ClipFrac, Half, PolicyClip, ValueClip,
    policy_loss::{policy_loss, policy_loss_grad},
    value_loss::{value_loss, value_loss_grad},
};

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
