//! The widget of the policy loss: one token, and the curve that it lies on.

use crate::{
    Answer, Reader,
    read::{flat, row},
};
use reference::{
    Agg, ClipFrac, Kl, KlOf, Mask, PolicyClip,
    policy_loss::{policy_loss, policy_loss_grad},
};

/// Loss and gradient of one token, and along a range of log ρ.
///
/// In: `adv`, `log_ratio`, `eps_lo`, `eps_hi`, `c_dual` (∞ is off), and the range of log ρ as `from`, `to`, `points`.
/// Out: \[ρ, loss, ∂loss/∂log π, clipped, dual\] of the token, the last two 0 or 1; then ρ, loss, ∂loss/∂log π and
/// the unclipped loss −ρÂ along the range.
///
/// # Errors
///
/// If the input is not that.
pub fn policy_clip(mut input: Reader<'_>) -> Answer {
    let adv = input.finite("adv")?;
    let log_ratio = input.finite("log_ratio")?;
    let clip = PolicyClip {
        eps_lo: input.positive("eps_lo")?,
        eps_hi: input.positive("eps_hi")?,
        c_dual: input.above_one("c_dual")?,
        log_ratio_clamp: f64::INFINITY,
        clip_frac: ClipFrac::Effective,
        kl_kind: Kl::K1,
        kl_of: KlOf::Raw,
    };
    let range = input.range("log_ratio")?;
    input.end()?;

    let at = |log_ratio: &[f64], clip: &PolicyClip| {
        let (n, logp) = (log_ratio.len(), row(log_ratio));
        let (old, adv, mask) = (logp.map(|_| 0.0), logp.map(|_| adv), Mask::full(1, n));
        let loss = policy_loss(&logp, &old, &adv, &mask, None, clip, Agg::TokenSum);
        let grad = policy_loss_grad(&logp, &old, &adv, &mask, None, clip, Agg::TokenSum);
        (loss, flat(&grad))
    };
    let (one, one_grad) = at(&[log_ratio], &clip);
    let (curve, curve_grad) = at(&range, &clip);
    let off = PolicyClip { eps_lo: f64::INFINITY, eps_hi: f64::INFINITY, c_dual: f64::INFINITY, ..clip };
    let (unclipped, _) = at(&range, &off);
    Ok(vec![
        vec![one.ratio[(0, 0)], one.loss, one_grad[0], one.clip_frac, one.clip_frac_lower],
        flat(&curve.ratio),
        flat(&curve.per_token),
        curve_grad,
        flat(&unclipped.per_token),
    ])
}

#[cfg(test)]
mod tests {
    use crate::call;

    fn token(adv: f64, log_ratio: f64, c_dual: f64) -> Vec<f64> {
        call("policy_clip", &[adv, log_ratio, 0.25, 0.5, c_dual, -1.0, 1.0, 3.0]).unwrap().swap_remove(0)
    }

    #[test]
    fn the_clip_is_one_sided() {
        let e = libm::exp(1.0);
        assert_eq!(token(2.0, 0.0, f64::INFINITY), [1.0, -2.0, -2.0, 0.0, 0.0]);
        assert_eq!(token(2.0, 1.0, f64::INFINITY), [e, -3.0, 0.0, 1.0, 0.0]);
        assert_eq!(token(-2.0, 1.0, f64::INFINITY), [e, 2.0 * e, 2.0 * e, 0.0, 0.0]);
        assert_eq!(token(-2.0, 1.0, 2.0), [e, 4.0, 0.0, 0.0, 1.0]);
        assert_eq!(token(-2.0, -1.0, f64::INFINITY)[1..4], [1.5, 0.0, 1.0]);
    }

    #[test]
    fn the_curve_goes_through_its_tokens() {
        let got = call("policy_clip", &[2.0, 1.0, 0.25, 0.5, f64::INFINITY, -1.0, 1.0, 3.0]).unwrap();
        for (place, log_ratio) in [-1.0, 0.0, 1.0].into_iter().enumerate() {
            let one = token(2.0, log_ratio, f64::INFINITY);
            assert_eq!([got[1][place], got[2][place], got[3][place]], one[..3]);
            assert_eq!(got[4][place], -2.0 * one[0]);
        }
    }
}
