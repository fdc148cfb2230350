//! The model on a batch of prompts and responses, as the loop of `iteration.rs` sees it.

use crate::{
    Mask, check,
    iteration::ActorCritic,
    step::Heads,
    transformer::{Trace, Transformer},
    two_heads::TwoHeads,
    value_head::{StateAt, response_states, value_head},
};
use nalgebra::{DMatrix, DVector, RowDVector};

/// A model, and the sequences it is asked about.
#[derive(Debug)]
pub struct On<'a> {
    /// The model; its parameters move with the optimizer.
    pub model: &'a mut Transformer,
    /// b prompts, none empty.
    pub prompts: &'a [Vec<usize>],
    /// b × t_len: the sampled tokens. Those after a row's last valid slot are never read.
    pub actions: &'a DMatrix<usize>,
    /// b × t_len: where logits, values and gradients are wanted. The response's mask; one slot wider for
    /// `ScoreAt::FirstPad`, and full for the listing without a mask.
    pub mask: &'a Mask,
}

impl On<'_> {
    /// b: V after the last token of each row, the bootstrap of a response that was cut off.
    ///
    /// # Panics
    ///
    /// As [`Transformer::states`], if the batch's parts differ in shape, or if a row has neither prompt nor response.
    pub fn v_after(&self) -> DVector<f64> {
        let after = |row: usize| {
            let h = self.trace(row).h;
            let last = response_states(&h, h.nrows(), 1, StateAt::BeforeToken);
            value_head(&self.w_v(), &[last], &Mask::full(1, 1))[0]
        };
        DVector::from_fn(self.prompts.len(), |row, _| after(row))
    }

    fn trace(&self, row: usize) -> Trace {
        check::per_row("transformer", "prompts", self.prompts.len(), self.mask.shape().0);
        check::shapes("transformer", self.mask.shape(), &[("actions", self.actions.shape())]);
        let response: Vec<usize> = (0..self.mask.end(row)).map(|t| self.actions[(row, t)]).collect();
        self.model.states(&self.prompts[row], &response)
    }

    fn traces(&self) -> Vec<Trace> {
        (0..self.prompts.len()).map(|row| self.trace(row)).collect()
    }

    /// The two heads on the state that produced each token.
    fn heads(&self, traces: &[Trace]) -> TwoHeads {
        let of = |(row, trace): (usize, &Trace)| {
            let (d_model, n) = (trace.h.ncols(), self.mask.end(row));
            let h = response_states(&trace.h, self.prompts[row].len(), n, StateAt::BeforeToken);
            h.resize(self.mask.shape().1, d_model, 0.0)
        };
        TwoHeads {
            h: traces.iter().enumerate().map(of).collect(),
            w_lm: self.model.w_lm.clone(),
            w_v: self.w_v(),
            mask: self.mask.clone(),
        }
    }

    fn w_v(&self) -> RowDVector<f64> {
        self.model.w_v.row(0).into_owned()
    }

    /// ∂L/∂h of every position of a row: that of token t belongs to the position before it.
    fn grad_h(&self, row: usize, trace: &Trace, of_tokens: &DMatrix<f64>) -> DMatrix<f64> {
        let first = self.prompts[row].len() - 1;
        let mut grad = trace.h.map(|_| 0.0);
        for t in 0..self.mask.end(row) {
            grad.set_row(first + t, &of_tokens.row(t));
        }
        grad
    }
}

impl ActorCritic for On<'_> {
    fn forward(&self) -> Heads {
        self.heads(&self.traces()).forward()
    }

    /// The gradient of each sequence alone, added in the order of the rows.
    fn backward(&self, grad_logits: &[DMatrix<f64>], grad_v: &DMatrix<f64>) -> Vec<DMatrix<f64>> {
        let traces = self.traces();
        let heads = self.heads(&traces);
        let of_states = heads.hidden_grad(grad_logits, grad_v);
        let [w_lm, w_v] = heads.backward(grad_logits, grad_v).try_into().expect("two heads");
        let nothing: Vec<DMatrix<f64>> = self.model.named().iter().map(|(_, x)| x.map(|_| 0.0)).collect();
        let backbone =
            traces.iter().zip(&of_states).enumerate().fold(nothing, |so_far, (row, (trace, grad))| {
                let of_row = self.model.states_grad(trace, &self.grad_h(row, trace, grad));
                so_far.iter().zip(of_row.named()).map(|(so_far, (_, grad))| so_far + grad).collect()
            });
        Transformer { w_lm, w_v, ..self.model.with(&backbone) }.parameters()
    }

    fn parameters(&self) -> Vec<DMatrix<f64>> {
        self.model.parameters()
    }

    fn set_parameters(&mut self, parameters: Vec<DMatrix<f64>>) {
        *self.model = self.model.with(&parameters);
    }
}
