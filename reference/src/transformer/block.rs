//! One layer of the backbone: attention, then an MLP, each on the norm of the state and added to it.

use crate::transformer::{
    attention::{self, Attention, Weights},
    mlp::{self, Mlp},
    norm,
};
use nalgebra::DMatrix;

/// The parameters of one block. As a gradient: ∂L by each of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Block {
    /// 1 × d_model: the gain of the norm before attention.
    pub gain_attention: DMatrix<f64>,
    /// Attention's four matrices.
    pub attention: Weights,
    /// 1 × d_model: the gain of the norm before the MLP.
    pub gain_mlp: DMatrix<f64>,
    /// d_mlp × d_model: W_up.
    pub w_up: DMatrix<f64>,
    /// d_model × d_mlp: W_down.
    pub w_down: DMatrix<f64>,
}

/// What [`forward`] computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Passed {
    /// n_pos × d_model: u, the state that came in.
    pub input: DMatrix<f64>,
    /// n_pos × d_model: its norm.
    pub normed: DMatrix<f64>,
    /// What attention made of it.
    pub attention: Attention,
    /// n_pos × d_model: u plus attention.
    pub middle: DMatrix<f64>,
    /// n_pos × d_model: the norm of that.
    pub normed_middle: DMatrix<f64>,
    /// What the MLP made of it.
    pub mlp: Mlp,
    /// n_pos × d_model: o, the middle plus the MLP.
    pub out: DMatrix<f64>,
}

/// One block on the states of one sequence, n_pos × d_model.
///
/// ```text
/// middle = u + attention(norm(u))                      o = middle + mlp(norm(middle))
/// ```
///
/// # Panics
///
/// As its layers.
pub fn forward(block: &Block, n_heads: usize, input: &DMatrix<f64>) -> Passed {
    let normed = norm::forward(&block.gain_attention, input);
    let attention = attention::forward(&block.attention, n_heads, &normed);
    let middle = input + &attention.out;
    let normed_middle = norm::forward(&block.gain_mlp, &middle);
    let mlp = mlp::forward(&block.w_up, &block.w_down, &normed_middle);
    let out = &middle + &mlp.out;
    Passed { input: input.clone(), normed, attention, middle, normed_middle, mlp, out }
}

/// From ∂L/∂o, n_pos × d_model, to the parameters and ∂L/∂u; `passed` is what [`forward`] gave.
///
/// ```text
/// ∂L/∂middle = ∂L/∂o + what norm and MLP send back     ∂L/∂u = ∂L/∂middle + what norm and attention do
/// ```
///
/// # Panics
///
/// As its layers.
pub fn backward(
    block: &Block,
    n_heads: usize,
    passed: &Passed,
    grad_out: &DMatrix<f64>,
) -> (Block, DMatrix<f64>) {
    let Passed { input, normed, attention, middle, normed_middle, mlp, .. } = passed;
    let mlp = mlp::backward(&block.w_up, &block.w_down, normed_middle, mlp, grad_out);
    let norm_mlp = norm::backward(&block.gain_mlp, middle, &mlp.input);
    let grad_middle = grad_out + norm_mlp.input;
    let attention = attention::backward(&block.attention, n_heads, normed, attention, &grad_middle);
    let norm_attention = norm::backward(&block.gain_attention, input, &attention.input);
    let grad = Block {
        gain_attention: norm_attention.gain,
        attention: attention.w,
        gain_mlp: norm_mlp.gain,
        w_up: mlp.w_up,
        w_down: mlp.w_down,
    };
    (grad, grad_middle + norm_attention.input)
}
