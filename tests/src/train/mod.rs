//! A policy that learns the task of [`task`] by the reference's iteration alone.

mod checkpoint;
pub mod claims;
mod dump;
mod durable;
mod folder;
mod keys;
mod line;
mod metrics;
mod plan;
mod recipe;
mod rollout;
pub mod task;
#[cfg(test)]
mod tests;
mod unseen;

pub use checkpoint::{CHECKPOINT, read as read_checkpoint};
pub use dump::{evaluation, write as write_dump};
pub use folder::{Folder, METRICS};
pub use keys::{KEYS, Key, NOT_IN_TRAINING, default_of};
pub use line::line;
pub use metrics::Metrics;
pub use plan::Plan;
pub use recipe::{Arithmetic, Recipe};
pub use unseen::{ASKED, evaluate, unseen_prompts};

use crate::{
    dump::BadInput,
    engine::{Engine, step},
};
use metrics::metrics;
use optimized::Backend;
use reference::{
    Mask,
    adam::AdamState,
    iteration::{Epoch, iteration},
    step::{Rollout, Targets},
    transformer::{On, Responses, Transformer},
};
use rollout::{read_slots, rollout, scored};

/// All that a run is at one moment: with its recipe it goes on from here to the same last bit.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// What every random number of the run derives from.
    pub seed: u64,
    /// Iterations done.
    pub iteration: usize,
    /// The model.
    pub model: Transformer,
    /// What the optimizer remembers, in the order of [`Transformer::named`].
    pub optimizer: Vec<AdamState>,
    /// `eq:cost` of all iterations so far, FLOPs.
    pub flops: f64,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Trainer {
    /// What does not change.
    pub recipe: Recipe,
    /// What does.
    pub state: State,
    /// Where the fast arithmetic runs; no bit depends on it.
    pub backend: Backend,
}

impl Trainer {
    /// Before the first iteration.
    pub fn new(recipe: Recipe, seed: u64) -> Trainer {
        let model = Transformer::init(seed, recipe.size);
        let optimizer = model.named().iter().map(|(_, theta)| AdamState::new(theta.shape())).collect();
        let state = State { seed, iteration: 0, model, optimizer, flops: 0.0 };
        Trainer { recipe, state, backend: Backend::best() }
    }

    /// One iteration of the listing: prompts, completions, scores, values; then the inner epochs.
    ///
    /// # Errors
    ///
    /// What the fast arithmetic refuses: a setting or a number that f32 cannot hold.
    pub fn iterate(&mut self) -> Result<Metrics, BadInput> {
        Ok(self.iterate_whole()?.metrics)
    }

    /// The same, with everything that it computed.
    ///
    /// # Errors
    ///
    /// As [`Trainer::iterate`].
    pub fn iterate_whole(&mut self) -> Result<Iterated, BadInput> {
        let Trainer { recipe, state, backend } = self;
        let before = state.model.clone();
        let (prompts, responses) = rollout(recipe, state);
        let slots = read_slots(&responses.mask, &recipe.settings);
        let batch = scored(&prompts, &responses, &slots, recipe, state);
        let mut on =
            On { model: &mut state.model, prompts: &prompts, actions: &responses.actions, mask: &slots };
        let (optimizer, settings, inner) = (&mut state.optimizer, &recipe.settings, &recipe.inner);
        let ran = match recipe.arithmetic {
            Arithmetic::Reference => iteration(&mut on, optimizer, &batch, settings, inner),
            Arithmetic::Fast => {
                step::iteration(Engine::Fast(*backend), &mut on, optimizer, &batch, settings, inner)?
            }
        };
        state.iteration += 1;
        let metrics = metrics(recipe, state, &prompts, &responses, &batch, &ran);
        state.flops = metrics.flops_so_far;
        let (rollout, targets, epochs) = ran;
        Ok(Iterated { metrics, before, prompts, responses, slots, rollout, targets, epochs })
    }
}

/// One iteration as it was.
#[derive(Debug, Clone)]
pub struct Iterated {
    /// What is logged of it.
    pub metrics: Metrics,
    /// The model that made the rollout.
    pub before: Transformer,
    /// b prompts.
    pub prompts: Vec<Vec<usize>>,
    /// What it answered.
    pub responses: Responses,
    /// b × t_len: the slots that any term reads.
    pub slots: Mask,
    /// What the rollout phase left behind.
    pub rollout: Rollout,
    /// What the inner epochs aimed at.
    pub targets: Targets,
    /// Every inner epoch.
    pub epochs: Vec<Epoch>,
}
