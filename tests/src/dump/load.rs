//! The inputs of a step, read and checked against the settings.

use super::{
    BadInput, Chosen, Dump, Logits, Shape,
    ends::{self, Flags},
    error::bad,
    needs,
};
use nalgebra::DMatrix;
use reference::{Ends, Mask, ScoreAt, Settings};

/// What a step reads: matrices are b × t_len unless said, masked slots are 0.
///
/// Whatever the reference would refuse with a panic has been refused here.
#[derive(Debug)]
pub struct Inputs {
    /// B, L, V.
    pub shape: Shape,
    /// m as the policy's terms read it: all slots under the `unmasked` listing.
    pub mask: Mask,
    /// m of GAE, returns and value loss: with the first pad under `score_at = first-pad`.
    pub value_mask: Mask,
    /// Where any token is attended.
    pub attended: Option<Mask>,
    /// b × 1, or b × t_len where `score_at` is per-token.
    pub scores: Option<DMatrix<f64>>,
    /// Token rewards with the KL inside, in place of scores.
    pub rewards: Option<DMatrix<f64>>,
    /// V_old.
    pub old_values: Option<DMatrix<f64>>,
    /// V now.
    pub values: Option<DMatrix<f64>>,
    /// log π_old.
    pub old_log_probs: Option<DMatrix<f64>>,
    /// log π now, where it is an input.
    pub log_probs: Option<DMatrix<f64>>,
    /// log π_ref.
    pub ref_log_probs: Option<DMatrix<f64>>,
    /// Advantages before whitening, where they are an input.
    pub advantages_raw: Option<DMatrix<f64>>,
    /// Advantages as the policy loss reads them, where they are an input.
    pub advantages: Option<DMatrix<f64>>,
    /// Returns, where they are an input.
    pub returns: Option<DMatrix<f64>>,
    /// Importance weights on the policy loss of each token.
    pub rollout_is_weights: Option<DMatrix<f64>>,
    /// Token ids, below V where there are logits; 0 in masked slots.
    pub actions: Option<DMatrix<usize>>,
    /// Streamed; each row is checked when it is read.
    pub logits: Option<Logits>,
    /// Where episodes end and V after it; only where GAE is computed, so with `old_values` and rewards.
    pub ends: Option<Ends>,
    /// What stands in the file and is not read under these settings, one sentence each.
    pub notes: Vec<String>,
}

impl Inputs {
    /// Reads everything but the logits.
    ///
    /// # Errors
    ///
    /// An input that is missing, is not finite in a valid slot, or cannot be meant under the settings.
    pub fn load(dump: &Dump, chosen: &Chosen) -> Result<Inputs, BadInput> {
        let settings = &chosen.settings;
        needs::check(dump, chosen)?;
        let (mask, value_mask) = masks(dump, settings)?;
        let on_policy = |name: &str| dump.finite(name, &mask);
        let on_values = |name: &str| dump.finite(name, &value_mask);
        let raw_mask = if dump.has("old_values") { &value_mask } else { &mask };
        let (ends, notes) = if dump.computes_gae() {
            let (ends, notes) = ends::ends(&Flags::read(dump, &value_mask)?, &value_mask, chosen.done_at)?;
            (Some(ends), notes)
        } else {
            (None, Vec::new())
        };
        Ok(Inputs {
            attended: dump.mask("attention_mask")?,
            scores: dump.scores(&mask, settings)?,
            rewards: on_values("rewards")?,
            old_values: on_values("old_values")?,
            values: on_values("values")?,
            old_log_probs: on_policy("old_log_probs")?,
            log_probs: on_policy("log_probs")?,
            ref_log_probs: on_policy("ref_log_probs")?,
            advantages_raw: dump.finite("advantages_raw", raw_mask)?,
            advantages: on_policy("advantages")?,
            returns: on_values("returns")?,
            rollout_is_weights: on_policy("rollout_is_weights")?,
            actions: dump.actions(&mask)?,
            logits: dump.logits(),
            shape: dump.shape().clone(),
            mask,
            value_mask,
            ends,
            notes,
        })
    }
}

/// The policy's mask and the critic's, after what the settings make valid.
fn masks(dump: &Dump, settings: &Settings) -> Result<(Mask, Mask), BadInput> {
    let full = || dump.every_slot();
    let own = dump.mask("response_mask")?.unwrap_or_else(full);
    let mask = if settings.listing.unmasked { full() } else { own };
    if mask.count() == 0 {
        return Err(bad!("`{}` has no valid token to take a mean over", dump.name_of("response_mask")));
    }
    let value_mask = match settings.score_at {
        ScoreAt::FirstPad => mask.with_first_pad(),
        _ => mask.clone(),
    };
    Ok((mask, value_mask))
}
