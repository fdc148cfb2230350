//! The smallest actor-critic: two linear heads on given hidden states.
//!
//! Outside the grid of terms: it is what the loop of `iteration.rs` runs on where a transformer would only
//! hide the step.

use crate::{
    Mask,
    iteration::ActorCritic,
    step::Heads,
    value_head::{value_head, value_head_grad},
    written::sum,
};
use nalgebra::{DMatrix, RowDVector};

/// z = W_lm h and V = W_v h over fixed hidden states.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoHeads {
    /// b of t_len × d_model: the states that produced each token.
    pub h: Vec<DMatrix<f64>>,
    /// vocab × d_model.
    pub w_lm: DMatrix<f64>,
    /// 1 × d_model.
    pub w_v: RowDVector<f64>,
    /// b × t_len: where values and gradients are wanted. The response's mask; one slot wider for
    /// `ScoreAt::FirstPad`, and full for the listing without a mask.
    pub mask: Mask,
}

impl TwoHeads {
    /// ∂L/∂h of each state, b of t_len × d_model: the sum of what the two heads ask of it.
    // ANCHOR: hidden_grad
    pub fn hidden_grad(&self, grad_logits: &[DMatrix<f64>], grad_v: &DMatrix<f64>) -> Vec<DMatrix<f64>> {
        let from_value = value_head_grad(grad_v, &self.w_v, &self.h, &self.mask).h;
        let vocab = self.w_lm.nrows();
        let through_lm = |row: usize, t: usize, d: usize| {
            sum((0..vocab).map(|v| grad_logits[row][(t, v)] * self.w_lm[(v, d)]))
        };
        let add = |(row, from_value): (usize, DMatrix<f64>)| {
            DMatrix::from_fn(from_value.nrows(), from_value.ncols(), |t, d| {
                if self.mask.has((row, t)) { from_value[(t, d)] + through_lm(row, t, d) } else { 0.0 }
            })
        };
        from_value.into_iter().enumerate().map(add).collect()
    }
    // ANCHOR_END: hidden_grad
}

impl ActorCritic for TwoHeads {
    fn forward(&self) -> Heads {
        let (vocab, d_model) = self.w_lm.shape();
        let logits =
            |h: &DMatrix<f64>| {
                DMatrix::from_fn(h.nrows(), vocab, |t, v| {
                    sum((0..d_model).map(|d| self.w_lm[(v, d)] * h[(t, d)]))
                })
            };
        let v = value_head(&self.w_v, &self.h, &self.mask);
        Heads { logits: self.h.iter().map(logits).collect(), v }
    }

    fn backward(&self, grad_logits: &[DMatrix<f64>], grad_v: &DMatrix<f64>) -> Vec<DMatrix<f64>> {
        let (vocab, d_model) = self.w_lm.shape();
        let b = self.h.len();
        let tokens = || (0..b).flat_map(|row| self.mask.tokens_of(row).into_iter().map(move |t| (row, t)));
        let w_lm = DMatrix::from_fn(vocab, d_model, |v, d| {
            sum(tokens().map(|(row, t)| grad_logits[row][(t, v)] * self.h[row][(t, d)]))
        });
        let w_v = value_head_grad(grad_v, &self.w_v, &self.h, &self.mask).w_v;
        vec![w_lm, DMatrix::from_row_slice(1, d_model, w_v.as_slice())]
    }

    fn parameters(&self) -> Vec<DMatrix<f64>> {
        vec![self.w_lm.clone(), DMatrix::from_row_slice(1, self.w_v.len(), self.w_v.as_slice())]
    }

    fn set_parameters(&mut self, parameters: Vec<DMatrix<f64>>) {
        let [w_lm, w_v] = parameters.try_into().expect("two_heads: two parameters, W_lm and W_v");
        self.w_lm = w_lm;
        self.w_v = w_v.row(0).into_owned();
    }
}
