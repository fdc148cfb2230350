//! Every term that a dump's inputs allow, in the order of the step.
//!
//! `reference::step` is the listing on a whole rollout. A dump may hold less: here each term is computed
//! where its inputs are there, and a sentence says which were not. On a whole rollout the two give the same
//! bits; a test holds them together.

use crate::{
    dump::{BadInput, Chosen, GradOf, Inputs},
    engine::{Engine, PolicyOperands, RewardOperands, ValueOperands},
    skipped::notes,
};
use nalgebra::DMatrix;
use reference::{
    Coefficients, ScoreAt, Settings, policy_loss::PolicyLoss, reward::score_slot, value_loss::ValueLoss,
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
/// If a row of logits cannot be read or is refused, or the fast path refuses an input.
pub fn evaluate(engine: Engine, inputs: &mut Inputs, chosen: &Chosen) -> Result<Evaluation, BadInput> {
    let s = chosen.settings.as_listed();
    let mut e = Evaluation::default();
    rollout_phase(&mut e, engine, inputs, &s)?;
    token_pass(&mut e, engine, inputs, &s)?;
    losses(&mut e, engine, inputs, &s)?;
    gradients(&mut e, engine, inputs, &s, chosen.grad_of)?;
    e.notes.extend(notes(&e, inputs, s.coefficients, chosen.grad_of));
    Ok(e)
}

/// The rewards that GAE reads, placed scores included: those of the file, or made from its scores.
fn rewards(
    e: &mut Evaluation,
    engine: Engine,
    inputs: &Inputs,
    s: &Settings,
) -> Result<Option<DMatrix<f64>>, BadInput> {
    if let Some(rewards) = &inputs.rewards {
        return Ok(Some(inputs.value_mask.keep(rewards)));
    }
    let Some(scores) = inputs.scores.as_ref() else { return Ok(None) };
    let token_rewards = engine.rewards(reward_operands(scores, e.kl.as_ref(), inputs), s)?;
    let lost = lost_scores(inputs, s);
    if !lost.is_empty() {
        let rows: Vec<String> = lost.iter().map(usize::to_string).collect();
        e.notes.push(format!("the score of row {} falls on no valid slot and is lost", rows.join(", ")));
    }
    e.token_rewards = Some(token_rewards);
    Ok(e.token_rewards.clone())
}

/// What the shaped reward of a file is made of.
pub fn reward_operands<'a>(
    scores: &'a DMatrix<f64>,
    kl: Option<&'a DMatrix<f64>>,
    inputs: &'a Inputs,
) -> RewardOperands<'a> {
    let Inputs { mask, value_mask, attended, .. } = inputs;
    RewardOperands { scores, kl, mask, value_mask, attended: attended.as_ref() }
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
fn rollout_phase(e: &mut Evaluation, engine: Engine, inputs: &Inputs, s: &Settings) -> Result<(), BadInput> {
    let Inputs { mask, value_mask, .. } = inputs;
    if let (Some(old), Some(logp_ref)) = (&inputs.old_log_probs, &inputs.ref_log_probs) {
        e.kl = Some(engine.kl(old, logp_ref, mask, s.kl)?);
    }
    let r = rewards(e, engine, inputs, s)?;
    let gae = |lambda: f64| match (&r, &inputs.old_values, &inputs.ends) {
        (Some(r), Some(v), Some(ends)) => engine.gae(r, v, value_mask, ends, s, lambda).map(Some),
        _ => Ok(None),
    };
    e.adv_raw = gae(s.lambda)?;
    let adv_raw = e.adv_raw.as_ref().or(inputs.advantages_raw.as_ref());
    e.adv = match (adv_raw, s.whitening) {
        (Some(adv), Some(how)) => Some(engine.whiten(adv, mask, how)?.adv),
        (adv, _) => adv.map(|adv| mask.keep(adv)),
    };
    let from = if s.listing.returns_from_whitened {
        e.adv.clone()
    } else if let Some(lambda) = s.lambda_critic {
        gae(lambda)?
    } else {
        adv_raw.cloned()
    };
    if let (Some(from), Some(v_old)) = (&from, &inputs.old_values) {
        e.ret = Some(engine.returns(from, v_old, value_mask)?);
    }
    Ok(())
}

/// log π and H of every valid token, one row of logits at a time.
fn token_pass(e: &mut Evaluation, engine: Engine, inputs: &mut Inputs, s: &Settings) -> Result<(), BadInput> {
    let (b, t_len) = inputs.mask.shape();
    let Some(logits) = inputs.logits.as_mut() else { return Ok(()) };
    let (mut logp, mut ent) = (DMatrix::zeros(b, t_len), DMatrix::zeros(b, t_len));
    let mut z = Vec::with_capacity(logits.vocab());
    for row in 0..b {
        for t in inputs.mask.tokens_of(row) {
            let action = inputs.actions.as_ref().map(|actions| actions[(row, t)]);
            logits.row((row, t), action, &mut z)?;
            let (of_action, of_row) = engine.token(&z, action, s)?;
            (logp[(row, t)], ent[(row, t)]) = (of_action.unwrap_or(0.0), of_row);
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

/// What the policy loss reads: advantages made here, or those of the file.
fn policy_operands<'a>(e: &'a Evaluation, inputs: &'a Inputs) -> Option<PolicyOperands<'a>> {
    Some(PolicyOperands {
        logp: logp(e, inputs)?,
        logp_old: inputs.old_log_probs.as_ref()?,
        adv: e.adv.as_ref().or(inputs.advantages.as_ref())?,
        mask: &inputs.mask,
        weights: inputs.rollout_is_weights.as_ref(),
    })
}

/// What the value loss reads: returns made here, or those of the file.
fn value_operands<'a>(e: &'a Evaluation, inputs: &'a Inputs) -> Option<ValueOperands<'a>> {
    Some(ValueOperands {
        v: inputs.values.as_ref()?,
        v_old: inputs.old_values.as_ref()?,
        ret: e.ret.as_ref().or(inputs.returns.as_ref())?,
        mask: &inputs.value_mask,
    })
}

fn losses(e: &mut Evaluation, engine: Engine, inputs: &Inputs, s: &Settings) -> Result<(), BadInput> {
    let mask = &inputs.mask;
    e.policy = policy_operands(e, inputs).map(|of| engine.policy_loss(of, &s.clip, s.agg)).transpose()?;
    e.value = value_operands(e, inputs).map(|of| engine.value_loss(of, s)).transpose()?;
    e.ent_loss = e.ent.as_ref().map(|ent| engine.aggregate(ent, mask, s.agg)).transpose()?;
    if let (Some(logp), Some(logp_ref)) = (logp(e, inputs), &inputs.ref_log_probs) {
        e.l_kl = Some(engine.kl_loss(logp, logp_ref, mask, s)?);
    }
    e.total = total(e, engine, s.coefficients);
    Ok(())
}

/// The total where every part with a coefficient is there.
fn total(e: &Evaluation, engine: Engine, c: Coefficients) -> Option<f64> {
    let part = |loss: Option<f64>, c: f64| if c == 0.0 { Some(loss.unwrap_or(0.0)) } else { loss };
    let value = part(e.value.as_ref().map(|value| value.loss), c.c_v)?;
    let (ent, l_kl) = (part(e.ent_loss, c.c_h)?, part(e.l_kl, c.beta_loss)?);
    Some(engine.total_loss([e.policy.as_ref()?.loss, value, ent, l_kl], c))
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

fn gradients(
    e: &mut Evaluation,
    engine: Engine,
    inputs: &Inputs,
    s: &Settings,
    grad_of: GradOf,
) -> Result<(), BadInput> {
    if grad_of == GradOf::TotalLoss && e.total.is_none() {
        return Ok(());
    }
    let (c_policy, c) = parts_of(grad_of, s.coefficients);
    e.grad_logp = grad_logp(e, engine, inputs, s, c_policy, c.beta_loss)?;
    e.grad_v = value_operands(e, inputs).map(|of| engine.value_loss_grad(of, s, c.c_v)).transpose()?;
    if e.ent.is_some() {
        e.grad_ent = Some(engine.aggregate_grad(&inputs.mask, s.agg, -c.c_h)?);
    }
    Ok(())
}

/// ∂/∂log π: through the policy loss and through the KL loss.
fn grad_logp(
    e: &Evaluation,
    engine: Engine,
    inputs: &Inputs,
    s: &Settings,
    c_policy: f64,
    beta_loss: f64,
) -> Result<Option<DMatrix<f64>>, BadInput> {
    let Some(of) = policy_operands(e, inputs) else { return Ok(None) };
    let from_policy = engine.policy_loss_grad(of, &s.clip, s.agg, c_policy)?;
    match &inputs.ref_log_probs {
        _ if beta_loss == 0.0 => Ok(Some(from_policy)),
        None => Ok(None),
        Some(logp_ref) => {
            engine.with_kl_loss_grad(from_policy, of.logp, logp_ref, of.mask, s, beta_loss).map(Some)
        }
    }
}

/// ∂/∂z of one row of logits: through log π and through H. The row is given; nothing is kept. None where the
/// gradients or the actions are missing.
///
/// # Errors
///
/// If the fast path refuses the row.
pub fn grad_logits_row(
    engine: Engine,
    e: &Evaluation,
    inputs: &Inputs,
    s: &Settings,
    slot: (usize, usize),
    z: &[f64],
) -> Result<Option<Vec<f64>>, BadInput> {
    match (&e.grad_logp, &e.grad_ent, &inputs.actions) {
        (Some(grad_logp), Some(grad_ent), Some(actions)) => {
            engine.token_grad(z, actions[slot], s, (grad_logp[slot], grad_ent[slot])).map(Some)
        }
        _ => Ok(None),
    }
}
