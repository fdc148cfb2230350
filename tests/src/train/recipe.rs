//! What a run is made with.

use crate::train::task;
use reference::{
    Coefficients, Settings,
    adam::AdamSettings,
    iteration::{Inner, NormClip},
    transformer::Size,
};

/// Who computes losses, gradients, GAE and whitening. The model and its optimizer are the reference's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// The reference, in f64.
    Reference,
    /// The optimized crate, in f32: the same bits on every backend.
    Fast,
}

/// Everything that a run does not change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// The model's shapes.
    pub size: Size,
    /// The step's choices.
    pub settings: Settings,
    /// The inner loop.
    pub inner: Inner,
    /// Who computes the step.
    pub arithmetic: Arithmetic,
    /// Sequences of a batch.
    pub b: usize,
    /// Iterations of the run.
    pub iterations: usize,
}

impl Default for Recipe {
    fn default() -> Recipe {
        let (vocab, prompt_len, t_len) = (task::VOCAB, task::PROMPT_LEN, task::T_LEN);
        Recipe {
            size: Size { vocab, prompt_len, t_len, d_model: 32, n_heads: 4, d_mlp: 64, n_blocks: 1 },
            settings: Settings {
                coefficients: Coefficients { c_v: 0.5, c_h: 0.03, beta_loss: 0.0 },
                ..Settings::default()
            },
            inner: Inner {
                epochs: 4,
                max_norm: 1.0,
                norm_clip: NormClip::Joint,
                adam: AdamSettings { lr: 3e-3, beta1: 0.9, beta2: 0.999, eps_adam: 1e-8, weight_decay: 0.0 },
            },
            arithmetic: Arithmetic::Reference,
            b: 128,
            iterations: 150,
        }
    }
}

impl Recipe {
    /// Whether a term asks for log π_ref. The reference model is the policy before the first iteration.
    pub fn has_reference_model(&self) -> bool {
        self.settings.beta_kl != 0.0 || self.settings.coefficients.beta_loss != 0.0
    }
}
