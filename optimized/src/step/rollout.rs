//! The rollout phase: from scores and what the frozen models said to what the inner epochs aim at.

use super::Targets;
use crate::{
    Backend, Ends, Error, GaeOut, Lambda, Mask, ScoreAt, Settings, Whitened, broadcast_scores, each::copy,
    gae, kl, place_scores, returns, reward, whiten,
};

/// What generation and scoring leave behind: frozen for all inner epochs. Arrays are in the mask's layout.
#[derive(Debug, Clone, Copy)]
pub struct Rollout<'a> {
    /// m: where a response token is.
    pub mask: Mask<'a>,
    /// Where any token is attended, for [`ScoreAt::LastAttended`].
    pub attended: Option<Mask<'a>>,
    /// The reward model's score: one per row, or one per slot for [`ScoreAt::PerToken`].
    pub scores: &'a [f32],
    /// log π_old of the sampled tokens.
    pub logp_old: &'a [f32],
    /// log π_ref of the same tokens, if there is a reference model.
    pub logp_ref: Option<&'a [f32]>,
    /// V_old.
    pub v_old: &'a [f32],
    /// V after the last token, and where episodes end inside a row.
    pub ends: Ends<'a>,
    /// Importance weights on the policy loss of each token.
    pub weights: Option<&'a [f32]>,
}

/// What [`rollout_phase`] works in: made once, empty, it grows to the largest batch it meets.
#[derive(Debug, Clone, Default)]
pub struct Room {
    valid: Vec<bool>,
    value_valid: Vec<bool>,
    /// The scores at their slots; later the advantages behind the returns, where these have a λ of their own.
    spare: Vec<f32>,
    kl: Vec<f32>,
    token_rewards: Vec<f32>,
    adv_raw: Vec<f32>,
    adv: Vec<f32>,
    ret: Vec<f32>,
}

/// What the rollout phase made, in the mask's layout; between rows stands anything.
#[derive(Debug, Clone, Copy)]
pub struct Rolled<'a> {
    /// What the inner epochs read: Â and R, and what the rollout holds.
    pub targets: Targets<'a>,
    /// `eq:kl`, if there is a reference model.
    pub kl: Option<&'a [f32]>,
    /// `eq:shaped-reward`.
    pub token_rewards: &'a [f32],
    /// `eq:gae`, before whitening.
    pub adv_raw: &'a [f32],
    /// The statistics of whitening, if it is on.
    pub whitened: Option<Whitened>,
}

/// The rollout phase of the listing, after generation and scoring, of a whole batch: whitening and the added
/// slots of [`ScoreAt::FirstPad`] are not those of its parts.
///
/// # Errors
///
/// As the terms it calls; if the mask is a part of a batch, `score_broadcast` is on and rows have not as many
/// slots as there are rows, or β_kl ≠ 0 and `logp_ref` is absent. The room then holds nothing of use.
pub fn rollout_phase<'a>(
    on: Backend,
    rollout: &Rollout<'a>,
    settings: &Settings,
    room: &'a mut Room,
) -> Result<Rolled<'a>, Error> {
    rollout.mask.refuse_part("rollout_phase")?;
    let s = settings.as_listed();
    let Rollout { attended, scores, logp_old, logp_ref, v_old, ends, weights, .. } = *rollout;
    let Room { valid, value_valid, spare, kl: of_kl, token_rewards, adv_raw, adv, ret } = room;
    let slots = rollout.mask.valid().len();
    [&mut *spare, token_rewards, adv_raw, adv, ret].into_iter().for_each(|x| x.resize(slots, 0.0));
    let mask = if s.listing.unmasked { unmasked(rollout.mask, valid) } else { rollout.mask };
    let value_mask = if s.score_at == ScoreAt::FirstPad { with_first_pad(mask, value_valid)? } else { mask };

    // eq:score-at: where the score of a row is paid
    if s.listing.score_broadcast {
        broadcast_scores(scores, s.score_clip, &mask, spare)?;
    } else {
        place_scores(on, scores, s.score_at, s.score_clip, &mask, attended.as_ref(), spare)?;
    }
    // eq:kl, eq:shaped-reward: less what the policy is away from the reference model
    let of_kl: Option<&[f32]> = match logp_ref {
        Some(logp_ref) => {
            of_kl.resize(slots, 0.0);
            kl(on, logp_old, logp_ref, &mask, s.kl, of_kl)?;
            Some(of_kl)
        }
        None => None,
    };
    reward(on, spare, of_kl, s.beta_kl, &value_mask, token_rewards)?;

    // eq:gae-recursion
    let gae = |lambda: f64, adv: &mut [f32], ret: Option<&mut [f32]>| {
        let (lambda, out) = (Lambda::One(lambda), GaeOut { adv, ret });
        gae(on, token_rewards, v_old, &value_mask, &ends, s.gap, s.gamma, lambda, out)
    };
    // Most returns are those of the same λ, and come out of the same pass.
    let apart = s.listing.returns_from_whitened || s.lambda_critic.is_some();
    gae(s.lambda, adv_raw, (!apart).then_some(&mut ret[..]))?;
    // eq:whiten
    let whitened = match s.whitening {
        Some(how) => Some(whiten(on, adv_raw, &mask, how, adv)?),
        None => {
            copy("rollout_phase", on, &mask, adv_raw, adv)?;
            None
        }
    };
    // eq:return: of the raw advantages, unless the listing is followed
    if s.listing.returns_from_whitened {
        returns(on, adv, v_old, &value_mask, ret)?;
    } else if let Some(lambda) = s.lambda_critic {
        gae(lambda, spare, Some(ret))?;
    }
    let targets = Targets { mask, value_mask, logp_old, logp_ref, v_old, adv, ret, weights };
    Ok(Rolled { targets, kl: of_kl, token_rewards, adv_raw, whitened })
}

/// The listing's mask: every slot of every row.
pub(super) fn unmasked<'a>(mask: Mask<'a>, valid: &'a mut Vec<bool>) -> Mask<'a> {
    valid.clear();
    valid.resize(mask.valid().len(), true);
    mask.with_valid(valid)
}

/// The mask that has the first pad of each row too.
pub(super) fn with_first_pad<'a>(mask: Mask<'a>, valid: &'a mut Vec<bool>) -> Result<Mask<'a>, Error> {
    valid.clear();
    valid.resize(mask.valid().len(), false);
    mask.with_first_pad(valid)?;
    Ok(mask.with_valid(valid))
}
