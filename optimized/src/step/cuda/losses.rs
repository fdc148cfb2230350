//! The losses of an inner epoch of arrays on a device, line for line those of `step.rs`.

use super::Batches;
use crate::{
    Error, Put,
    cuda::{
        Grad, KlOut, PolicyOut, Stream, ValueOut, View, ViewMut, aggregate, aggregate_grad, kl_loss,
        policy_loss, total_loss, value_loss,
    },
    step::is_on,
};

/// What the inner epochs aim at, on a device, as [`crate::step::Targets`]: of a rollout by [`Rolled::targets`](super::Rolled), or
/// a caller's own.
#[derive(Debug, Clone, Copy)]
pub struct Targets<'a> {
    /// log π_old of the sampled tokens.
    pub logp_old: View<'a, f32>,
    /// log π_ref of the same tokens, if there is a reference model.
    pub logp_ref: Option<View<'a, f32>>,
    /// V_old.
    pub v_old: View<'a, f32>,
    /// Â, whitened or not.
    pub adv: View<'a, f32>,
    /// R.
    pub ret: View<'a, f32>,
    /// Importance weights on the policy loss of each token.
    pub weights: Option<View<'a, f32>>,
}

/// What the policy and the critic say now, on a device, as [`crate::step::Now`].
#[derive(Debug, Clone, Copy)]
pub struct Now<'a> {
    /// log π of the sampled tokens.
    pub logp: View<'a, f32>,
    /// H.
    pub ent: View<'a, f32>,
    /// V.
    pub v: View<'a, f32>,
}

/// Room for the gradient of the total in what the model says, on a device, as [`crate::step::Gradients`]; slots between rows are
/// left alone.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// ∂L_total/∂log π, through the policy loss and the KL loss.
    pub logp: ViewMut<'a, f32>,
    /// ∂L_total/∂H.
    pub ent: ViewMut<'a, f32>,
    /// ∂L_total/∂V.
    pub v: ViewMut<'a, f32>,
}

/// How many numbers [`losses`] writes beside the gradients.
pub const FIGURES: usize = 9;

/// One inner epoch after its forward pass: [`crate::step::losses`] of arrays on a device, asked of a stream; the same bits.
/// `figures` gets the numbers of [`crate::step::Losses`] in its order: four of the policy loss, two of the value loss, H, L_KL,
/// which is left alone without a reference model, and the total.
///
/// # Errors
///
/// As the terms it calls; if `figures` are not [`FIGURES`], or `scratch` is shorter than [`Batches::scratch_len`].
pub fn losses(
    on: &Stream,
    batches: &Batches<'_>,
    targets: &Targets<'_>,
    now: &Now<'_>,
    grads: &mut Gradients<'_>,
    figures: ViewMut<'_, f32>,
    mut scratch: ViewMut<'_, f32>,
) -> Result<(), Error> {
    figures.named("figures").check("cuda::step::losses", on, FIGURES, "figure")?;
    let (mask, value_mask, s) = (batches.policy(), batches.value(), batches.settings());
    let Targets { logp_old, logp_ref, v_old, adv, ret, weights } = *targets;
    let c = s.coefficients;
    let (mut of_policy, rest) = figures.split_at(4);
    let (mut of_value, rest) = rest.split_at(2);
    let (mut of_ent, rest) = rest.split_at(1);
    let (mut of_kl, total) = rest.split_at(1);

    // eq:ratio, eq:policy-loss
    let grad = Some(Grad { c: 1.0, to: grads.logp.lend() });
    let out = PolicyOut { per_token: None, ratio: None, grad, figures: of_policy.lend() };
    policy_loss(on, now.logp, logp_old, adv, mask, weights, &s.clip, s.agg, out, scratch.lend())?;
    // eq:value-clip, eq:value-loss
    if !is_on(c.c_v) {
        aggregate_grad(on, value_mask, s.agg, 0.0, grads.v.lend())?;
    }
    let grad = is_on(c.c_v).then_some(Grad { c: c.c_v, to: grads.v.lend() });
    let out = ValueOut { per_token: None, grad, figures: of_value.lend() };
    let (form, agg, half) = (s.value_clip, s.agg, s.half);
    value_loss(on, now.v, v_old, ret, value_mask, s.eps_v, form, agg, half, out, scratch.lend())?;
    // eq:entropy, its mean
    aggregate(on, now.ent, mask, agg, of_ent.lend(), scratch.lend())?;
    aggregate_grad(on, mask, agg, -c.c_h, grads.ent.lend())?;
    // eq:kl-loss: its gradient on top of the policy's
    if let Some(logp_ref) = logp_ref {
        let grad = is_on(c.beta_loss).then_some(Grad { c: c.beta_loss, to: grads.logp.lend() });
        let out = KlOut { grad, put: Put::Add, loss: of_kl.lend() };
        kl_loss(on, now.logp, logp_ref, mask, s.kl_loss, s.kl_loss_grad, agg, out, scratch)?;
    }
    // eq:total-loss
    let l_kl = logp_ref.map(|_| of_kl.view());
    total_loss(on, of_policy.view(), Some(of_value.view()), Some(of_ent.view()), l_kl, c, total)
}
