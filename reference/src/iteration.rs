//! The whole listing, with a model under it: rollout phase, inner epochs, optimizer.
//!
//! `step.rs` ends at what the model says; here the gradient goes on into its parameters.

use crate::{
    Ends, Mask, Settings,
    adam::{AdamSettings, AdamState, adam},
    grad_norm::{clip_grad_norm, grad_norm},
    step::{Heads, Losses, Now, Rollout, Targets, listed_mask, logits_grad, losses, rollout_phase, say},
};
use nalgebra::DMatrix;

/// A model with two heads, as the loop sees it.
pub trait ActorCritic {
    /// logits, values = policy(prompts, completions).
    fn forward(&self) -> Heads;
    /// From ∂L/∂logits and ∂L/∂V to one gradient per parameter, in the order of `parameters`.
    fn backward(&self, grad_logits: &[DMatrix<f64>], grad_v: &DMatrix<f64>) -> Vec<DMatrix<f64>>;
    /// Its parameters.
    fn parameters(&self) -> Vec<DMatrix<f64>>;
    /// Puts new parameters in their place.
    fn set_parameters(&mut self, parameters: Vec<DMatrix<f64>>);
}

/// Completions as they come from generation and scoring. Matrices are b × t_len.
#[derive(Debug, Clone)]
pub struct Batch {
    /// m: where a response token is.
    pub mask: Mask,
    /// The sampled token ids.
    pub actions: DMatrix<usize>,
    /// b × 1: the reward model's score.
    pub scores: DMatrix<f64>,
    /// log π_ref, if there is a reference model.
    pub logp_ref: Option<DMatrix<f64>>,
    /// V after the last token.
    pub ends: Ends,
}

/// Whose norm is bounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NormClip {
    /// One joint norm of the whole gradient: the post. A large value gradient shrinks the policy's step.
    Joint,
    /// The gradient of the value term has its own norm, and all the rest has its own: what trainers with a
    /// separate critic do, here on one backbone. Their clipped gradients are added.
    Separate,
}

/// The loop around the losses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Inner {
    /// K inner epochs on the same rollout batch.
    pub epochs: usize,
    /// The bound on the gradient norm; ∞ is off.
    pub max_norm: f64,
    /// Whose norm that is.
    pub norm_clip: NormClip,
    /// The optimizer.
    pub adam: AdamSettings,
}

/// One inner epoch, with everything it computed.
#[derive(Debug, Clone)]
pub struct Epoch {
    /// What the model said.
    pub now: Now,
    /// The losses and their gradient in it.
    pub losses: Losses,
    /// ∂L_total/∂θ of each parameter, before the clip.
    pub grads: Vec<DMatrix<f64>>,
    /// Their joint norm, before the clip.
    pub grad_norm: f64,
    /// ∂L_total/∂θ of each parameter, after the clip: what the optimizer gets.
    pub clipped: Vec<DMatrix<f64>>,
    /// The parameters after the step.
    pub parameters: Vec<DMatrix<f64>>,
}

/// One PPO iteration: freeze the rollout, then K times losses, backward, clip, step.
///
/// Gives the rollout, its targets and every epoch; the model is left with the last parameters.
///
/// Source: Roy, "The Full PPO Training Step", § One iteration, in code.
///
/// # Panics
///
/// If there is not one `optimizer` state per parameter, or as the terms it calls.
// ANCHOR: iteration
pub fn iteration(
    model: &mut impl ActorCritic,
    optimizer: &mut [AdamState],
    batch: &Batch,
    settings: &Settings,
    inner: &Inner,
) -> (Rollout, Targets, Vec<Epoch>) {
    // 1. Rollout phase (no grad)
    let slots = listed_mask(&batch.mask, settings);
    let old = say(&model.forward(), &batch.actions, &slots, settings);
    let rollout = Rollout {
        mask: batch.mask.clone(),
        attended: None,
        scores: batch.scores.clone(),
        logp_old: old.logp,
        logp_ref: batch.logp_ref.clone(),
        v_old: old.v,
        ends: batch.ends.clone(),
        weights: None,
    };
    let targets = rollout_phase(&rollout, settings);

    // 2. Inner epochs (grad flows)
    let mut epochs = Vec::new();
    for _ in 0..inner.epochs {
        // logits, values = policy(prompts, completions)
        let heads = model.forward();
        let now = say(&heads, &batch.actions, &targets.mask, settings);
        let losses = losses(&rollout, &targets, &now, settings);
        let grad_logits = logits_grad(&heads.logits, &batch.actions, &targets, &losses, settings);
        let Update { grads, grad_norm, clipped, parameters } =
            update(model, optimizer, &grad_logits, &losses.grad_v, inner);
        epochs.push(Epoch { now, losses, grads, grad_norm, clipped, parameters });
    }
    (rollout, targets, epochs)
}
// ANCHOR_END: iteration

/// What the end of an inner epoch does to a model.
#[derive(Debug, Clone)]
pub struct Update {
    /// ∂L_total/∂θ of each parameter, before the clip.
    pub grads: Vec<DMatrix<f64>>,
    /// Their joint norm, before the clip.
    pub grad_norm: f64,
    /// ∂L_total/∂θ of each parameter, after the clip.
    pub clipped: Vec<DMatrix<f64>>,
    /// The parameters after the step, which the model now has.
    pub parameters: Vec<DMatrix<f64>>,
}

/// The end of an inner epoch: from the gradient in what the model says to its new parameters.
///
/// # Panics
///
/// If there is not one `optimizer` state per parameter, or as the terms it calls.
pub fn update(
    model: &mut impl ActorCritic,
    optimizer: &mut [AdamState],
    grad_logits: &[DMatrix<f64>],
    grad_v: &DMatrix<f64>,
    inner: &Inner,
) -> Update {
    // loss.backward()
    let grads = model.backward(grad_logits, grad_v);
    // torch.nn.utils.clip_grad_norm_(policy.parameters(), 1.0)
    let clipped = match inner.norm_clip {
        NormClip::Joint => clip_grad_norm(&grads, inner.max_norm).0,
        NormClip::Separate => clip_separately(model, grad_logits, grad_v, inner.max_norm),
    };
    // optimizer.step()
    let mut parameters = model.parameters();
    let (states, n) = (optimizer.len(), parameters.len());
    assert!(states == n, "update: `optimizer` has {states} states for {n} parameters");
    for ((theta, grad), state) in parameters.iter_mut().zip(&clipped).zip(optimizer) {
        (*theta, *state) = adam(theta, grad, state, &inner.adam);
    }
    model.set_parameters(parameters.clone());
    Update { grad_norm: grad_norm(&grads), grads, clipped, parameters }
}

/// The gradient through the logits and the gradient through the values, each clipped alone, then added.
// ANCHOR: clip_separately
fn clip_separately(
    model: &impl ActorCritic,
    grad_logits: &[DMatrix<f64>],
    grad_v: &DMatrix<f64>,
    max_norm: f64,
) -> Vec<DMatrix<f64>> {
    let no_logits: Vec<DMatrix<f64>> = grad_logits.iter().map(|grad| grad.map(|_| 0.0)).collect();
    let (of_policy, _) = clip_grad_norm(&model.backward(grad_logits, &grad_v.map(|_| 0.0)), max_norm);
    let (of_value, _) = clip_grad_norm(&model.backward(&no_logits, grad_v), max_norm);
    of_policy.iter().zip(&of_value).map(|(policy, value)| policy + value).collect()
}
// ANCHOR_END: clip_separately
