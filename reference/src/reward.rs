//! What each token is paid: `eq:score-at`, `eq:shaped-reward`.

use crate::{Mask, check, nan::clamp};
use nalgebra::DMatrix;

/// Which slot of a row the completion's score lands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreAt {
    /// The last response token: TRL 0.11, OpenRLHF, NeMo-RL.
    LastValid,
    /// The last attended token, which in a multi-turn row may be a tool's and not the policy's: verl.
    /// GAE then skips that slot and the score is lost.
    LastAttended,
    /// The slot after the last response token, if the row has it: TRL from 0.12. GAE, returns and value
    /// loss then reach one slot further, see [`Mask::with_first_pad`].
    FirstPad,
    /// The scores are per token already.
    PerToken,
}

/// The slot of a row that its score lands in; none where the row has no token to pay.
///
/// # Panics
///
/// If `at` is `LastAttended` without an attention mask, or is `PerToken`.
pub fn score_slot(at: ScoreAt, row: usize, mask: &Mask, attended: Option<&Mask>) -> Option<usize> {
    let last = |mask: &Mask| mask.end(row).checked_sub(1);
    match at {
        ScoreAt::LastValid => last(mask),
        ScoreAt::LastAttended => {
            last(attended.expect("reward: `score_at` last-attended needs an attention mask"))
        }
        ScoreAt::FirstPad => last(mask).map(|last| (last + 1).min(mask.shape().1 - 1)),
        ScoreAt::PerToken => panic!("reward: `score_at` per-token has no one slot"),
    }
}

/// The scores at their slots, +0 elsewhere.
///
/// ```text
/// s_t = [t = slot] clip(score, −score_clip, score_clip)                    eq:score-at
/// ```
///
/// | symbol | argument     | shape              | is                                                   |
/// |--------|--------------|--------------------|------------------------------------------------------|
/// | score  | `scores`     | b × 1 or b × t_len | the reward model's scalar a completion, or per token |
/// |        | `at`         |                    | which slot; `PerToken` wants b × t_len               |
/// |        | `score_clip` | 1                  | bound > 0 on the scalar; ∞ is off                    |
/// | m      | `mask`       | b × t_len          | 1 where a response token is                          |
/// |        | `attended`   | b × t_len          | 1 where any token is attended, for `LastAttended`    |
/// | s      | result       | b × t_len          | reward; +0 off the slot, which may be a masked one   |
///
/// OpenRLHF clips at ±10, DeepSpeed-Chat at ±5, TRL 0.11 where asked, verl not. Where the score lands: [`ScoreAt`].
///
/// Source: the post passes "scalar per completion" to GAE and does not say where it lands.
/// Book: `reward.md`. Fast: `optimized::place_scores`.
///
/// # Panics
///
/// If the shapes disagree, `score_clip` is not > 0, or as [`score_slot`].
#[doc(alias = "eq:score-at")]
// ANCHOR: place_scores
pub fn place_scores(
    scores: &DMatrix<f64>,
    at: ScoreAt,
    score_clip: f64,
    mask: &Mask,
    attended: Option<&Mask>,
) -> DMatrix<f64> {
    check::positive("reward", "score_clip", score_clip);
    let clipped = scores.map(|score| clamp(score, -score_clip, score_clip));
    let (b, t_len) = mask.shape();
    if at == ScoreAt::PerToken {
        check::same_shape("reward", "scores", scores.shape(), "mask", (b, t_len));
        return mask.keep(&clipped);
    }
    check::same_shape("reward", "scores", scores.shape(), "one per sequence", (b, 1));
    if let Some(attended) = attended {
        check::shapes("reward", mask.shape(), &[("attended", attended.shape())]);
    }
    let slots: Vec<_> = (0..b).map(|row| score_slot(at, row, mask, attended)).collect();
    DMatrix::from_fn(b, t_len, |row, t| if slots[row] == Some(t) { clipped[(row, 0)] } else { 0.0 })
}
// ANCHOR_END: place_scores

/// The scores, clipped, as a row vector under every row: what torch does with (B,) and (B, L) where B = L.
/// Where a score should land is not asked.
///
/// ```text
/// s_b,t = clip(score_t, −score_clip, score_clip)
/// ```
///
/// # Panics
///
/// If `score_clip` is not > 0, or unless there is one score per sequence and b = t_len.
pub fn broadcast_scores(scores: &DMatrix<f64>, score_clip: f64, (b, t_len): (usize, usize)) -> DMatrix<f64> {
    check::positive("reward", "score_clip", score_clip);
    assert!(
        scores.shape() == (b, 1) && b == t_len,
        "step: `score_broadcast` needs one score per sequence and b = t_len, not {} × {} scores for b = {b}, \
         t_len = {t_len}",
        scores.nrows(),
        scores.ncols()
    );
    DMatrix::from_fn(b, t_len, |_, t| clamp(scores[(t, 0)], -score_clip, score_clip))
}

/// The shaped reward of each token: the score where it lands, minus the KL penalty everywhere.
///
/// ```text
/// r_t = s_t − β_kl k_t                                                     eq:shaped-reward
/// ```
///
/// | symbol | argument  | shape     | is                                                        |
/// |--------|-----------|-----------|-----------------------------------------------------------|
/// | s      | `placed`  | b × t_len | the scores at their slots, `eq:score-at`                  |
/// | k      | `kl`      | b × t_len | `eq:kl`, of the policy that sampled; none where β_kl is 0 |
/// | β_kl   | `beta_kl` | 1         | penalty, reward per nat; 0 skips the term                 |
/// | m      | `mask`    | b × t_len | slots that GAE will read                                  |
/// | r      | result    | b × t_len | reward; +0 in masked slots, whatever score landed there   |
///
/// The post says "zero everywhere except the final token", which is this with β_kl = 0.
///
/// Source: Roy, "The Full PPO Training Step", § GAE: where the advantages come from ("shaped reward").
/// Book: `reward.md`. Fast: `optimized::reward`.
///
/// # Panics
///
/// If the shapes differ or `beta_kl` is not 0 and `kl` is absent.
#[doc(alias = "eq:shaped-reward")]
// ANCHOR: reward
pub fn reward(placed: &DMatrix<f64>, kl: Option<&DMatrix<f64>>, beta_kl: f64, mask: &Mask) -> DMatrix<f64> {
    check::shapes("reward", mask.shape(), &[("placed", placed.shape())]);
    if beta_kl == 0.0 {
        return mask.keep(placed);
    }
    let kl = kl.expect("reward: `beta_kl` is not 0, so the KL of each token is needed");
    check::shapes("reward", mask.shape(), &[("kl", kl.shape())]);
    mask.each(|slot| placed[slot] - beta_kl * kl[slot])
}
// ANCHOR_END: reward

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    #[test]
    fn the_score_lands_where_it_is_told() {
        let (mask, attended) = (Mask::from_rows(&[[1, 1, 0, 0]]), Mask::from_rows(&[[1, 1, 1, 0]]));
        let slot = |at| score_slot(at, 0, &mask, Some(&attended)).unwrap();
        assert_eq!([ScoreAt::LastValid, ScoreAt::LastAttended, ScoreAt::FirstPad].map(slot), [1, 2, 2]);
    }

    #[test]
    fn a_full_row_has_no_pad_and_an_empty_one_no_slot() {
        let mask = Mask::from_rows(&[[1, 1], [0, 0]]);
        assert_eq!(score_slot(ScoreAt::FirstPad, 0, &mask, None), Some(1));
        assert_eq!(score_slot(ScoreAt::LastValid, 1, &mask, None), None);
        assert_eq!(score_slot(ScoreAt::FirstPad, 1, &mask, None), None);
    }

    #[test]
    fn a_score_on_a_masked_slot_is_lost() {
        let (mask, attended) = (Mask::from_rows(&[[1, 0]]), Mask::full(1, 2));
        let placed =
            place_scores(&dmatrix![3.0], ScoreAt::LastAttended, f64::INFINITY, &mask, Some(&attended));
        assert_eq!(placed, dmatrix![0.0, 3.0]);
        assert_eq!(reward(&placed, None, 0.0, &mask), dmatrix![0.0, 0.0]);
    }

    #[test]
    fn the_penalty_is_subtracted_and_the_score_clipped() {
        let mask = Mask::full(1, 2);
        let placed = place_scores(&dmatrix![-9.0], ScoreAt::LastValid, 5.0, &mask, None);
        assert_eq!(reward(&placed, Some(&dmatrix![1.0, -2.0]), 0.5, &mask), dmatrix![-0.5, -4.0]);
    }
}
