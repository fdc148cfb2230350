//! How the actor is moved: `eq:ratio`, `eq:policy-loss`, and what a trainer logs beside it.

pub mod grad;

use crate::{
    Mask,
    aggregate::{Agg, aggregate},
    check,
    kl::{Kl, KlEstimate},
    nan::{clamp, lesser},
};
use nalgebra::DMatrix;

pub use grad::policy_loss_grad;

/// Which tokens the clip fraction counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClipFrac {
    /// Those where the clipped surrogate is strictly the smaller: verl, TRL, OpenRLHF.
    Effective,
    /// Those with the ratio outside its range, whatever the sign of Â: CleanRL, SB3, PufferLib.
    SignBlind,
    /// Those with ρ < 1 − ε_lo and Â < 0, or ρ > 1 + ε_hi and Â > 0: Liger-Kernel.
    Signed,
}

/// Which log-ratio the logged KL is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KlOf {
    /// log ρ as it is: OpenRLHF.
    Raw,
    /// log ρ after its clamp: verl.
    Clamped,
}

/// The choices of [`policy_loss`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolicyClip {
    /// ε_lo > 0: the ratio's lower bound is 1 − ε_lo.
    pub eps_lo: f64,
    /// ε_hi > 0: the ratio's upper bound is 1 + ε_hi.
    pub eps_hi: f64,
    /// > 1: where Â < 0 the loss is at most −c_dual Â; ∞ is off.
    pub c_dual: f64,
    /// Bound > 0 on |log ρ| before exp; ∞ is off.
    pub log_ratio_clamp: f64,
    /// What `clip_frac` counts.
    pub clip_frac: ClipFrac,
    /// The estimator of `approx_kl`.
    pub kl_kind: Kl,
    /// Which log-ratio `approx_kl` is made of.
    pub kl_of: KlOf,
}

/// The policy loss with what a trainer logs beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyLoss {
    /// L_policy, unit of the advantage (1 if whitened).
    pub loss: f64,
    /// b × t_len: the loss of each token before aggregation.
    pub per_token: DMatrix<f64>,
    /// b × t_len: ρ.
    pub ratio: DMatrix<f64>,
    /// Share of valid tokens that the clip counts, see [`ClipFrac`].
    pub clip_frac: f64,
    /// Share of valid tokens where the dual clip acts.
    pub clip_frac_lower: f64,
    /// KL(π_old ‖ π) estimated from the sampled tokens, nats; a mean over tokens.
    pub approx_kl: f64,
}

/// What one token does: the formula line by line, shared by loss and gradient.
struct Token {
    log_ratio: f64,
    ratio: f64,
    /// ρ Â.
    plain: f64,
    /// clip(ρ) Â.
    clipped: f64,
    /// The loss before importance weights.
    loss: f64,
    /// The dual clip is the smaller loss.
    dual: bool,
    /// |log ρ| is strictly beyond its clamp.
    clamped: bool,
}

// ANCHOR: token
fn token(logp: f64, logp_old: f64, adv: f64, clip: &PolicyClip) -> Token {
    let log_ratio = logp - logp_old;
    let ratio = libm::exp(clamp(log_ratio, -clip.log_ratio_clamp, clip.log_ratio_clamp));
    let plain = ratio * adv;
    let clipped = clamp(ratio, 1.0 - clip.eps_lo, 1.0 + clip.eps_hi) * adv;
    let pessimistic = -lesser(plain, clipped);
    let bound = if adv < 0.0 { -adv * clip.c_dual } else { f64::INFINITY };
    Token {
        log_ratio,
        ratio,
        plain,
        clipped,
        loss: lesser(pessimistic, bound),
        dual: bound < pessimistic,
        clamped: log_ratio.abs() > clip.log_ratio_clamp,
    }
}
// ANCHOR_END: token

/// The clipped surrogate: per token the worse of two objectives, negated, then aggregated.
///
/// ```text
/// ρ_t      = π(y_t) / π_old(y_t) = exp(log π − log π_old)                  eq:ratio
/// L_policy = agg_t −min( ρ_t Â_t, clip(ρ_t, 1 − ε_lo, 1 + ε_hi) Â_t )      eq:policy-loss
///
/// and with what the post leaves off:
/// ρ_t           = exp( clip(log ρ_t, −log_ratio_clamp, log_ratio_clamp) ),   log ρ_t = log π − log π_old
/// pessimistic_t = −min( ρ_t Â_t, clip(ρ_t, 1 − ε_lo, 1 + ε_hi) Â_t )
/// bound_t       = −c_dual Â_t where Â_t < 0, else ∞
/// L_policy      = agg_t w_t min(pessimistic_t, bound_t)
///
/// clip_frac       = Σ_b Σ_t [clip(ρ_t, …) Â_t < ρ_t Â_t] / n               Effective; the others at `ClipFrac`
/// clip_frac_lower = Σ_b Σ_t [bound_t < pessimistic_t] / n
/// approx_kl       = Σ_b Σ_t k(−log ρ_t) / n                                k of `eq:kl`; log ρ clipped if `KlOf` says
/// ```
///
/// | symbol    | argument   | shape     | is                                                                |
/// |-----------|------------|-----------|-------------------------------------------------------------------|
/// | log π     | `logp`     | b × t_len | what the policy gives the token now, nats                         |
/// | log π_old | `logp_old` | b × t_len | what it gave when it sampled the token; frozen                    |
/// | Â         | `adv`      | b × t_len | advantage, `eq:whiten`; frozen                                    |
/// | m, n      | `mask`     | b × t_len | 1 where a response token is; n = Σ m                              |
/// | w         | `weights`  | b × t_len | importance weights on the loss of each token, last; none is 1     |
/// |           | `clip`     |           | ε_lo, ε_hi, c_dual, the clamp, and what is logged: [`PolicyClip`] |
/// |           | `agg`      |           | how tokens become one number, `eq:aggregate`                      |
/// | L_policy  | result     | 1         | unit of Â; with each token's loss and ρ, and what is logged       |
///
/// The post's L_policy is the sibling post's: ε_lo = ε_hi = 0.2, no dual clip, no clamp. verl clamps log ρ at
/// ±20 and dual-clips at c_dual = 3; OpenRLHF clamps at ±20; CleanRL and SB3 do neither and count `SignBlind`.
/// The clip removes a gradient, it does not bound ρ: for Â < 0 the loss grows with ρ without limit.
///
/// Source: Roy, "The Full PPO Training Step", § One iteration, in code (`L_policy`).
/// Book: `policy-loss.md`. Fast: `optimized::policy_loss`.
///
/// # Panics
///
/// If the shapes differ, a radius or the clamp is not > 0, c_dual is not > 1, no token is valid (`clip_frac` is a
/// mean whatever `agg` is), or as [`aggregate`].
#[doc(alias = "eq:ratio")]
#[doc(alias = "eq:policy-loss")]
// ANCHOR: policy_loss
pub fn policy_loss(
    logp: &DMatrix<f64>,
    logp_old: &DMatrix<f64>,
    adv: &DMatrix<f64>,
    mask: &Mask,
    weights: Option<&DMatrix<f64>>,
    clip: &PolicyClip,
    agg: Agg,
) -> PolicyLoss {
    check_inputs(logp, logp_old, adv, mask, weights, clip);
    let token = |slot| token(logp[slot], logp_old[slot], adv[slot], clip);
    let weight = |slot| weights.map_or(1.0, |w| w[slot]);
    let share = |counts: &dyn Fn((usize, usize)) -> bool| {
        aggregate(&mask.each(|slot| f64::from(counts(slot))), mask, Agg::TokenMean)
    };
    let per_token = mask.each(|slot| token(slot).loss * weight(slot));
    let kl = KlEstimate::plain(clip.kl_kind);
    let old_over_new = |slot| match clip.kl_of {
        KlOf::Raw => -token(slot).log_ratio,
        KlOf::Clamped => -clamp(token(slot).log_ratio, -clip.log_ratio_clamp, clip.log_ratio_clamp),
    };
    PolicyLoss {
        loss: aggregate(&per_token, mask, agg),
        per_token,
        ratio: mask.each(|slot| token(slot).ratio),
        clip_frac: share(&|slot| counted(&token(slot), adv[slot], clip)),
        clip_frac_lower: share(&|slot| token(slot).dual),
        approx_kl: aggregate(&mask.each(|slot| kl.of(old_over_new(slot))), mask, Agg::TokenMean),
    }
}
// ANCHOR_END: policy_loss

/// Whether the clip fraction counts this token.
fn counted(token: &Token, adv: f64, clip: &PolicyClip) -> bool {
    let (below, above) = (token.ratio < 1.0 - clip.eps_lo, token.ratio > 1.0 + clip.eps_hi);
    match clip.clip_frac {
        ClipFrac::Effective => token.clipped < token.plain,
        ClipFrac::SignBlind => below || above,
        ClipFrac::Signed => (below && adv < 0.0) || (above && adv > 0.0),
    }
}

fn check_inputs(
    logp: &DMatrix<f64>,
    logp_old: &DMatrix<f64>,
    adv: &DMatrix<f64>,
    mask: &Mask,
    weights: Option<&DMatrix<f64>>,
    clip: &PolicyClip,
) {
    let term = "policy_loss";
    let shapes = [("logp", logp.shape()), ("logp_old", logp_old.shape()), ("adv", adv.shape())];
    check::shapes(term, mask.shape(), &shapes);
    if let Some(weights) = weights {
        check::shapes(term, mask.shape(), &[("weights", weights.shape())]);
    }
    check::positive(term, "eps_lo", clip.eps_lo);
    check::positive(term, "eps_hi", clip.eps_hi);
    check::positive(term, "log_ratio_clamp", clip.log_ratio_clamp);
    assert!(clip.c_dual > 1.0, "{term}: `c_dual` is {} and must be > 1", clip.c_dual);
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    const CLIP: PolicyClip = PolicyClip {
        eps_lo: 0.25,
        eps_hi: 0.25,
        c_dual: f64::INFINITY,
        log_ratio_clamp: f64::INFINITY,
        clip_frac: ClipFrac::Effective,
        kl_kind: Kl::K1,
        kl_of: KlOf::Raw,
    };

    /// ρ = 1 at both tokens: the loss is −Â, no token is clipped, no KL.
    #[test]
    fn at_the_first_inner_step_the_loss_is_minus_the_mean_advantage() {
        let (logp, adv, mask) = (dmatrix![-1.0, -2.0], dmatrix![0.5, -1.0], Mask::full(1, 2));
        let got = policy_loss(&logp, &logp, &adv, &mask, None, &CLIP, Agg::TokenMean);
        assert_eq!((got.loss, got.clip_frac, got.approx_kl), (0.25, 0.0, 0.0));
        let grad = policy_loss_grad(&logp, &logp, &adv, &mask, None, &CLIP, Agg::TokenMean);
        assert_eq!(grad, dmatrix![-0.25, 0.5]);
    }

    #[test]
    fn a_nan_in_a_valid_slot_reaches_the_loss_and_its_gradient() {
        let (one, nan, mask) = (dmatrix![1.0], dmatrix![f64::NAN], Mask::full(1, 1));
        let clip = PolicyClip { c_dual: 3.0, log_ratio_clamp: 20.0, ..CLIP };
        for (logp, logp_old, adv, w) in [
            (&nan, &one, &one, &one),
            (&one, &nan, &one, &one),
            (&one, &one, &nan, &one),
            (&one, &one, &one, &nan),
        ] {
            let loss = policy_loss(logp, logp_old, adv, &mask, Some(w), &clip, Agg::TokenMean).loss;
            let grad = policy_loss_grad(logp, logp_old, adv, &mask, Some(w), &clip, Agg::TokenMean);
            assert!(loss.is_nan() && grad[0].is_nan(), "{logp} {logp_old} {adv} {w}: {loss} {grad}");
        }
    }

    #[test]
    fn weights_multiply_the_loss_after_the_clip() {
        let (logp, old, adv) = (dmatrix![2.0], dmatrix![0.0], dmatrix![1.0]);
        let weight = dmatrix![0.5];
        let got = policy_loss(&logp, &old, &adv, &Mask::full(1, 1), Some(&weight), &CLIP, Agg::TokenMean);
        assert_eq!(got.loss, -1.25 * 0.5);
    }

    #[test]
    #[should_panic(expected = "policy_loss: `eps_lo` is 0 and must be > 0")]
    fn a_radius_of_zero_is_refused() {
        let (x, clip) = (dmatrix![0.0], PolicyClip { eps_lo: 0.0, ..CLIP });
        policy_loss(&x, &x, &x, &Mask::full(1, 1), None, &clip, Agg::TokenMean);
    }
}
