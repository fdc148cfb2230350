//! The step of arrays that stay on a device: the terms of [`crate::cuda`] in the order of `step.rs`, asked of a stream.

mod batches;
mod losses;
mod rollout;
#[cfg(test)]
mod tests;

pub use batches::{Batches, Slots};
pub use losses::{FIGURES, Gradients, Now, Targets, losses};
pub use rollout::{Rolled, Rollout, rollout_phase};

use crate::{
    Error, Logit,
    cuda::{
        Logits, LogitsMut, Stream, TokenOut, TokenStats, View, ViewMut, token_pass, token_pass_grad,
        token_pass_grad_in_place,
    },
};

/// What the model says of every slot now, in an inner epoch; in the mask's layout.
#[derive(Debug)]
pub struct Heads<'a, X> {
    /// The logits, and where their gradient goes.
    pub logits: LogitsTo<'a, X>,
    /// The sampled tokens.
    pub actions: View<'a, u32>,
    /// V.
    pub v: View<'a, f32>,
}

/// Logits, and where ∂L_total/∂z goes.
#[derive(Debug)]
pub enum LogitsTo<'a, X> {
    /// Logits, and room of the same vocabulary.
    Apart(Logits<'a, X>, LogitsMut<'a, X>),
    /// Logits that their gradient replaces.
    InPlace(LogitsMut<'a, X>),
}

/// Room for what an inner epoch makes beside the gradient of the logits; in the mask's layout. What is not asked for lies in the
/// scratch meanwhile.
#[derive(Debug)]
pub struct Epoch<'a> {
    /// log π of the sampled tokens.
    pub logp: Option<ViewMut<'a, f32>>,
    /// H.
    pub ent: Option<ViewMut<'a, f32>>,
    /// ∂L_total/∂log π, through the policy loss and the KL loss.
    pub grad_logp: Option<ViewMut<'a, f32>>,
    /// ∂L_total/∂H.
    pub grad_ent: Option<ViewMut<'a, f32>>,
    /// ∂L_total/∂V.
    pub grad_v: ViewMut<'a, f32>,
    /// [`FIGURES`] numbers, as [`losses`] says.
    pub figures: ViewMut<'a, f32>,
}

/// One PPO training step: [`rollout_phase`] and one [`inner_epoch`] on what it made. The bits of [`crate::step`], in one call that
/// only asks the stream for kernels: it allocates, copies and waits for nothing, so that it can be recorded.
///
/// # Errors
///
/// As the two. What comes before the term that refuses has then been asked for.
pub fn step<X: Logit>(
    on: &Stream,
    batches: &Batches<'_>,
    rollout: &Rollout<'_>,
    heads: Heads<'_, X>,
    rolled: &mut Rolled<'_>,
    epoch: &mut Epoch<'_>,
    mut scratch: ViewMut<'_, f32>,
) -> Result<(), Error> {
    rollout_phase(on, batches, rollout, rolled, scratch.lend())?;
    inner_epoch(on, batches, &rolled.targets(rollout), heads, epoch, scratch)
}

/// One inner epoch: log π and H of the logits, the losses, and the gradient of their total in logits and values.
///
/// # Errors
///
/// As the terms it calls; if `scratch` is shorter than [`Batches::scratch_len`].
pub fn inner_epoch<X: Logit>(
    on: &Stream,
    batches: &Batches<'_>,
    targets: &Targets<'_>,
    heads: Heads<'_, X>,
    epoch: &mut Epoch<'_>,
    scratch: ViewMut<'_, f32>,
) -> Result<(), Error> {
    let (mask, s) = (batches.policy(), batches.settings());
    let (scratch, rooms) = batches.rooms("cuda::step::inner_epoch", on, scratch)?;
    let [logp, ent, mut max, mut ln_sum, grad_logp, grad_ent, mut max_ent, mut ln_sum_ent] = rooms;
    let Epoch { grad_v, figures, .. } = epoch;
    let mut logp = asked_or(&mut epoch.logp, logp);
    let mut ent = asked_or(&mut epoch.ent, ent);
    let Heads { logits, actions, v } = heads;

    // eq:log-prob, eq:entropy
    let of_ent = s.tau as f32 != s.tau_ent as f32;
    let out = TokenOut {
        logp: Some(logp.lend()),
        ent: Some(ent.lend()),
        max: Some(max.lend()),
        ln_sum: Some(ln_sum.lend()),
        max_ent: of_ent.then_some(max_ent.lend()),
        ln_sum_ent: of_ent.then_some(ln_sum_ent.lend()),
    };
    let read = match &logits {
        LogitsTo::Apart(logits, _) => *logits,
        LogitsTo::InPlace(place) => place.logits(),
    };
    token_pass(on, read, actions, mask, s.tau, s.tau_ent, out)?;

    let (logp, ent) = (logp.view(), ent.view());
    let mut grads = Gradients {
        logp: asked_or(&mut epoch.grad_logp, grad_logp),
        ent: asked_or(&mut epoch.grad_ent, grad_ent),
        v: grad_v.lend(),
    };
    losses(on, batches, targets, &Now { logp, ent, v }, &mut grads, figures.lend(), scratch)?;

    // eq:total-loss, back to the logits
    let of_ent = of_ent.then_some((max_ent.view(), ln_sum_ent.view()));
    let stats = TokenStats { ent, max: max.view(), ln_sum: ln_sum.view(), of_ent };
    let (tau, tau_ent, g_logp, g_ent) = (s.tau, s.tau_ent, grads.logp.view(), grads.ent.view());
    match logits {
        LogitsTo::Apart(logits, to) => {
            token_pass_grad(on, logits, actions, mask, tau, tau_ent, stats, g_logp, g_ent, to)
        }
        LogitsTo::InPlace(place) => {
            token_pass_grad_in_place(on, place, actions, mask, tau, tau_ent, stats, g_logp, g_ent)
        }
    }
}

/// The caller's room, where it is given; else what stands in for it.
fn asked_or<'a>(asked: &'a mut Option<ViewMut<'_, f32>>, room: ViewMut<'a, f32>) -> ViewMut<'a, f32> {
    match asked {
        Some(asked) => asked.lend(),
        None => room,
    }
}
