//! One iteration, line for line that of `reference/src/step.rs`, in these kernels; in `cuda.rs` of arrays that stay on a device.

#[cfg(test)]
mod cases;
#[cfg(kernels)]
pub(crate) mod cuda;
mod rollout;
#[cfg(test)]
mod spec;
#[cfg(test)]
mod tests;

pub use rollout::{Rolled, Rollout, Room, rollout_phase};

use crate::{
    Backend, Error, Grad, KlOut, Logit, Logits, LogitsMut, Mask, PolicyLoss, PolicyOut, Put, Settings,
    TokenStats, ValueLoss, ValueOut, aggregate, aggregate_grad, kl_loss, policy_loss, token_pass_grad,
    total_loss, value_loss,
};

/// What the inner epochs aim at, frozen for all of them: from [`rollout_phase`], or a caller's own. Arrays are in
/// the masks' layout.
#[derive(Debug, Clone, Copy)]
pub struct Targets<'a> {
    /// The mask of policy loss and entropy, after the listing's departures.
    pub mask: Mask<'a>,
    /// The mask of the value loss: one slot wider where the score is paid at the first pad.
    pub value_mask: Mask<'a>,
    /// log π_old of the sampled tokens.
    pub logp_old: &'a [f32],
    /// log π_ref of the same tokens, if there is a reference model.
    pub logp_ref: Option<&'a [f32]>,
    /// V_old.
    pub v_old: &'a [f32],
    /// Â, whitened or not.
    pub adv: &'a [f32],
    /// R.
    pub ret: &'a [f32],
    /// Importance weights on the policy loss of each token.
    pub weights: Option<&'a [f32]>,
}

/// What the policy and the critic say now, in an inner epoch; in the masks' layout.
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// log π of the sampled tokens.
    pub logp: &'a [f32],
    /// H.
    pub ent: &'a [f32],
    /// V.
    pub v: &'a [f32],
}

/// The gradient of the total in what the model says: room that every epoch uses again.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// ∂L_total/∂log π, through the policy loss and the KL loss.
    pub logp: Vec<f32>,
    /// ∂L_total/∂H.
    pub ent: Vec<f32>,
    /// ∂L_total/∂V.
    pub v: Vec<f32>,
}

impl Gradients {
    /// Room for every slot of a mask.
    pub fn new(mask: &Mask<'_>) -> Gradients {
        let room = || vec![0.0; mask.valid().len()];
        Gradients { logp: room(), ent: room(), v: room() }
    }
}

/// The losses of one inner epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Losses {
    /// `eq:policy-loss` and what is logged beside it.
    pub policy: PolicyLoss,
    /// `eq:value-loss`.
    pub value: ValueLoss,
    /// H aggregated, nats.
    pub ent: f32,
    /// `eq:kl-loss`, if there is a reference model.
    pub l_kl: Option<f32>,
    /// `eq:total-loss`.
    pub total: f32,
}

/// One inner epoch: the three losses, their total, and its gradient in what the model says.
///
/// # Errors
///
/// As the terms it calls.
pub fn losses(
    on: Backend,
    targets: &Targets<'_>,
    now: &Now<'_>,
    settings: &Settings,
    grads: &mut Gradients,
) -> Result<Losses, Error> {
    let s = settings.as_listed();
    let Targets { mask, value_mask, logp_old, logp_ref, v_old, adv, ret, weights } = targets;
    let c = s.coefficients;

    // eq:ratio, eq:policy-loss
    let grad = Some(Grad { c: 1.0, to: &mut grads.logp });
    let out = PolicyOut { grad, ..PolicyOut::default() };
    let policy = policy_loss(on, now.logp, logp_old, adv, mask, *weights, &s.clip, s.agg, out)?;
    // eq:value-clip, eq:value-loss
    let grad = unless_off(c.c_v, &mut grads.v);
    let out = ValueOut { grad, ..ValueOut::default() };
    let value = value_loss(on, now.v, v_old, ret, value_mask, s.eps_v, s.value_clip, s.agg, s.half, out)?;
    // eq:entropy, its mean
    let ent = aggregate(on, now.ent, mask, s.agg)?;
    aggregate_grad(mask, s.agg, -c.c_h, &mut grads.ent)?;
    // eq:kl-loss: its gradient on top of the policy's
    let l_kl = match logp_ref {
        Some(logp_ref) => {
            let on_top = is_on(c.beta_loss).then_some(Grad { c: c.beta_loss, to: &mut grads.logp });
            let out = KlOut { grad: on_top, put: Put::Add };
            Some(kl_loss(on, now.logp, logp_ref, mask, s.kl_loss, s.kl_loss_grad, s.agg, out)?)
        }
        None => None,
    };
    // eq:total-loss
    let total = total_loss(policy.loss, value.loss, ent, l_kl.unwrap_or(0.0), c);
    Ok(Losses { policy, value, ent, l_kl, total })
}

/// Whether a coefficient is not 0 in f32.
fn is_on(c: f64) -> bool {
    c as f32 != 0.0
}

/// Room for c times a gradient; where c is 0 the term is no operand and its gradient +0.
fn unless_off(c: f64, to: &mut [f32]) -> Option<Grad<'_>> {
    if !is_on(c) {
        to.fill(0.0);
        return None;
    }
    Some(Grad { c, to })
}

/// ∂L_total/∂z: through log π and through H, from what [`losses`] left in `grads`. `stats` is what
/// [`crate::token_pass`] said of the same logits at `settings.tau` and `settings.tau_ent`.
///
/// # Errors
///
/// As [`token_pass_grad`].
#[expect(
    clippy::too_many_arguments,
    reason = "the logits, what was said of them, and where the gradient goes"
)]
pub fn logits_grad<X: Logit>(
    on: Backend,
    logits: Logits<'_, X>,
    actions: &[u32],
    targets: &Targets<'_>,
    stats: TokenStats<'_>,
    grads: &Gradients,
    settings: &Settings,
    to: LogitsMut<'_, X>,
) -> Result<(), Error> {
    let (tau, tau_ent) = (settings.tau, settings.tau_ent);
    token_pass_grad(on, logits, actions, &targets.mask, tau, tau_ent, stats, &grads.logp, &grads.ent, to)
}
