//! One norm for all gradients: `eq:grad-norm`.

use crate::{
    check,
    written::{square, sum},
};
use nalgebra::DMatrix;

/// The joint L2 norm of several gradients, as if they were one long vector.
///
/// ```text
/// ‖g‖ = √( Σ_θ Σ_entries g² )                                              eq:grad-norm
/// ```
///
/// | symbol | argument | shape | is                                                  |
/// |--------|----------|-------|-----------------------------------------------------|
/// | g      | `grads`  | any   | one gradient per parameter θ                        |
/// |        | result   | 1     | ‖g‖; ∞ where a square or their sum is beyond an f64 |
///
/// Source: Roy, "The Full PPO Training Step", § One iteration, in code, which calls it (`clip_grad_norm_`) and does
/// not print it.
/// Book: `inner-loop.md`.
#[doc(alias = "eq:grad-norm")]
pub fn grad_norm(grads: &[DMatrix<f64>]) -> f64 {
    sum(grads.iter().flat_map(|grad| grad.iter().map(|g| square(*g)))).sqrt()
}

/// The gradients scaled so that their joint norm is at most `max_norm`, with the norm before.
///
/// ```text
/// g ← g · min(1, max_norm / (‖g‖ + 1e-6))                                  eq:grad-clip
/// ```
///
/// | symbol | argument   | shape    | is                                        |
/// |--------|------------|----------|-------------------------------------------|
/// | g      | `grads`    | any      | one gradient per parameter θ              |
/// |        | `max_norm` | 1        | bound > 0 on ‖g‖; ∞ is off                |
/// | g      | result     | the same | after the clip, and ‖g‖ before it         |
///
/// The 1e-6 is torch's. One norm over actor, critic and trunk: a large value gradient shrinks the policy's
/// step. Trainers with a separate critic clip each model alone; clipping each tensor alone is another
/// thing altogether. A NaN norm makes every gradient NaN. An infinite one makes a finite gradient 0 and an infinite
/// one NaN; where `max_norm` is ∞ too, every gradient is NaN. verl then skips the step; nothing here does.
///
/// Source: Roy, "The Full PPO Training Step", § One iteration, in code, which calls it (`clip_grad_norm_`) and does
/// not print it.
/// Book: `inner-loop.md`.
///
/// # Panics
///
/// If `max_norm` is not > 0.
#[doc(alias = "eq:grad-clip")]
// ANCHOR: clip_grad_norm
pub fn clip_grad_norm(grads: &[DMatrix<f64>], max_norm: f64) -> (Vec<DMatrix<f64>>, f64) {
    check::positive("clip_grad_norm", "max_norm", max_norm);
    let norm = grad_norm(grads);
    let factor = crate::nan::lesser(max_norm / (norm + 1e-6), 1.0);
    (grads.iter().map(|grad| grad.map(|g| g * factor)).collect(), norm)
}
// ANCHOR_END: clip_grad_norm

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    #[test]
    fn the_norm_is_joint() {
        assert_eq!(grad_norm(&[dmatrix![3.0], dmatrix![0.0, 4.0]]), 5.0);
    }

    #[test]
    fn a_short_gradient_is_left_alone_and_a_long_one_ends_at_the_bound() {
        let (same, norm) = clip_grad_norm(&[dmatrix![3.0], dmatrix![4.0]], 100.0);
        assert_eq!((same, norm), (vec![dmatrix![3.0], dmatrix![4.0]], 5.0));
        let (cut, _) = clip_grad_norm(&[dmatrix![3.0], dmatrix![4.0]], 1.0);
        assert!((grad_norm(&cut) - 1.0).abs() < 1e-6);
        assert!((cut[0][0] / cut[1][0] - 0.75).abs() < 1e-15, "the direction is kept");
    }

    #[test]
    fn an_infinite_norm_leaves_nothing_of_a_finite_gradient() {
        let (cut, norm) = clip_grad_norm(&[dmatrix![1e200, f64::INFINITY], dmatrix![4.0]], 1.0);
        assert!(norm.is_infinite() && cut[0][0] == 0.0 && cut[0][1].is_nan() && cut[1][0] == 0.0);
        let (off, _) = clip_grad_norm(&[dmatrix![1e200]], f64::INFINITY);
        assert!(off[0][0].is_nan());
    }

    #[test]
    fn a_nan_reaches_every_gradient() {
        let (cut, norm) = clip_grad_norm(&[dmatrix![f64::NAN], dmatrix![4.0]], 1.0);
        assert!(norm.is_nan() && cut[1][0].is_nan());
    }
}
