//! A small language model with two heads, forward and backward, written out layer by layer.
//!
//! ```text
//! h ← E[ids] + P                                  embedding
//! h ← block(h) for each block                     norm, attention, norm, mlp
//! h ← norm(h)
//! z = W_lm h        V = W_v h                     the two heads, on one backbone
//! ```
//!
//! Each layer is a file with `forward` and a `backward` derived by hand; the first returns what the second
//! needs. Outside the grid of terms: the post presupposes a model and prints none but its value head.
//!
//! A sequence is its prompt and its response, and places are counted from where the response begins, so
//! that its first token stands at the same place after a short prompt and a long one.

pub mod attention;
pub mod block;
pub mod embedding;
mod init;
pub mod linear;
pub mod mlp;
pub mod norm;
mod on;
mod sample;

pub use init::Size;
pub use on::On;
pub use sample::{Responses, sample, sample_row};

use attention::Weights;
use block::{Block, Passed};
use nalgebra::DMatrix;

/// The parameters of the model. As a gradient: ∂L by each of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Transformer {
    /// What fixes every shape.
    pub size: Size,
    /// vocab × d_model: E.
    pub tokens: DMatrix<f64>,
    /// (prompt_len + t_len) × d_model: P.
    pub places: DMatrix<f64>,
    /// The layers of the backbone.
    pub blocks: Vec<Block>,
    /// 1 × d_model: the gain of the last norm.
    pub gain: DMatrix<f64>,
    /// vocab × d_model: W_lm.
    pub w_lm: DMatrix<f64>,
    /// 1 × d_model: W_v.
    pub w_v: DMatrix<f64>,
}

/// What [`Transformer::states`] computed of one sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// n_pos: prompt and response, one after the other.
    pub ids: Vec<usize>,
    /// The place of the first of them.
    pub first: usize,
    /// What each block computed.
    pub blocks: Vec<Passed>,
    /// n_pos × d_model: the state that leaves the last block.
    pub last: DMatrix<f64>,
    /// n_pos × d_model: h, its norm, which both heads read.
    pub h: DMatrix<f64>,
}

impl Transformer {
    /// The states of one sequence: of every position of `prompt` and `response`.
    ///
    /// # Panics
    ///
    /// If the prompt is longer than the size's `prompt_len`, the response than its `t_len`, or a token is not
    /// below vocab.
    pub fn states(&self, prompt: &[usize], response: &[usize]) -> Trace {
        let Size { prompt_len, n_heads, .. } = self.size;
        assert!(
            prompt.len() <= prompt_len,
            "transformer: a prompt of {} tokens, `prompt_len` is {prompt_len}",
            prompt.len()
        );
        let (ids, first) = ([prompt, response].concat(), prompt_len - prompt.len());
        let mut last = embedding::forward(&self.tokens, &self.places, &ids, first);
        let mut blocks = Vec::new();
        for block in &self.blocks {
            let passed = block::forward(block, n_heads, &last);
            last = passed.out.clone();
            blocks.push(passed);
        }
        let h = norm::forward(&self.gain, &last);
        Trace { ids, first, blocks, last, h }
    }

    /// From ∂L/∂h of one sequence, n_pos × d_model, to the parameters of the backbone; those of the heads get +0.
    ///
    /// # Panics
    ///
    /// If `grad_h` has not the shape of h.
    pub fn states_grad(&self, trace: &Trace, grad_h: &DMatrix<f64>) -> Transformer {
        let norm = norm::backward(&self.gain, &trace.last, grad_h);
        let mut grad = norm.input;
        let mut blocks = Vec::new();
        for (block, passed) in self.blocks.iter().zip(&trace.blocks).rev() {
            let (of_block, of_input) = block::backward(block, self.size.n_heads, passed, &grad);
            blocks.push(of_block);
            grad = of_input;
        }
        blocks.reverse();
        let rows = (self.tokens.nrows(), self.places.nrows());
        let embedding = embedding::backward(rows, &trace.ids, trace.first, &grad);
        Transformer {
            size: self.size,
            tokens: embedding.tokens,
            places: embedding.places,
            blocks,
            gain: norm.gain,
            w_lm: self.w_lm.map(|_| 0.0),
            w_v: self.w_v.map(|_| 0.0),
        }
    }

    /// The parameters by name, in the one order of names, gradients and optimizer states.
    pub fn named(&self) -> Vec<(String, &DMatrix<f64>)> {
        let mut all = vec![("tokens".to_string(), &self.tokens), ("places".to_string(), &self.places)];
        for (k, block) in self.blocks.iter().enumerate() {
            let Weights { w_query, w_key, w_content, w_join } = &block.attention;
            all.extend([
                (format!("block{k}.gain_attention"), &block.gain_attention),
                (format!("block{k}.w_query"), w_query),
                (format!("block{k}.w_key"), w_key),
                (format!("block{k}.w_content"), w_content),
                (format!("block{k}.w_join"), w_join),
                (format!("block{k}.gain_mlp"), &block.gain_mlp),
                (format!("block{k}.w_up"), &block.w_up),
                (format!("block{k}.w_down"), &block.w_down),
            ]);
        }
        let heads = [("gain", &self.gain), ("w_lm", &self.w_lm), ("w_v", &self.w_v)];
        all.extend(heads.map(|(name, theta)| (name.to_string(), theta)));
        all
    }

    /// The parameters in the order of [`Transformer::named`].
    pub fn parameters(&self) -> Vec<DMatrix<f64>> {
        self.named().into_iter().map(|(_, theta)| theta.clone()).collect()
    }

    /// The model with these parameters, in the order of [`Transformer::named`].
    ///
    /// # Panics
    ///
    /// If their number or a shape is not the model's.
    pub fn with(&self, parameters: &[DMatrix<f64>]) -> Transformer {
        let named = self.named();
        let (got, want) = (parameters.len(), named.len());
        assert!(got == want, "transformer: {got} parameters where the model has {want}");
        for ((name, theta), new) in named.iter().zip(parameters) {
            crate::check::same_shape("transformer", name, new.shape(), "the model's", theta.shape());
        }
        let mut next = parameters.iter().cloned();
        let mut take = || next.next().expect("as many as counted");
        Transformer {
            size: self.size,
            tokens: take(),
            places: take(),
            blocks: self.blocks.iter().map(|_| block_of(&mut take)).collect(),
            gain: take(),
            w_lm: take(),
            w_v: take(),
        }
    }
}

/// A block from its parameters in the order of [`Transformer::named`].
fn block_of(take: &mut impl FnMut() -> DMatrix<f64>) -> Block {
    Block {
        gain_attention: take(),
        attention: Weights { w_query: take(), w_key: take(), w_content: take(), w_join: take() },
        gain_mlp: take(),
        w_up: take(),
        w_down: take(),
    }
}
