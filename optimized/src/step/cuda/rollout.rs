//! The rollout phase of arrays on a device, line for line that of `step/rollout.rs`.

use super::{Batches, Targets, asked_or};
use crate::{
    Error,
    cuda::{
        Ends, GaeOut, Lambda, Stream, View, ViewMut, broadcast_scores, copy, gae, kl, place_scores, returns,
        reward, whiten,
    },
};

/// What generation and scoring leave behind on a device, as [`crate::step::Rollout`]: frozen for all inner epochs. Arrays are in
/// the mask's layout.
#[derive(Debug, Clone, Copy)]
pub struct Rollout<'a> {
    /// The reward model's score: one per row, or one per slot for [`ScoreAt::PerToken`](crate::ScoreAt::PerToken).
    pub scores: View<'a, f32>,
    /// log π_old of the sampled tokens.
    pub logp_old: View<'a, f32>,
    /// log π_ref of the same tokens, if there is a reference model.
    pub logp_ref: Option<View<'a, f32>>,
    /// V_old.
    pub v_old: View<'a, f32>,
    /// V after the last token, and where episodes end inside a row.
    pub ends: Ends<'a>,
    /// Importance weights on the policy loss of each token.
    pub weights: Option<View<'a, f32>>,
}

/// Room for what [`rollout_phase`] makes, in the mask's layout; slots between rows are left alone. What is not asked for lies in
/// the scratch meanwhile.
#[derive(Debug)]
pub struct Rolled<'a> {
    /// `eq:kl`; left alone without a reference model.
    pub kl: Option<ViewMut<'a, f32>>,
    /// `eq:shaped-reward`.
    pub token_rewards: Option<ViewMut<'a, f32>>,
    /// `eq:gae`, before whitening.
    pub adv_raw: Option<ViewMut<'a, f32>>,
    /// Â, whitened or not.
    pub adv: ViewMut<'a, f32>,
    /// R.
    pub ret: ViewMut<'a, f32>,
    /// Two numbers, those of [`crate::Whitened`], in its order; left alone where nothing is whitened.
    pub whitened: ViewMut<'a, f32>,
}

impl Rolled<'_> {
    /// What the inner epochs read: Â and R, and what the rollout holds.
    pub fn targets<'a>(&'a self, rollout: &Rollout<'a>) -> Targets<'a> {
        let Rollout { logp_old, logp_ref, v_old, weights, .. } = *rollout;
        Targets { logp_old, logp_ref, v_old, adv: self.adv.view(), ret: self.ret.view(), weights }
    }
}

/// The rollout phase of the listing, after generation and scoring: [`crate::step::rollout_phase`] of arrays on a device, asked of
/// a stream; the same bits.
///
/// # Errors
///
/// As there, but for a part of a batch, which [`Batches::new`] refuses; if an argument lies elsewhere, or `scratch` is shorter
/// than [`Batches::scratch_len`].
pub fn rollout_phase(
    on: &Stream,
    batches: &Batches<'_>,
    rollout: &Rollout<'_>,
    to: &mut Rolled<'_>,
    scratch: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::step::rollout_phase";
    let (mask, value_mask, s) = (batches.policy(), batches.value(), batches.settings());
    let (mut scratch, [mut spare, of_kl, token_rewards, adv_raw]) = batches.rooms(OP, on, scratch)?;
    let Rolled { kl: to_kl, token_rewards: to_rewards, adv_raw: to_raw, adv, ret, whitened } = to;
    let mut token_rewards = asked_or(to_rewards, token_rewards);
    let mut adv_raw = asked_or(to_raw, adv_raw);
    let Rollout { scores, logp_old, logp_ref, v_old, ends, .. } = *rollout;

    // eq:score-at: where the score of a row is paid
    if s.listing.score_broadcast {
        broadcast_scores(on, scores, s.score_clip, mask, spare.lend())?;
    } else {
        let attended = batches.attended();
        place_scores(on, scores, s.score_at, s.score_clip, mask, attended, spare.lend())?;
    }
    // eq:kl, eq:shaped-reward: less what the policy is away from the reference model
    let mut of_kl = asked_or(to_kl, of_kl);
    if let Some(logp_ref) = logp_ref {
        kl(on, logp_old, logp_ref, mask, s.kl, of_kl.lend())?;
    }
    let of_kl = logp_ref.map(|_| of_kl.view());
    reward(on, spare.view(), of_kl, s.beta_kl, value_mask, token_rewards.lend())?;

    // eq:gae-recursion
    let r = token_rewards.view();
    let gae =
        |lambda: f64, adv: ViewMut<'_, f32>, ret: Option<ViewMut<'_, f32>>, scratch: ViewMut<'_, f32>| {
            let (lambda, out) = (Lambda::One(lambda), GaeOut { adv, ret });
            gae(on, r, v_old, value_mask, &ends, s.gap, s.gamma, lambda, out, scratch)
        };
    // Most returns are those of the same λ, and come out of the same pass.
    let apart = s.listing.returns_from_whitened || s.lambda_critic.is_some();
    gae(s.lambda, adv_raw.lend(), (!apart).then_some(ret.lend()), scratch.lend())?;
    // eq:whiten
    match s.whitening {
        Some(how) => whiten(on, adv_raw.view(), mask, how, adv.lend(), whitened.lend(), scratch.lend())?,
        None => copy(OP, on, adv_raw.view(), mask, adv.lend())?,
    }
    // eq:return: of the raw advantages, unless the listing is followed
    if s.listing.returns_from_whitened {
        returns(on, adv.view(), v_old, value_mask, ret.lend())?;
    } else if let Some(lambda) = s.lambda_critic {
        gae(lambda, spare.lend(), Some(ret.lend()), scratch)?;
    }
    Ok(())
}
