//! `reward` and where a score lands, on the fast path.

use super::{Batch, Case, Got, Laid, Outputs, Term, Want};
use crate::{
    budget::{self, Precision},
    cases::EDGES,
};
use nalgebra::DMatrix;
use optimized::{Backend, place_scores, reward};
use reference::{ScoreAt, reward as truth};

/// The term.
pub(super) const TERM: Term = Term { stem: "reward", cases, looks_ahead: false, across_rows: false };

/// Every choice of a call.
#[derive(Debug, Clone, Copy)]
struct Choices {
    at: ScoreAt,
    score_clip: f64,
    beta_kl: f64,
}

fn cases() -> Vec<Case> {
    let choices = |k: usize| Choices {
        at: [ScoreAt::LastValid, ScoreAt::PerToken][k % 2],
        score_clip: [f64::INFINITY, 0.3, 10.0][k % 3],
        beta_kl: [0.05, 0.0, 1.0][k / 2 % 3],
    };
    EDGES.iter().enumerate().map(|(k, (t_len, why))| case(why, Batch::mixed(*t_len, 1), choices(k))).collect()
}

fn case(why: &str, batch: Batch, how: Choices) -> Case {
    let batch = batch
        .with("scores", |rng| rng.normal())
        .with("kl", |rng| 0.1 * rng.normal())
        .with_row("score", |rng| rng.normal());
    let Choices { at, score_clip, beta_kl } = how;
    let run = move |on: Backend, x: &Laid| -> Got {
        let (mask, mut placed, mut out) = (x.mask(), x.room(1), x.room(1));
        let scores = if at == ScoreAt::PerToken { x.get("scores") } else { x.row("score") };
        place_scores(on, scores, at, score_clip, &mask, None, placed.must())?;
        let kl = (beta_kl != 0.0).then(|| x.get("kl"));
        reward(on, placed.must(), kl, beta_kl, &mask, out.must())?;
        Ok(Outputs::new().tokens("placed", x, &placed).tokens("reward", x, &out))
    };
    let wanted = move |batch: &Batch| {
        let (p, mask, kl) = (Precision::ORDER, batch.mask(), batch.wide("kl"));
        let scores = match at {
            ScoreAt::PerToken => batch.wide("scores"),
            _ => DMatrix::from_column_slice(batch.b, 1, batch.wide_row("score").as_slice()),
        };
        let placed = truth::place_scores(&scores, at, score_clip, &mask, None);
        let reward = truth::reward(&placed, Some(&kl), beta_kl, &mask);
        // A score at its bound is the bound, which was rounded on entry.
        let clip = p.setting(score_clip);
        let exact = placed.map(|s| if s.abs() == score_clip { clip.at(s) } else { p.given(s) });
        let kl = p.read(&kl);
        let allowed = budget::reward(p, &placed, Some(&kl), beta_kl, &mask);
        let allowed = allowed.zip_map(&exact, |reward, placed| reward.widened(1.001 * placed.off));
        vec![("placed", Want::tokens(&placed, &exact)), ("reward", Want::tokens(&reward, &allowed))]
    };
    Case::new(why, &how, batch, run, wanted)
}
