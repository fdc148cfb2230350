//! Every term that a dump's inputs allow, by the reference, in the order of the step.
//!
//! `reference::step` is the listing on a whole rollout. A dump may hold less: here each term is computed
//! where its inputs are there, and a sentence says which were not. On a whole rollout the two give the same
//! bits; a test holds them together.

use crate::{
    dump::{BadInput, Chosen, GradOf, Inputs},
    skipped::notes,
};
use nalgebra::{DMatrix, DVector};
use reference::{
    Coefficients, ScoreAt, Settings,
    aggregate::{aggregate, aggregate_grad},
    entropy::{entropy_grad_row, entropy_row},
    gae::gae_recursion,
    kl::kl,
    log_prob::{log_prob_grad_row, log_prob_row},
    policy_loss::{PolicyLoss, policy_loss, policy_loss_grad},
    returns::returns,
    reward::{broadcast_scores, place_scores, reward, score_slot},
    step::scaled,
    total_loss::{kl_loss, kl_loss_grad, total_loss},
    value_loss::{ValueLoss, value_loss, value_loss_grad},
    whiten::whiten,
};

/// What could be computed. Matrices are b × t_len; a term whose inputs are missing is none, and `notes` says
/// why in a sentence.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluation {
    /// `eq:kl`.
    pub kl: Option<DMatrix<f64>>,
    /// `eq:shaped-reward`, where the scores are in the file.
    pub token_rewards: Option<DMatrix<f64>>,
    /// `eq:gae`.
    pub adv_raw: Option<DMatrix<f64>>,
    /// `eq:whiten`.
    pub adv: Option<DMatrix<f64>>,
    /// `eq:return`.
    pub ret: Option<DMatrix<f64>>,
    /// `eq:log-prob`.
    pub logp: Option<DMatrix<f64>>,
    /// `eq:entropy`.
    pub ent: Option<DMatrix<f64>>,
    /// `eq:ratio`, `eq:policy-loss`.
    pub policy: Option<PolicyLoss>,
    /// `eq:value-loss`.
    pub value: Option<ValueLoss>,
    /// The aggregated entropy.
    pub ent_loss: Option<f64>,
    /// `eq:kl-loss`.
    pub l_kl: Option<f64>,
    /// `eq:total-loss`.
    pub total: Option<f64>,
    /// ∂/∂log π of the loss that `grad_of` names.
    pub grad_logp: Option<DMatrix<f64>>,
    /// ∂/∂V of it.
    pub grad_v: Option<DMatrix<f64>>,
    /// ∂/∂H of it.
    pub grad_ent: Option<DMatrix<f64>>,
    /// What was left out and why.
    pub notes: Vec<String>,
}

/// Computes every term that the inputs allow.
///
/// # Errors
///
/// If a row of logits cannot be read or is refused.
pub fn evaluate(inputs: &mut Inputs, chosen: &Chosen) -> Result<Evaluation, BadInput> {
    let s = chosen.settings.as_listed();
    let mut e = Evaluation::default();
    rollout_phase(&mut e, inputs, &s);
    token_pass(&mut e, inputs, &s)?;
    losses(&mut e, inputs, &s);
    gradients(&mut e, inputs, &s, chosen.grad_of);
    e.notes.extend(notes(&e, inputs, s.coefficients, chosen.grad_of));
    Ok(e)
}

/// The rewards that GAE reads, placed scores included: those of the file, or made from its scores.
fn rewards(e: &mut Evaluation, inputs: &Inputs, s: &Settings) -> Option<DMatrix<f64>> {
    if let Some(rewards) = &inputs.rewards {
        return Some(inputs.value_mask.keep(rewards));
    }
    let scores = inputs.scores.as_ref()?;
    let placed = placed_scores(scores, inputs, s);
    let lost = lost_scores(inputs, s);
    if !lost.is_empty() {
        let rows: Vec<String> = lost.iter().map(usize::to_string).collect();
        e.notes.push(format!("the score of row {} falls on no valid slot and is lost", rows.join(", ")));
    }
    e.token_rewards = Some(reward(&placed, e.kl.as_ref(), s.beta_kl, &inputs.value_mask));
    e.token_rewards.clone()
}

/// The scores at their slots, by the setting or by the listing's broadcast.
pub fn placed_scores(scores: &DMatrix<f64>, inputs: &Inputs, s: &Settings) -> DMatrix<f64> {
    if s.listing.score_broadcast {
        broadcast_scores(scores, s.score_clip, inputs.mask.shape())
    } else {
        place_scores(scores, s.score_at, s.score_clip, &inputs.mask, inputs.attended.as_ref())
    }
}

/// Rows whose score is paid to nobody: no valid token, or the slot is not one that GAE reads.
fn lost_scores(inputs: &Inputs, s: &Settings) -> Vec<usize> {
    if s.listing.score_broadcast || s.score_at == ScoreAt::PerToken {
        return Vec::new();
    }
    let paid = |row: usize| {
        score_slot(s.score_at, row, &inputs.mask, inputs.attended.as_ref())
            .is_some_and(|t| inputs.value_mask.has((row, t)))
    };
    (0..inputs.mask.shape().0).filter(|row| !paid(*row)).collect()
}

/// KL, rewards, advantages, returns.
fn rollout_phase(e: &mut Evaluation, inputs: &Inputs, s: &Settings) {
    let Inputs { mask, value_mask, .. } = inputs;
    if let (Some(old), Some(logp_ref)) = (&inputs.old_log_probs, &inputs.ref_log_probs) {
        e.kl = Some(kl(old, logp_ref, mask, s.kl));
    }
    let r = rewards(e, inputs, s);
    let gae = |lambda: f64| {
        let (r, v, ends) = (r.as_ref()?, inputs.old_values.as_ref()?, inputs.ends.as_ref()?);
        let lambda = DVector::from_element(mask.shape().0, lambda);
        Some(gae_recursion(r, v, value_mask, ends, s.gap, s.gamma, &lambda))
    };
    e.adv_raw = gae(s.lambda);
    let adv_raw = e.adv_raw.as_ref().or(inputs.advantages_raw.as_ref());
    e.adv = adv_raw.map(|adv| match s.whitening {
        Some(how) => whiten(adv, mask, how).adv,
        None => mask.keep(adv),
    });
    let from = if s.listing.returns_from_whitened {
        e.adv.clone()
    } else if let Some(lambda) = s.lambda_critic {
        gae(lambda)
    } else {
        adv_raw.cloned()
    };
    if let (Some(from), Some(v_old)) = (&from, &inputs.old_values) {
        e.ret = Some(returns(from, v_old, value_mask));
    }
}

/// log π and H of every valid token, one row of logits at a time.
fn token_pass(e: &mut Evaluation, inputs: &mut Inputs, s: &Settings) -> Result<(), BadInput> {
    let (b, t_len) = inputs.mask.shape();
    let Some(logits) = inputs.logits.as_mut() else { return Ok(()) };
    let (mut logp, mut ent) = (DMatrix::zeros(b, t_len), DMatrix::zeros(b, t_len));
    let mut z = Vec::with_capacity(logits.vocab());
    for row in 0..b {
        for t in inputs.mask.tokens_of(row) {
            let action = inputs.actions.as_ref().map(|actions| actions[(row, t)]);
            logits.row((row, t), action, &mut z)?;
            if let Some(action) = action {
                logp[(row, t)] = log_prob_row(&z, action, s.tau);
            }
            ent[(row, t)] = entropy_row(&z, s.tau_ent);
        }
    }
    e.logp = inputs.actions.is_some().then_some(logp);
    e.ent = Some(ent);
    Ok(())
}

/// The log-probs now: of the logits, or those of the file.
fn logp<'a>(e: &'a Evaluation, inputs: &'a Inputs) -> Option<&'a DMatrix<f64>> {
    e.logp.as_ref().or(inputs.log_probs.as_ref())
}

/// The advantages of the policy loss: made here, or those of the file.
fn adv<'a>(e: &'a Evaluation, inputs: &'a Inputs) -> Option<&'a DMatrix<f64>> {
    e.adv.as_ref().or(inputs.advantages.as_ref())
}

/// The returns of the value loss: made here, or those of the file.
fn ret<'a>(e: &'a Evaluation, inputs: &'a Inputs) -> Option<&'a DMatrix<f64>> {
    e.ret.as_ref().or(inputs.returns.as_ref())
}

fn losses(e: &mut Evaluation, inputs: &Inputs, s: &Settings) {
    let Inputs { mask, value_mask, .. } = inputs;
    let w = inputs.rollout_is_weights.as_ref();
    if let (Some(logp), Some(old), Some(adv)) = (logp(e, inputs), &inputs.old_log_probs, adv(e, inputs)) {
        e.policy = Some(policy_loss(logp, old, adv, mask, w, &s.clip, s.agg));
    }
    if let (Some(v), Some(v_old), Some(ret)) = (&inputs.values, &inputs.old_values, ret(e, inputs)) {
        e.value = Some(value_loss(v, v_old, ret, value_mask, s.eps_v, s.value_clip, s.agg, s.half));
    }
    e.ent_loss = e.ent.as_ref().map(|ent| aggregate(ent, mask, s.agg));
    if let (Some(logp), Some(logp_ref)) = (logp(e, inputs), &inputs.ref_log_probs) {
        e.l_kl = Some(kl_loss(logp, logp_ref, mask, s.kl_loss, s.agg));
    }
    e.total = total(e, s.coefficients);
}

/// The total where every part with a coefficient is there.
fn total(e: &Evaluation, c: Coefficients) -> Option<f64> {
    let part = |loss: Option<f64>, c: f64| if c == 0.0 { Some(loss.unwrap_or(0.0)) } else { loss };
    let value = part(e.value.as_ref().map(|value| value.loss), c.c_v)?;
    let (ent, l_kl) = (part(e.ent_loss, c.c_h)?, part(e.l_kl, c.beta_loss)?);
    Some(total_loss(e.policy.as_ref()?.loss, value, ent, l_kl, c))
}

/// What each part of a loss is multiplied by, for the gradient of the loss that `grad_of` names.
pub fn parts_of(grad_of: GradOf, c: Coefficients) -> (f64, Coefficients) {
    let none = Coefficients { c_v: 0.0, c_h: 0.0, beta_loss: 0.0 };
    match grad_of {
        GradOf::TotalLoss => (1.0, c),
        GradOf::PgLoss => (1.0, none),
        GradOf::VfLoss => (0.0, Coefficients { c_v: 1.0, ..none }),
        GradOf::EntropyLoss => (0.0, Coefficients { c_h: -1.0, ..none }),
        GradOf::KlLoss => (0.0, Coefficients { beta_loss: 1.0, ..none }),
    }
}

fn gradients(e: &mut Evaluation, inputs: &Inputs, s: &Settings, grad_of: GradOf) {
    if grad_of == GradOf::TotalLoss && e.total.is_none() {
        return;
    }
    let (c_policy, c) = parts_of(grad_of, s.coefficients);
    e.grad_logp = grad_logp(e, inputs, s, c_policy, c.beta_loss);
    if let (Some(v), Some(v_old), Some(ret)) = (&inputs.values, &inputs.old_values, ret(e, inputs)) {
        let mask = &inputs.value_mask;
        let grad = value_loss_grad(v, v_old, ret, mask, s.eps_v, s.value_clip, s.agg, s.half);
        e.grad_v = Some(scaled(c.c_v, &grad, mask));
    }
    let mask = &inputs.mask;
    e.grad_ent = e.ent.is_some().then(|| scaled(-c.c_h, &aggregate_grad(mask, s.agg), mask));
}

/// ∂/∂log π: through the policy loss and through the KL loss.
fn grad_logp(
    e: &Evaluation,
    inputs: &Inputs,
    s: &Settings,
    c_policy: f64,
    beta_loss: f64,
) -> Option<DMatrix<f64>> {
    let (mask, w) = (&inputs.mask, inputs.rollout_is_weights.as_ref());
    let (logp, old, adv) = (logp(e, inputs)?, inputs.old_log_probs.as_ref()?, adv(e, inputs)?);
    let from_policy = scaled(c_policy, &policy_loss_grad(logp, old, adv, mask, w, &s.clip, s.agg), mask);
    if beta_loss == 0.0 {
        return Some(from_policy);
    }
    let logp_ref = inputs.ref_log_probs.as_ref()?;
    let from_kl = kl_loss_grad(logp, logp_ref, mask, s.kl_loss, s.kl_loss_grad, s.agg);
    Some(mask.each(|slot| from_policy[slot] + beta_loss * from_kl[slot]))
}

/// ∂/∂z of one row of logits: through log π and through H. The row is given; nothing is kept.
pub fn grad_logits_row(
    e: &Evaluation,
    inputs: &Inputs,
    s: &Settings,
    slot: (usize, usize),
    z: &[f64],
) -> Option<Vec<f64>> {
    let (grad_logp, grad_ent) = (e.grad_logp.as_ref()?, e.grad_ent.as_ref()?);
    let action = inputs.actions.as_ref()?[slot];
    let through_logp = log_prob_grad_row(z, action, s.tau, grad_logp[slot]);
    let through_ent = entropy_grad_row(z, s.tau_ent, grad_ent[slot]);
    Some(through_logp.iter().zip(&through_ent).map(|(a, b)| a + b).collect())
}
