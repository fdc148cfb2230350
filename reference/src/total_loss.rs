//! The three terms as one scalar, and a KL term beside them: `eq:kl-loss`, `eq:total-loss`.

use crate::{
    Mask,
    aggregate::{Agg, aggregate, aggregate_grad},
    kl::{KlEstimate, KlGrad, kl, kl_grad},
};
use nalgebra::DMatrix;

/// The KL to the reference model as a loss term, before its coefficient.
///
/// ```text
/// L_KL = agg_t k(log π − log π_ref)                                        eq:kl-loss
/// ```
///
/// | symbol    | argument   | shape     | is                                                       |
/// |-----------|------------|-----------|----------------------------------------------------------|
/// | log π     | `logp`     | b × t_len | what the policy gives the token now, not when it sampled |
/// | log π_ref | `logp_ref` | b × t_len | the same token under the reference model                 |
/// | m         | `mask`     | b × t_len | 1 where a response token is                              |
/// | k         | `estimate` |           | the estimator and its clamps, `eq:kl`                    |
/// |           | `agg`      |           | how tokens become one number, `eq:aggregate`             |
/// | L_KL      | result     | 1         | nats                                                     |
///
/// The post has no such term; verl's `use_kl_loss`, OpenRLHF and GRPO have.
///
/// Source: verl, `kl_penalty`, for the kinds.
/// Book: `total-loss.md`. Fast: `optimized::kl_loss`.
///
/// # Panics
///
/// As [`kl`] and [`aggregate`].
#[doc(alias = "eq:kl-loss")]
pub fn kl_loss(
    logp: &DMatrix<f64>,
    logp_ref: &DMatrix<f64>,
    mask: &Mask,
    estimate: KlEstimate,
    agg: Agg,
) -> f64 {
    aggregate(&kl(logp, logp_ref, mask, estimate), mask, agg)
}

/// ∂L_KL/∂log π, b × t_len: the weight of each token in `agg` times [`kl_grad`].
///
/// # Panics
///
/// As [`kl_loss`].
pub fn kl_loss_grad(
    logp: &DMatrix<f64>,
    logp_ref: &DMatrix<f64>,
    mask: &Mask,
    estimate: KlEstimate,
    grad: KlGrad,
    agg: Agg,
) -> DMatrix<f64> {
    let share = aggregate_grad(mask, agg);
    let slope = kl_grad(logp, logp_ref, mask, estimate, grad);
    mask.each(|slot| share[slot] * slope[slot])
}

/// What each term is multiplied by; a coefficient of 0 skips its term.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficients {
    /// c_V.
    pub c_v: f64,
    /// c_H: positive rewards entropy, since the loss is minimised.
    pub c_h: f64,
    /// β_loss, of the KL loss.
    pub beta_loss: f64,
}

/// The scalar that one backward pass differentiates.
///
/// ```text
/// L_total = L_policy + c_V L_V − c_H H + β_loss L_KL                       eq:total-loss
/// ```
///
/// | symbol           | argument       | is                                           |
/// |------------------|----------------|----------------------------------------------|
/// | L_policy         | `l_policy`     | `eq:policy-loss`                             |
/// | L_V              | `l_v`          | `eq:value-loss`                              |
/// | H                | `ent`          | aggregated `eq:entropy`, nats, positive      |
/// | L_KL             | `l_kl`         | `eq:kl-loss`; the post has none (β_loss = 0) |
/// | c_V, c_H, β_loss | `coefficients` | what each is multiplied by; 0 skips its term |
/// | L_total          | result         | one number, whose parts have their own units |
///
/// The gradient in each part is its coefficient: 1, c_V, −c_H, β_loss. The post once adds E\[H\] with a plus, by a
/// coefficient β_H, "while the surrogate loss is being minimized"; the sign here is that of its L_total and code.
///
/// Source: Roy, "The Full PPO Training Step", § The combined loss and why the inner loop exists.
/// Book: `total-loss.md`. Fast: `optimized::total_loss`.
#[doc(alias = "eq:total-loss")]
// ANCHOR: total_loss
pub fn total_loss(l_policy: f64, l_v: f64, ent: f64, l_kl: f64, coefficients: Coefficients) -> f64 {
    let Coefficients { c_v, c_h, beta_loss } = coefficients;
    l_policy + times(c_v, l_v) - times(c_h, ent) + times(beta_loss, l_kl)
}
// ANCHOR_END: total_loss

/// c x, and 0 where c is 0: a term that is off is no operand.
fn times(c: f64, x: f64) -> f64 {
    if c == 0.0 { 0.0 } else { c * x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_is_subtracted() {
        let coefficients = Coefficients { c_v: 0.5, c_h: 0.25, beta_loss: 2.0 };
        assert_eq!(total_loss(1.0, 4.0, 8.0, 0.5, coefficients), 1.0 + 2.0 - 2.0 + 1.0);
    }

    #[test]
    fn a_term_that_is_off_is_no_operand() {
        let off = Coefficients { c_v: 0.0, c_h: 0.0, beta_loss: 0.0 };
        assert_eq!(total_loss(1.0, f64::NAN, f64::INFINITY, f64::NAN, off), 1.0);
    }
}
