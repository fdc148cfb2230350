//! One matrix on every position.

use crate::{check::same_shape, written::product};
use nalgebra::DMatrix;

/// W times the input of each position.
///
/// ```text
/// o_i,d′ = Σ_d W_d′,d u_i,d                                   o = u Wᵀ
/// ```
///
/// | symbol | argument | shape         | is                            |
/// |--------|----------|---------------|-------------------------------|
/// | W      | `w`      | d_out × d_in  | the weights, a row per output |
/// | u      | `input`  | n_pos × d_in  | a row per position            |
/// | o      | result   | n_pos × d_out | a row per position            |
///
/// # Panics
///
/// If the widths differ.
pub fn forward(w: &DMatrix<f64>, input: &DMatrix<f64>) -> DMatrix<f64> {
    product(input, &w.transpose())
}

/// The gradients of a loss through [`forward`].
#[derive(Debug, Clone, PartialEq)]
pub struct Grad {
    /// d_out × d_in: ∂L/∂W.
    pub w: DMatrix<f64>,
    /// n_pos × d_in: ∂L/∂u.
    pub input: DMatrix<f64>,
}

/// From ∂L/∂o, n_pos × d_out, to weights and input.
///
/// ```text
/// ∂L/∂W_d′,d = Σ_i ∂L/∂o_i,d′ · u_i,d                  ∂L/∂u_i,d = Σ_d′ ∂L/∂o_i,d′ · W_d′,d
/// ```
///
/// # Panics
///
/// If the shapes do not meet.
pub fn backward(w: &DMatrix<f64>, input: &DMatrix<f64>, grad_out: &DMatrix<f64>) -> Grad {
    same_shape("linear", "grad_out", grad_out.shape(), "input × w", (input.nrows(), w.nrows()));
    Grad { w: product(&grad_out.transpose(), input), input: product(grad_out, w) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    /// W = (1 2; 3 4; 5 6) on u = (1, 10): 1 + 20, 3 + 40, 5 + 60.
    #[test]
    fn a_row_of_the_weights_is_an_output() {
        let (w, u) = (dmatrix![1.0, 2.0; 3.0, 4.0; 5.0, 6.0], dmatrix![1.0, 10.0]);
        assert_eq!(forward(&w, &u), dmatrix![21.0, 43.0, 65.0]);
        let grad = backward(&w, &u, &dmatrix![1.0, 0.0, 2.0]);
        assert_eq!(grad.w, dmatrix![1.0, 10.0; 0.0, 0.0; 2.0, 20.0]);
        assert_eq!(grad.input, dmatrix![11.0, 14.0]);
    }
}
