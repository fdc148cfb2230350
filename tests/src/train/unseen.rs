//! How well a policy does on prompts that training never asks.

use super::{
    metrics::mean,
    rollout::{Use, response, stream},
    task,
};
use reference::transformer::{Transformer, sample};

/// Prompts that an evaluation asks.
pub const ASKED: usize = 1024;

/// The mean score on 1,024 different unseen prompts, one response each, sampled at the training's
/// temperature; no limit but the room that there is.
pub fn evaluate(model: &Transformer, tau: f64, seed: u64) -> f64 {
    let prompts = unseen_prompts(seed);
    let limits = vec![task::T_LEN; ASKED];
    let tokens = |row: usize| stream(seed, usize::MAX, row, Use::Token);
    let responses = sample(model, &prompts, &limits, tau, task::BAR, tokens);
    mean((0..ASKED).map(|row| task::score(&prompts[row], &response(&responses, row))))
}

/// The prompts of an evaluation: drawn from the unseen half until they are 1,024, none twice.
pub fn unseen_prompts(seed: u64) -> Vec<Vec<usize>> {
    let mut rng = stream(seed, usize::MAX, 0, Use::Prompt);
    let mut prompts: Vec<Vec<usize>> = Vec::new();
    while prompts.len() < ASKED {
        let prompt = task::draw(&mut rng, true);
        if !prompts.contains(&prompt) {
            prompts.push(prompt);
        }
    }
    prompts
}
