//! What the settings need and the file lacks.

use super::{BadInput, Chosen, Dump, error::bad};
use reference::ScoreAt;

/// Refuses settings that this file cannot be meant with, before a tensor is read.
pub(super) fn check(dump: &Dump, chosen: &Chosen) -> Result<(), BadInput> {
    let settings = chosen.settings.as_listed();
    if dump.has("scores") {
        if settings.listing.score_broadcast {
            score_broadcast(dump)?;
        } else if settings.score_at == ScoreAt::LastAttended && !dump.has("attention_mask") {
            return Err(bad!("`score_at` is last-attended, and `attention_mask` is not in the file"));
        }
        for name in ["old_log_probs", "ref_log_probs"] {
            if settings.beta_kl != 0.0 && !dump.has(name) {
                let coef = settings.beta_kl;
                return Err(bad!(
                    "`kl_coef` is {coef}, and `{name}`, of which the KL is made, is not in the file"
                ));
            }
        }
    }
    let log_probs = dump.has("log_probs") || (dump.has("logits") && dump.has("actions"));
    if settings.coefficients.beta_loss != 0.0 && log_probs && !dump.has("ref_log_probs") {
        let coef = settings.coefficients.beta_loss;
        return Err(bad!("`kl_loss_coef` is {coef}, and `ref_log_probs` is not in the file"));
    }
    if let Some(own) = settings.lambda_critic
        && dump.has("advantages_raw")
        && dump.has("old_values")
    {
        return Err(bad!(
            "`lam_critic` is {own} and `lam` {}, but `advantages_raw` is an input, made with one λ",
            settings.lambda
        ));
    }
    Ok(())
}

/// The listing pays score t at token t of every row: (B,) scores, and B = L.
fn score_broadcast(dump: &Dump) -> Result<(), BadInput> {
    let shape = dump.shape();
    let per_row = dump.input("scores").is_some_and(|scores| scores.shape.len() == 1);
    if per_row && shape.b == shape.t_len {
        return Ok(());
    }
    Err(bad!(
        "the listing's score-broadcast needs one score per sequence and B = L, and the file has B = {}, L = {} \
         and {} scores",
        shape.b,
        shape.t_len,
        if per_row { "(B)" } else { "(B, L)" }
    ))
}
