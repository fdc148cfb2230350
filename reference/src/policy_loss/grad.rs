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
/// ∂ρ/∂log π = ρ, so ∂(−ρ Â)/∂log π = −ρ Â; 0 where the clipped surrogate is strictly the smaller,
/// the dual clip acts, or log ρ is strictly beyond its clamp. A tie keeps the unclipped branch.
/// ```
///
/// # Panics
///
/// If the shapes differ, a radius is not > 0, c is not > 1, or nothing is valid where a mean is needed.
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
