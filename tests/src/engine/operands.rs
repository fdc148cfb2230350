//! What the terms of more than a few arguments read, b × t_len unless said.

use nalgebra::DMatrix;
use reference::{Mask, Settings, reward};

/// What the shaped reward is made of.
#[derive(Debug, Clone, Copy)]
pub struct RewardOperands<'a> {
    /// b × 1, or b × t_len where `score_at` is per-token.
    pub scores: &'a DMatrix<f64>,
    /// `eq:kl`, if there is a reference model.
    pub kl: Option<&'a DMatrix<f64>>,
    /// m of the policy: where a score may land.
    pub mask: &'a Mask,
    /// m of GAE: one slot wider for `ScoreAt::FirstPad`.
    pub value_mask: &'a Mask,
    /// Where any token is attended.
    pub attended: Option<&'a Mask>,
}

impl RewardOperands<'_> {
    /// The scores at their slots, by the setting or by the listing's broadcast.
    pub fn placed(&self, s: &Settings) -> DMatrix<f64> {
        if s.listing.score_broadcast {
            reward::broadcast_scores(self.scores, s.score_clip, self.mask.shape())
        } else {
            reward::place_scores(self.scores, s.score_at, s.score_clip, self.mask, self.attended)
        }
    }
}

/// The operands of the policy loss, b × t_len.
#[derive(Debug, Clone, Copy)]
pub struct PolicyOperands<'a> {
    /// log π now.
    pub logp: &'a DMatrix<f64>,
    /// log π_old.
    pub logp_old: &'a DMatrix<f64>,
    /// Â.
    pub adv: &'a DMatrix<f64>,
    /// m.
    pub mask: &'a Mask,
    /// Importance weights.
    pub weights: Option<&'a DMatrix<f64>>,
}

/// The operands of the value loss, b × t_len.
#[derive(Debug, Clone, Copy)]
pub struct ValueOperands<'a> {
    /// V now.
    pub v: &'a DMatrix<f64>,
    /// V_old.
    pub v_old: &'a DMatrix<f64>,
    /// R.
    pub ret: &'a DMatrix<f64>,
    /// m.
    pub mask: &'a Mask,
}
