//! What each position works out alone: two matrices with a bend between them.

use crate::{check::same_shape, transformer::linear};
use nalgebra::DMatrix;

/// What [`forward`] computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Mlp {
    /// n_pos × d_mlp: W_up u.
    pub raised: DMatrix<f64>,
    /// n_pos × d_mlp: silu of it.
    pub bent: DMatrix<f64>,
    /// n_pos × d_model: o.
    pub out: DMatrix<f64>,
}

/// Up, bend, down, on each position.
///
/// ```text
/// silu(u) = u · sigmoid(u) = u / (1 + exp(−u))                o = W_down silu(W_up u)
/// ```
///
/// | symbol | argument | shape           | is                  |
/// |--------|----------|-----------------|---------------------|
/// | W_up   | `w_up`   | d_mlp × d_model | weights             |
/// | W_down | `w_down` | d_model × d_mlp | weights             |
/// | u      | `input`  | n_pos × d_model | a row per position  |
/// | o      | result   | n_pos × d_model | with what led to it |
///
/// # Panics
///
/// If the widths do not meet.
pub fn forward(w_up: &DMatrix<f64>, w_down: &DMatrix<f64>, input: &DMatrix<f64>) -> Mlp {
    let raised = linear::forward(w_up, input);
    let bent = raised.map(|u| u * sigmoid(u));
    let out = linear::forward(w_down, &bent);
    Mlp { raised, bent, out }
}

/// The gradients of a loss through [`forward`].
#[derive(Debug, Clone, PartialEq)]
pub struct Grad {
    /// d_mlp × d_model: ∂L/∂W_up.
    pub w_up: DMatrix<f64>,
    /// d_model × d_mlp: ∂L/∂W_down.
    pub w_down: DMatrix<f64>,
    /// n_pos × d_model: ∂L/∂u.
    pub input: DMatrix<f64>,
}

/// From ∂L/∂o, n_pos × d_model, to weights and input; `made` is what [`forward`] gave.
///
/// ```text
/// silu′(u) = sigmoid(u) · (1 + u (1 − sigmoid(u)))
/// ```
///
/// # Panics
///
/// If the shapes do not meet.
pub fn backward(
    w_up: &DMatrix<f64>,
    w_down: &DMatrix<f64>,
    input: &DMatrix<f64>,
    made: &Mlp,
    grad_out: &DMatrix<f64>,
) -> Grad {
    same_shape("mlp", "grad_out", grad_out.shape(), "out", made.out.shape());
    let down = linear::backward(w_down, &made.bent, grad_out);
    let slope = |u: f64| sigmoid(u) * (1.0 + u * (1.0 - sigmoid(u)));
    let grad_raised = made.raised.zip_map(&down.input, |u, grad| grad * slope(u));
    let up = linear::backward(w_up, input, &grad_raised);
    Grad { w_up: up.w, w_down: down.w, input: up.input }
}

/// 1 / (1 + exp(−u)).
fn sigmoid(u: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-u))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    /// silu(0) = 0, and far from 0 it is u itself or nothing.
    #[test]
    fn the_bend_is_between_nothing_and_all() {
        let one = dmatrix![1.0];
        let silu = |u: f64| forward(&one, &one, &dmatrix![u]).out[0];
        assert_eq!((silu(0.0), silu(1e3), silu(-1e3)), (0.0, 1e3, 0.0));
        assert_eq!(silu(1.0), 1.0 / (1.0 + libm::exp(-1.0)));
    }
}
