//! Every position at the same size: the root-mean-square norm.

use crate::{
    check::same_shape,
    written::{number, square, sum},
};
use nalgebra::DMatrix;

/// ε_n, added under the root.
pub const EPS_NORM: f64 = 1e-6;

/// The input of each position divided by its root mean square, then scaled by one gain per dimension.
///
/// ```text
/// rms_i = √( (1/d_model) Σ_d u_i,d² + ε_n )                   o_i,d = gain_d · u_i,d / rms_i
/// ```
///
/// | symbol | argument | shape           | is                                   |
/// |--------|----------|-----------------|--------------------------------------|
/// |        | `gain`   | 1 × d_model     | learned, 1 at first                  |
/// | u      | `input`  | n_pos × d_model | a row per position                   |
/// | o      | result   | n_pos × d_model | of mean square 1 where the gain is 1 |
///
/// GPT-2's layer norm also takes off the mean and adds a bias; Llama's is this one.
///
/// Source: Zhang and Sennrich, "Root Mean Square Layer Normalization" (2019).
///
/// # Panics
///
/// If the widths differ.
pub fn forward(gain: &DMatrix<f64>, input: &DMatrix<f64>) -> DMatrix<f64> {
    same_shape("norm", "gain", gain.shape(), "1 × d_model", (1, input.ncols()));
    let rms = root_mean_squares(input);
    DMatrix::from_fn(input.nrows(), input.ncols(), |i, d| gain[d] * (input[(i, d)] / rms[i]))
}

/// The gradients of a loss through [`forward`].
#[derive(Debug, Clone, PartialEq)]
pub struct Grad {
    /// 1 × d_model: ∂L/∂gain.
    pub gain: DMatrix<f64>,
    /// n_pos × d_model: ∂L/∂u.
    pub input: DMatrix<f64>,
}

/// From ∂L/∂o, n_pos × d_model, to gain and input. û is u/rms, and common_i what the divisor that all share sends back.
///
/// ```text
/// ∂L/∂gain_d = Σ_i ∂L/∂o_i,d · û_i,d
/// common_i   = (1/d_model) Σ_d ∂L/∂o_i,d · gain_d · û_i,d
/// ∂L/∂u_i,d  = (∂L/∂o_i,d · gain_d − common_i û_i,d) / rms_i
/// ```
///
/// # Panics
///
/// As [`forward`], and if `grad_out` has not the shape of `input`.
pub fn backward(gain: &DMatrix<f64>, input: &DMatrix<f64>, grad_out: &DMatrix<f64>) -> Grad {
    same_shape("norm", "gain", gain.shape(), "1 × d_model", (1, input.ncols()));
    same_shape("norm", "grad_out", grad_out.shape(), "input", input.shape());
    let (n, d_model) = input.shape();
    let rms = root_mean_squares(input);
    let unit = DMatrix::from_fn(n, d_model, |i, d| input[(i, d)] / rms[i]);
    let through = DMatrix::from_fn(n, d_model, |i, d| grad_out[(i, d)] * gain[d]);
    let common = |i| sum((0..d_model).map(|d| through[(i, d)] * unit[(i, d)])) / number(d_model);
    let common: Vec<f64> = (0..n).map(common).collect();
    Grad {
        gain: DMatrix::from_fn(1, d_model, |_, d| sum((0..n).map(|i| grad_out[(i, d)] * unit[(i, d)]))),
        input: DMatrix::from_fn(n, d_model, |i, d| (through[(i, d)] - common[i] * unit[(i, d)]) / rms[i]),
    }
}

fn root_mean_squares(input: &DMatrix<f64>) -> Vec<f64> {
    let (n, d_model) = input.shape();
    let mean = |i: usize| sum((0..d_model).map(|d| square(input[(i, d)]))) / number(d_model);
    (0..n).map(|i| (mean(i) + EPS_NORM).sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    /// (3, 3) has the root mean square 3, and (0, 0) stays where it is.
    #[test]
    fn a_position_comes_out_at_size_one_times_the_gain() {
        let out = forward(&dmatrix![1.0, 2.0], &dmatrix![3.0, 3.0; 0.0, 0.0]);
        assert!((out - dmatrix![1.0, 2.0; 0.0, 0.0]).amax() < 1e-6);
    }

    /// A longer input of the same direction gives the same output, so the gradient has no part along it.
    #[test]
    fn the_gradient_is_across_the_input() {
        let input = dmatrix![1.0, -2.0, 0.5];
        let grad = backward(&dmatrix![1.0, 0.5, 2.0], &input, &dmatrix![0.3, 0.7, -1.0]).input;
        assert!(sum((0..3).map(|d| grad[d] * input[d])).abs() < 1e-6);
    }
}
