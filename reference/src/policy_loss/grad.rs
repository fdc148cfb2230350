//! The gradient of `eq:policy-loss` in the log-probs.

use super::{PolicyClip, check_inputs, token};
use crate::{
    Mask,
    aggregate::{Agg, aggregate_grad},
};
use nalgebra::DMatrix;

/// ∂L_policy/∂log π, b × t_len.
///
/// ```text
/// ∂L_policy/∂log π_t = ∂agg/∂q_t · w_t · −ρ_t Â_t,      since ∂ρ/∂log π = ρ
/// ```
///
/// 0 where the clipped surrogate is strictly the smaller, the dual clip acts, or log ρ is strictly beyond its clamp.
/// A tie keeps the unclipped branch. Arguments as [`policy_loss`](super::policy_loss).
///
/// # Panics
///
/// If the shapes differ, a radius or the clamp is not > 0, c_dual is not > 1, or as [`aggregate_grad`].
// ANCHOR: policy_loss_grad
pub fn policy_loss_grad(
    logp: &DMatrix<f64>,
    logp_old: &DMatrix<f64>,
    adv: &DMatrix<f64>,
    mask: &Mask,
    weights: Option<&DMatrix<f64>>,
    clip: &PolicyClip,
    agg: Agg,
) -> DMatrix<f64> {
    check_inputs(logp, logp_old, adv, mask, weights, clip);
    let share = aggregate_grad(mask, agg);
    mask.each(|slot| {
        let token = token(logp[slot], logp_old[slot], adv[slot], clip);
        let flat = token.clipped < token.plain || token.dual || token.clamped;
        let slope = if flat && !token.plain.is_nan() { 0.0 } else { -token.plain };
        share[slot] * slope * weights.map_or(1.0, |w| w[slot])
    })
}
// ANCHOR_END: policy_loss_grad
