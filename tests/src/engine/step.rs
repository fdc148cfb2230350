//! The iteration of the post by either engine: `reference::step` and `reference::iteration` line for line, with
//! each term from whoever computes. By the reference it is theirs to the bit; a test holds the two together.

use super::{Engine, PolicyOperands, RewardOperands, ValueOperands};
use crate::dump::BadInput;
use nalgebra::DMatrix;
use reference::{
    Mask, ScoreAt, Settings,
    adam::AdamState,
    iteration::{ActorCritic, Batch, Epoch, Inner, Update, update},
    step::{Heads, Losses, Now, Rollout, Targets},
};

/// log π and H of the logits, and the values beside them.
///
/// # Errors
///
/// As every function here: what the fast path refuses, or a number that f32 cannot hold.
pub fn say(
    engine: Engine,
    heads: &Heads,
    actions: &DMatrix<usize>,
    mask: &Mask,
    s: &Settings,
) -> Result<Now, BadInput> {
    let (b, t_len) = mask.shape();
    let (mut logp, mut ent) = (DMatrix::zeros(b, t_len), DMatrix::zeros(b, t_len));
    for (row, t) in slots(mask) {
        let z: Vec<f64> = heads.logits[row].row(t).iter().copied().collect();
        let (of_action, of_row) = engine.token(&z, Some(actions[(row, t)]), s)?;
        (logp[(row, t)], ent[(row, t)]) = (of_action.unwrap_or(0.0), of_row);
    }
    Ok(Now { logp, ent, v: heads.v.clone() })
}

/// The valid slots, row by row.
fn slots(mask: &Mask) -> impl Iterator<Item = (usize, usize)> {
    let rows = 0..mask.shape().0;
    rows.flat_map(move |row| mask.tokens_of(row).into_iter().map(move |t| (row, t)))
}

/// KL, rewards, advantages, whitening, returns.
///
/// # Errors
///
/// As [`say`].
pub fn rollout_phase(engine: Engine, rollout: &Rollout, settings: &Settings) -> Result<Targets, BadInput> {
    let s = &settings.as_listed();
    let mask = listed_mask(&rollout.mask, s);
    let value_mask = if s.score_at == ScoreAt::FirstPad { mask.with_first_pad() } else { mask.clone() };

    let kl = rollout.logp_ref.as_ref().map(|logp_ref| engine.kl(&rollout.logp_old, logp_ref, &mask, s.kl));
    let kl = kl.transpose()?;
    let (scores, attended) = (&rollout.scores, rollout.attended.as_ref());
    let of = RewardOperands { scores, kl: kl.as_ref(), mask: &mask, value_mask: &value_mask, attended };
    let token_rewards = engine.rewards(of, s)?;

    let gae = |lambda| engine.gae(&token_rewards, &rollout.v_old, &value_mask, &rollout.ends, s, lambda);
    let adv_raw = gae(s.lambda)?;
    let whitened = s.whitening.map(|how| engine.whiten(&adv_raw, &mask, how)).transpose()?;
    let (adv, whitened) = match whitened {
        Some(made) => (made.adv, Some((made.mean, made.var))),
        None => (mask.keep(&adv_raw), None),
    };
    let from = match s.lambda_critic {
        _ if s.listing.returns_from_whitened => adv.clone(),
        Some(lambda) => gae(lambda)?,
        None => adv_raw.clone(),
    };
    let ret = engine.returns(&from, &rollout.v_old, &value_mask)?;
    Ok(Targets { mask, value_mask, kl, token_rewards, adv_raw, adv, whitened, ret })
}

/// The losses of one inner epoch, and the gradient of their total.
///
/// # Errors
///
/// As [`say`].
pub fn losses(
    engine: Engine,
    rollout: &Rollout,
    targets: &Targets,
    now: &Now,
    settings: &Settings,
) -> Result<Losses, BadInput> {
    let s = &settings.as_listed();
    let c = s.coefficients;
    let Targets { mask, value_mask, adv, ret, .. } = targets;
    let of_policy = PolicyOperands {
        logp: &now.logp,
        logp_old: &rollout.logp_old,
        adv,
        mask,
        weights: rollout.weights.as_ref(),
    };
    let of_value = ValueOperands { v: &now.v, v_old: &rollout.v_old, ret, mask: value_mask };

    let policy = engine.policy_loss(of_policy, &s.clip, s.agg)?;
    let value = engine.value_loss(of_value, s)?;
    let ent = engine.aggregate(&now.ent, mask, s.agg)?;
    let logp_ref = rollout.logp_ref.as_ref();
    let l_kl = logp_ref.map(|logp_ref| engine.kl_loss(&now.logp, logp_ref, mask, s)).transpose()?;
    let total = engine.total_loss([policy.loss, value.loss, ent, l_kl.unwrap_or(0.0)], c);

    let from_policy = engine.policy_loss_grad(of_policy, &s.clip, s.agg, 1.0)?;
    let grad_logp = match logp_ref {
        Some(logp_ref) if c.beta_loss != 0.0 => {
            engine.with_kl_loss_grad(from_policy, &now.logp, logp_ref, mask, s, c.beta_loss)?
        }
        _ => from_policy,
    };
    let grad_ent = engine.aggregate_grad(mask, s.agg, -c.c_h)?;
    let grad_v = engine.value_loss_grad(of_value, s, c.c_v)?;
    Ok(Losses { policy, value, ent, l_kl, total, grad_logp, grad_ent, grad_v })
}

/// ∂L_total/∂z, b of t_len × vocab; +0 in the rows of masked tokens.
///
/// # Errors
///
/// As [`say`].
pub fn logits_grad(
    engine: Engine,
    logits: &[DMatrix<f64>],
    actions: &DMatrix<usize>,
    targets: &Targets,
    losses: &Losses,
    s: &Settings,
) -> Result<Vec<DMatrix<f64>>, BadInput> {
    let mut grad: Vec<DMatrix<f64>> = logits.iter().map(|z| z.map(|_| 0.0)).collect();
    for (row, t) in slots(&targets.mask) {
        let z: Vec<f64> = logits[row].row(t).iter().copied().collect();
        let g = (losses.grad_logp[(row, t)], losses.grad_ent[(row, t)]);
        grad[row].row_mut(t).copy_from_slice(&engine.token_grad(&z, actions[(row, t)], s, g)?);
    }
    Ok(grad)
}

/// One PPO iteration: freeze the rollout, then K times losses, backward, clip, step.
///
/// # Errors
///
/// As [`say`].
pub fn iteration(
    engine: Engine,
    model: &mut impl ActorCritic,
    optimizer: &mut [AdamState],
    batch: &Batch,
    settings: &Settings,
    inner: &Inner,
) -> Result<(Rollout, Targets, Vec<Epoch>), BadInput> {
    let slots = listed_mask(&batch.mask, settings);
    let old = say(engine, &model.forward(), &batch.actions, &slots, settings)?;
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
    let targets = rollout_phase(engine, &rollout, settings)?;
    let mut epochs = Vec::new();
    for _ in 0..inner.epochs {
        let heads = model.forward();
        let now = say(engine, &heads, &batch.actions, &targets.mask, settings)?;
        let losses = losses(engine, &rollout, &targets, &now, settings)?;
        let grad_logits = logits_grad(engine, &heads.logits, &batch.actions, &targets, &losses, settings)?;
        let Update { grads, grad_norm, clipped, parameters } =
            update(model, optimizer, &grad_logits, &losses.grad_v, inner);
        epochs.push(Epoch { now, losses, grads, grad_norm, clipped, parameters });
    }
    Ok((rollout, targets, epochs))
}

/// Every slot valid where the listing has no mask.
fn listed_mask(mask: &Mask, s: &Settings) -> Mask {
    let (b, t_len) = mask.shape();
    if s.listing.unmasked { Mask::full(b, t_len) } else { mask.clone() }
}
