//! Budgets of `eq:ratio` and `eq:policy-loss`.

use super::{
    Approx, Grid, Precision, targets,
    total_loss::{aggregate, share},
};
use nalgebra::DMatrix;
use reference::{Agg, ClipFrac, KlEstimate, KlOf, Mask, PolicyClip};

/// What `eq:policy-loss` may be off, with what is logged beside it.
pub struct PolicyBudget {
    /// The loss of each token.
    pub per_token: Grid,
    /// ρ per token.
    pub ratio: Grid,
    /// L_policy.
    pub loss: Approx,
    /// Tokens whose clip flag may differ.
    pub clip_in_doubt: usize,
    /// Tokens whose dual-clip flag may differ.
    pub dual_in_doubt: usize,
    /// The logged KL.
    pub approx_kl: Approx,
}

/// One token of `eq:policy-loss`, line by line as the reference.
struct Token {
    log_ratio: Approx,
    ratio: Approx,
    plain: Approx,
    clipped: Approx,
    pessimistic: Approx,
    bound: Option<Approx>,
    loss: Approx,
}

fn token(p: Precision, logp: Approx, logp_old: Approx, adv: Approx, clip: &PolicyClip) -> Token {
    let log_ratio = logp - logp_old;
    let limit = p.setting(clip.log_ratio_clamp);
    let ratio = log_ratio.clamp(-limit, limit).exp();
    let one = p.given(1.0);
    let (lo, hi) = (one - p.setting(clip.eps_lo), one + p.setting(clip.eps_hi));
    let (plain, clipped) = (ratio * adv, ratio.clamp(lo, hi) * adv);
    let pessimistic = -plain.lesser(clipped);
    // The dual clip acts where Â < 0; where Â may be of either sign its bound is near 0 like the loss.
    let dual = clip.c_dual.is_finite() && adv.value < adv.off;
    let bound = dual.then(|| -adv * p.setting(clip.c_dual));
    let loss = bound.map_or(pessimistic, |bound| pessimistic.lesser(bound));
    Token { log_ratio, ratio, plain, clipped, pessimistic, bound, loss }
}

/// Whether the clip flag of this token may differ: a tie of the surrogates or a ratio at its bound.
fn in_doubt(p: Precision, token: &Token, adv: Approx, clip: &PolicyClip) -> bool {
    let one = p.given(1.0);
    let at_bound = token.ratio.may_cross(one - p.setting(clip.eps_lo))
        || token.ratio.may_cross(one + p.setting(clip.eps_hi));
    let sign = adv.may_cross(p.given(0.0));
    match clip.clip_frac {
        // Inside the range the two are the same number on both sides, and no flag is set.
        ClipFrac::Effective | ClipFrac::Signed => at_bound || sign,
        ClipFrac::SignBlind => at_bound,
    }
}

/// `eq:ratio`, `eq:policy-loss`. The ratio's error is that of two log-probs times ρ.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn policy_loss(
    p: Precision,
    logp: &Grid,
    logp_old: &Grid,
    adv: &Grid,
    mask: &Mask,
    weights: Option<&DMatrix<f64>>,
    clip: &PolicyClip,
    agg: Agg,
) -> PolicyBudget {
    let weight = |slot| p.given(weights.map_or(1.0, |w| w[slot]));
    let limit = p.setting(clip.log_ratio_clamp);
    let zero = p.given(0.0);
    let [mut ratio, mut approx_kl] = [(); 2].map(|()| p.each(mask, |_| zero));
    let (mut clip_in_doubt, mut dual_in_doubt) = (0, 0);
    let per_token = p.each(mask, |slot| {
        let token = token(p, logp[slot], logp_old[slot], adv[slot], clip);
        let old_over_new = match clip.kl_of {
            KlOf::Raw => -token.log_ratio,
            KlOf::Clamped => -token.log_ratio.clamp(-limit, limit),
        };
        ratio[slot] = token.ratio;
        approx_kl[slot] = targets::kl_of(p, old_over_new - zero, KlEstimate::plain(clip.kl_kind));
        clip_in_doubt += usize::from(in_doubt(p, &token, adv[slot], clip));
        dual_in_doubt += usize::from(token.bound.is_some_and(|bound| token.pessimistic.may_cross(bound)));
        token.loss * weight(slot)
    });
    PolicyBudget {
        ratio,
        loss: aggregate(p, &per_token, mask, agg),
        per_token,
        clip_in_doubt,
        dual_in_doubt,
        approx_kl: aggregate(p, &approx_kl, mask, Agg::TokenMean),
    }
}

/// ∂L_policy/∂log π: −ρ Â or 0; either, where the clip's flag is in doubt.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn policy_loss_grad(
    p: Precision,
    logp: &Grid,
    logp_old: &Grid,
    adv: &Grid,
    mask: &Mask,
    weights: Option<&DMatrix<f64>>,
    clip: &PolicyClip,
    agg: Agg,
) -> Grid {
    let share = share(p, mask, agg);
    p.each(mask, |slot| {
        let token = token(p, logp[slot], logp_old[slot], adv[slot], clip);
        let limit = clip.log_ratio_clamp;
        let dual = token.bound.is_some_and(|bound| bound.value < token.pessimistic.value);
        let flat = token.clipped.value < token.plain.value || dual || token.log_ratio.value.abs() > limit;
        let (sloped, zero) = (-token.plain, p.given(0.0));
        let effective = PolicyClip { clip_frac: ClipFrac::Effective, ..*clip };
        let doubt = in_doubt(p, &token, adv[slot], &effective)
            || token.bound.is_some_and(|bound| token.pessimistic.may_cross(bound))
            || token.log_ratio.abs().may_cross(p.setting(limit));
        let slope = match (flat, doubt) {
            (false, false) => sloped,
            (true, false) => zero,
            (false, true) => sloped.or(zero),
            (true, true) => zero.or(sloped),
        };
        share[slot] * slope * p.given(weights.map_or(1.0, |w| w[slot]))
    })
}
