//! Where the advantages come from: `eq:td-residual`, `eq:gae`, `eq:gae-recursion`.

use crate::{
    Mask, check,
    segments::{Ends, Gap, Segment, segments},
    written::{powers, sum},
};
use nalgebra::{DMatrix, DVector};

/// The one-step error of the critic at each token.
///
/// ```text
/// δ_t = r_t + γ V_{t+1} − V_t                                              eq:td-residual
/// ```
///
/// Arguments as [`gae`], b × t_len like the result; unit of the reward. V_{t+1} of the last token is V after it, see
/// [`Ends`]. Under [`Gap::Decay`] a masked slot inside a row is a step with r = V = 0: the token before it sees
/// V_{t+1} = 0, and the step's own residual, which `eq:gae` sums, is not shown (+0, as every masked slot).
///
/// Source: Roy, "The Full PPO Training Step", § GAE: where the advantages come from.
/// Book: `gae.md`. Fast: `optimized::gae`.
///
/// # Panics
///
/// If the shapes differ or `gamma` is outside [0, 1].
#[doc(alias = "eq:td-residual")]
pub fn td_residual(
    r: &DMatrix<f64>,
    v: &DMatrix<f64>,
    mask: &Mask,
    ends: &Ends,
    gap: Gap,
    gamma: f64,
) -> DMatrix<f64> {
    check::discount("td_residual", "gamma", gamma);
    let no_decay = DVector::zeros(mask.shape().0);
    over_segments(r, v, mask, ends, gap, &no_decay, |segment, _| residuals(segment, gamma))
}

/// The advantage of each token: the double sum, exactly as it is printed.
///
/// ```text
/// Â_t = Σ_{l=0}^{T−1−t} (γλ)^l δ_{t+l}                                     eq:gae
/// ```
///
/// | symbol | argument | shape     | is                                                               |
/// |--------|----------|-----------|------------------------------------------------------------------|
/// | r      | `r`      | b × t_len | `eq:shaped-reward`                                               |
/// | V      | `v`      | b × t_len | V_old, what the critic said in the rollout; unit of the reward   |
/// | m      | `mask`   | b × t_len | 1 where a response token is                                      |
/// |        | `ends`   |           | V after the last token, and where episodes end inside a row      |
/// |        | `gap`    |           | what a masked stretch inside a row does                          |
/// | γ      | `gamma`  | 1         | discount in \[0, 1\]                                             |
/// | λ      | `lambda` | b         | decay in \[0, 1\], one per row                                   |
/// | Â      | result   | b × t_len | unit of the reward; +0 in masked slots                           |
///
/// The post, whose L is T here, prints the upper limit L − t, which is right for tokens numbered 1 … L. Here they are
/// numbered 0 … T − 1 as arrays are, so the last residual is δ_{T−1} and the limit T − 1 − t; read literally with
/// 0-based arrays, the post's limit would touch δ_T, one slot past the end. verl and NeMo-RL skip gaps, OpenRLHF and
/// TRL 0.11 let them decay. V after the last token is 0 in nearly every LLM trainer; SB3 and torchrl bootstrap where
/// the episode was cut off.
///
/// Source: Roy, "The Full PPO Training Step", § GAE: where the advantages come from.
/// Book: `gae.md`. Fast: `optimized::gae`.
///
/// # Panics
///
/// If the shapes differ, or `gamma` or a `lambda` is outside [0, 1].
#[doc(alias = "eq:gae")]
// ANCHOR: gae
pub fn gae(
    r: &DMatrix<f64>,
    v: &DMatrix<f64>,
    mask: &Mask,
    ends: &Ends,
    gap: Gap,
    gamma: f64,
    lambda: &DVector<f64>,
) -> DMatrix<f64> {
    check::discount("gae", "gamma", gamma);
    over_segments(r, v, mask, ends, gap, lambda, |segment, lambda| {
        let delta = residuals(segment, gamma);
        let t_len = delta.len();
        let decay = powers(gamma * lambda, t_len);
        (0..t_len).map(|t| sum((0..t_len - t).map(|l| decay[l] * delta[t + l]))).collect()
    })
}
// ANCHOR_END: gae

/// The same advantages by the recursion that trainers run, from the last token to the first.
///
/// ```text
/// Â_t = δ_t + γλ Â_{t+1},   Â_T = 0                                        eq:gae-recursion
/// ```
///
/// Derived, not printed: the sum for t is its first term plus γλ times the sum for t + 1. A test proves
/// the two equal. Arguments and result as [`gae`]; linear in t_len where that is quadratic.
///
/// Source: derived from `eq:gae`.
/// Book: `gae.md`. Fast: `optimized::gae`.
///
/// # Panics
///
/// As [`gae`].
#[doc(alias = "eq:gae-recursion")]
// ANCHOR: gae_recursion
pub fn gae_recursion(
    r: &DMatrix<f64>,
    v: &DMatrix<f64>,
    mask: &Mask,
    ends: &Ends,
    gap: Gap,
    gamma: f64,
    lambda: &DVector<f64>,
) -> DMatrix<f64> {
    check::discount("gae", "gamma", gamma);
    over_segments(r, v, mask, ends, gap, lambda, |segment, lambda| {
        let delta = residuals(segment, gamma);
        let mut adv = vec![0.0; delta.len() + 1];
        for t in (0..delta.len()).rev() {
            adv[t] = delta[t] + gamma * lambda * adv[t + 1];
        }
        adv.truncate(delta.len());
        adv
    })
}
// ANCHOR_END: gae_recursion

// ANCHOR: residuals
/// δ of one segment: its values hold one more than its rewards, V after the last token.
fn residuals(segment: &Segment, gamma: f64) -> Vec<f64> {
    let Segment { r, v, .. } = segment;
    (0..r.len()).map(|t| r[t] + gamma * v[t + 1] - v[t]).collect()
}
// ANCHOR_END: residuals

/// One formula for every unbroken stretch of tokens; masked slots come out as +0.
fn over_segments(
    r: &DMatrix<f64>,
    v: &DMatrix<f64>,
    mask: &Mask,
    ends: &Ends,
    gap: Gap,
    lambda: &DVector<f64>,
    formula: impl Fn(&Segment, f64) -> Vec<f64>,
) -> DMatrix<f64> {
    let (b, t_len) = mask.shape();
    check::shapes("gae", mask.shape(), &[("r", r.shape()), ("v", v.shape())]);
    check::per_row("gae", "lambda", lambda.len(), b);
    lambda.iter().for_each(|lambda| check::discount("gae", "lambda", *lambda));
    ends.check(mask.shape());
    let mut out = DMatrix::zeros(b, t_len);
    for row in 0..b {
        for segment in segments(row, r, v, mask, ends, gap) {
            for (t, x) in segment.slots.iter().zip(formula(&segment, lambda[row])) {
                out[(row, *t)] = x;
            }
        }
    }
    mask.keep(&out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{dmatrix, dvector};

    /// γ = ½, λ = ½, so every number is exact: δ = [1 + ½·2 − 1, 0 + ½·4 − 2] = [1, 0], Â = [1, 0].
    #[test]
    fn worked_example() {
        let (r, v) = (dmatrix![1.0, 0.0], dmatrix![1.0, 2.0]);
        let (mask, ends) = (Mask::full(1, 2), Ends::after(dvector![4.0], 2));
        let (gap, lambda) = (Gap::Skip, dvector![0.5]);
        assert_eq!(td_residual(&r, &v, &mask, &ends, gap, 0.5), dmatrix![1.0, 0.0]);
        assert_eq!(gae(&r, &v, &mask, &ends, gap, 0.5, &lambda), dmatrix![1.0, 0.0]);
        let ends = Ends::after(dvector![0.0], 2);
        assert_eq!(gae(&r, &v, &mask, &ends, gap, 0.5, &lambda), dmatrix![0.5, -2.0]);
        assert_eq!(gae_recursion(&r, &v, &mask, &ends, gap, 0.5, &lambda), dmatrix![0.5, -2.0]);
    }

    /// V of the masked slot is 0 and not what stands there, and its own residual γ · 2 is not shown.
    #[test]
    fn under_decay_the_token_before_a_gap_sees_no_value() {
        let (r, v) = (dmatrix![1.0, f64::NAN, 0.0], dmatrix![1.0, f64::NAN, 2.0]);
        let (mask, ends) = (Mask::from_rows(&[[1, 0, 1]]), Ends::stop(1, 3));
        assert_eq!(td_residual(&r, &v, &mask, &ends, Gap::Decay, 0.5), dmatrix![0.0, 0.0, -2.0]);
        assert_eq!(td_residual(&r, &v, &mask, &ends, Gap::Skip, 0.5), dmatrix![1.0, 0.0, -2.0]);
    }

    #[test]
    #[should_panic(expected = "gae: `gamma` is 1.5 and must lie in [0, 1]")]
    fn a_discount_above_one_is_refused() {
        let (x, mask) = (DMatrix::zeros(1, 1), Mask::full(1, 1));
        gae(&x, &x, &mask, &Ends::stop(1, 1), Gap::Skip, 1.5, &dvector![1.0]);
    }
}
