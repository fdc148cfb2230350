//! Where the parameters start.

use crate::{
    rng::Rng,
    transformer::{Transformer, attention::Weights, block::Block},
    written::number,
};
use nalgebra::DMatrix;

/// What fixes every shape of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Tokens to choose from.
    pub vocab: usize,
    /// The longest prompt.
    pub prompt_len: usize,
    /// The longest response.
    pub t_len: usize,
    /// Width of the hidden state.
    pub d_model: usize,
    /// Attention heads of a block; divides `d_model`.
    pub n_heads: usize,
    /// Width inside the MLP.
    pub d_mlp: usize,
    /// Blocks of the backbone.
    pub n_blocks: usize,
}

impl Transformer {
    /// A fresh model: normal variates drawn in the order of [`Transformer::named`].
    ///
    /// Weights have variance 1/d_in, which keeps a state's size through a layer; gains are 1. The LM head is a
    /// tenth of that, so that every token is about equally likely at first, and the value head is 0: the
    /// critic starts by saying nothing.
    pub fn init(seed: u64, size: Size) -> Transformer {
        let Size { vocab, prompt_len, t_len, d_model, d_mlp, n_blocks, .. } = size;
        let mut rng = Rng::of(&[seed]);
        let mut weights = |d_out: usize, d_in: usize| rng.matrix(d_out, d_in, 1.0 / number(d_in).sqrt());
        let ones = || DMatrix::from_element(1, d_model, 1.0);
        let tokens = weights(vocab, d_model);
        let places = weights(prompt_len + t_len, d_model);
        let mut block = |_| Block {
            gain_attention: ones(),
            attention: Weights {
                w_query: weights(d_model, d_model),
                w_key: weights(d_model, d_model),
                w_content: weights(d_model, d_model),
                w_join: weights(d_model, d_model),
            },
            gain_mlp: ones(),
            w_up: weights(d_mlp, d_model),
            w_down: weights(d_model, d_mlp),
        };
        let blocks = (0..n_blocks).map(&mut block).collect();
        let w_lm = weights(vocab, d_model).map(|w| 0.1 * w);
        let w_v = DMatrix::zeros(1, d_model);
        Transformer { size, tokens, places, blocks, gain: ones(), w_lm, w_v }
    }
}
