//! One iteration, top to bottom, in the order of the post's listing.

use crate::{
    Ends, Mask, Settings,
    aggregate::{aggregate, aggregate_grad},
    entropy::{entropy, entropy_grad},
    gae::gae_recursion,
    kl::kl,
    log_prob::{log_prob, log_prob_grad},
    policy_loss::{PolicyLoss, policy_loss, policy_loss_grad},
    returns::returns,
    reward::{ScoreAt, broadcast_scores, place_scores, reward},
    total_loss::{kl_loss, kl_loss_grad, total_loss},
    value_loss::{ValueLoss, value_loss, value_loss_grad},
    whiten::{Whitened, whiten},
};
use nalgebra::{DMatrix, DVector};

/// What the rollout phase leaves behind: frozen for all inner epochs. Matrices are b × t_len.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// m: where a response token is.
    pub mask: Mask,
    /// Where any token is attended, for [`ScoreAt::LastAttended`].
    pub attended: Option<Mask>,
    /// The reward model's score: b × 1, or b × t_len for [`ScoreAt::PerToken`].
    pub scores: DMatrix<f64>,
    /// log π_old of the sampled tokens.
    pub logp_old: DMatrix<f64>,
    /// log π_ref of the same tokens, if there is a reference model.
    pub logp_ref: Option<DMatrix<f64>>,
    /// V_old.
    pub v_old: DMatrix<f64>,
    /// V after the last token, and where episodes end inside a row.
    pub ends: Ends,
    /// Importance weights on the policy loss of each token.
    pub weights: Option<DMatrix<f64>>,
}

/// What the inner epochs aim at. Matrices are b × t_len.
#[derive(Debug, Clone, PartialEq)]
pub struct Targets {
    /// The mask of policy loss and entropy, after the listing's departures.
    pub mask: Mask,
    /// The mask of GAE, returns and value loss: one slot wider for [`ScoreAt::FirstPad`].
    pub value_mask: Mask,
    /// `eq:kl`, if there is a reference model.
    pub kl: Option<DMatrix<f64>>,
    /// `eq:shaped-reward`.
    pub token_rewards: DMatrix<f64>,
    /// `eq:gae`, before whitening.
    pub adv_raw: DMatrix<f64>,
    /// `eq:whiten`, or the raw advantages where whitening is off.
    pub adv: DMatrix<f64>,
    /// The statistics of whitening, if it is on: μ and σ².
    pub whitened: Option<(f64, f64)>,
    /// `eq:return`.
    pub ret: DMatrix<f64>,
}

/// What the policy and the critic say now, in an inner epoch. All b × t_len.
#[derive(Debug, Clone, PartialEq)]
pub struct Now {
    /// log π of the sampled tokens.
    pub logp: DMatrix<f64>,
    /// H.
    pub ent: DMatrix<f64>,
    /// V.
    pub v: DMatrix<f64>,
}

/// The losses of one inner epoch, and the gradient of their total.
#[derive(Debug, Clone, PartialEq)]
pub struct Losses {
    /// `eq:ratio`, `eq:policy-loss` and what is logged beside them.
    pub policy: PolicyLoss,
    /// `eq:value-loss`.
    pub value: ValueLoss,
    /// H aggregated, nats.
    pub ent: f64,
    /// `eq:kl-loss`, if there is a reference model.
    pub l_kl: Option<f64>,
    /// `eq:total-loss`.
    pub total: f64,
    /// b × t_len: ∂L_total/∂log π, through the policy loss and the KL loss.
    pub grad_logp: DMatrix<f64>,
    /// b × t_len: ∂L_total/∂H.
    pub grad_ent: DMatrix<f64>,
    /// b × t_len: ∂L_total/∂V.
    pub grad_v: DMatrix<f64>,
}

/// The rollout phase of the listing, after generation and scoring (no gradient flows).
///
/// # Panics
///
/// As the terms it calls; if `score_broadcast` is on and b is not t_len; if β_kl ≠ 0 and `logp_ref` is absent.
// ANCHOR: rollout_phase
pub fn rollout_phase(rollout: &Rollout, settings: &Settings) -> Targets {
    let s = settings.as_listed();
    let mask = listed_mask(&rollout.mask, settings);
    let value_mask = if s.score_at == ScoreAt::FirstPad { mask.with_first_pad() } else { mask.clone() };

    // rewards     = reward_model(prompts, completions)  # scalar per completion
    let placed = if s.listing.score_broadcast {
        broadcast_scores(&rollout.scores, s.score_clip, mask.shape())
    } else {
        place_scores(&rollout.scores, s.score_at, s.score_clip, &mask, rollout.attended.as_ref())
    };
    // old_logp    = policy.log_probs(prompts, completions)  # (B, L) per token
    let kl = rollout.logp_ref.as_ref().map(|logp_ref| kl(&rollout.logp_old, logp_ref, &mask, s.kl));
    let token_rewards = reward(&placed, kl.as_ref(), s.beta_kl, &value_mask);

    // old_values  = policy.value(prompts, completions)      # (B, L) per token
    // advantages  = compute_gae(rewards, old_values, gamma=1.0, lam=0.95)
    // By the recursion; a property says that it is the sum of `gae::gae`.
    let gae = |lambda: f64| {
        let lambda = DVector::from_element(mask.shape().0, lambda);
        let (v, ends) = (&rollout.v_old, &rollout.ends);
        gae_recursion(&token_rewards, v, &value_mask, ends, s.gap, s.gamma, &lambda)
    };
    let adv_raw = gae(s.lambda);
    // advantages  = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    let whitened = s.whitening.map(|how| whiten(&adv_raw, &mask, how));
    let (adv, whitened) = match whitened {
        Some(Whitened { adv, mean, var }) => (adv, Some((mean, var))),
        None => (mask.keep(&adv_raw), None),
    };
    // returns     = advantages + old_values             # targets for the value head
    let ret = if s.listing.returns_from_whitened {
        returns(&adv, &rollout.v_old, &value_mask)
    } else {
        returns(&s.lambda_critic.map_or_else(|| adv_raw.clone(), gae), &rollout.v_old, &value_mask)
    };
    Targets { mask, value_mask, kl, token_rewards, adv_raw, adv, whitened, ret }
}
// ANCHOR_END: rollout_phase

/// One inner epoch of the listing: the three losses, their total, and its gradient in what the model says.
///
/// # Panics
///
/// As the terms it calls.
// ANCHOR: losses
pub fn losses(rollout: &Rollout, targets: &Targets, now: &Now, settings: &Settings) -> Losses {
    let s = settings.as_listed();
    let Targets { mask, value_mask, adv, ret, .. } = targets;
    let (logp_old, v_old, w) = (&rollout.logp_old, &rollout.v_old, rollout.weights.as_ref());

    // ratio = torch.exp(new_logp - old_logp)
    // L_policy = -torch.min(ratio * advantages, torch.clamp(ratio, 0.8, 1.2) * advantages).mean()
    let policy = policy_loss(&now.logp, logp_old, adv, mask, w, &s.clip, s.agg);
    // v_clipped = old_values + torch.clamp(values - old_values, -0.2, 0.2)
    // L_value = torch.max((values - returns) ** 2, (v_clipped - returns) ** 2).mean()
    let value = value_loss(&now.v, v_old, ret, value_mask, s.eps_v, s.value_clip, s.agg, s.half);
    // H = dist.entropy().mean()
    let ent = aggregate(&now.ent, mask, s.agg);
    // (not in the listing) the KL to the reference model as a loss
    let logp_ref = rollout.logp_ref.as_ref();
    let l_kl = logp_ref.map(|logp_ref| kl_loss(&now.logp, logp_ref, mask, s.kl_loss, s.agg));
    // loss = L_policy + 0.5 * L_value - 0.01 * H
    let total = total_loss(policy.loss, value.loss, ent, l_kl.unwrap_or(0.0), s.coefficients);

    // loss.backward(), down to what the model says; L_total has gradient 1, c_V, −c_H, β_loss in its parts
    let c = s.coefficients;
    let from_policy = policy_loss_grad(&now.logp, logp_old, adv, mask, w, &s.clip, s.agg);
    let grad_logp = match logp_ref {
        Some(logp_ref) if c.beta_loss != 0.0 => {
            let from_kl = kl_loss_grad(&now.logp, logp_ref, mask, s.kl_loss, s.kl_loss_grad, s.agg);
            mask.each(|slot| from_policy[slot] + c.beta_loss * from_kl[slot])
        }
        _ => from_policy,
    };
    let grad_v = value_loss_grad(&now.v, v_old, ret, value_mask, s.eps_v, s.value_clip, s.agg, s.half);
    Losses {
        policy,
        value,
        ent,
        l_kl,
        total,
        grad_logp,
        grad_ent: scaled(-c.c_h, &aggregate_grad(mask, s.agg), mask),
        grad_v: scaled(c.c_v, &grad_v, value_mask),
    }
}
// ANCHOR_END: losses

/// What a model says of every token: b of t_len × vocab logits, row t having produced token t, and b × t_len
/// values read from the same positions.
#[derive(Debug, Clone, PartialEq)]
pub struct Heads {
    /// b of t_len × vocab, before temperature.
    pub logits: Vec<DMatrix<f64>>,
    /// b × t_len.
    pub v: DMatrix<f64>,
}

/// log π and H of the logits, and the values beside them: what [`losses`] reads.
///
/// # Panics
///
/// As [`log_prob`] and [`entropy`].
pub fn say(heads: &Heads, actions: &DMatrix<usize>, mask: &Mask, settings: &Settings) -> Now {
    Now {
        logp: log_prob(&heads.logits, actions, mask, settings.tau),
        ent: entropy(&heads.logits, mask, settings.tau_ent),
        v: heads.v.clone(),
    }
}

/// ∂L_total/∂z, b of t_len × vocab: through log π and through H.
///
/// # Panics
///
/// As [`log_prob_grad`].
pub fn logits_grad(
    logits: &[DMatrix<f64>],
    actions: &DMatrix<usize>,
    targets: &Targets,
    losses: &Losses,
    settings: &Settings,
) -> Vec<DMatrix<f64>> {
    let mask = &targets.mask;
    let through_logp = log_prob_grad(logits, actions, mask, settings.tau, &losses.grad_logp);
    let through_ent = entropy_grad(logits, mask, settings.tau_ent, &losses.grad_ent);
    through_logp.iter().zip(&through_ent).map(|(a, b)| a + b).collect()
}

/// c x, and zeros where c is 0: a term that is off is no operand.
pub fn scaled(c: f64, x: &DMatrix<f64>, mask: &Mask) -> DMatrix<f64> {
    mask.each(|slot| if c == 0.0 { 0.0 } else { c * x[slot] })
}

/// The mask after the listing's departures: every slot valid where it has none.
pub(crate) fn listed_mask(mask: &Mask, settings: &Settings) -> Mask {
    let (b, t_len) = mask.shape();
    if settings.listing.unmasked { Mask::full(b, t_len) } else { mask.clone() }
}
