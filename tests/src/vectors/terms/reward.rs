//! Where the score lands, and the KL penalty beside it.

use crate::vectors::case::{Case, case};

const NAN: f64 = f64::NAN;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let k1 = |case: Case| case.set("kl_coef", "0.1");
    vec![
        k1(g1("g1-k1", "The score at the last valid token, −β KL at every valid one")),
        k1(g1("g1-k3", "The same with k3")).set("kl_estimator", "k3"),
        g1("no-penalty", "β_kl = 0: the score alone, 0 elsewhere"),
        k1(g1("last-attended", "verl's slot: in row 0 a masked one, where nobody is paid")
            .digits("attention_mask", &["111110", "111111"]))
        .set("score_at", "last-attended"),
        k1(g1(
            "first-pad",
            "TRL's slot, the one after the last valid token; row 1 has none, so its last token is paid",
        ))
        .rows("old_log_probs", &[[0.1, -0.2, 0.3, 0.05, 0.0, 0.0], [0.2, 0.1, 0.0, 0.0, -0.1, 0.4]])
        .rows("ref_log_probs", &[[0.0; 6]; 2])
        .set("score_at", "first-pad"),
        case("per-token", "One score a token: a process reward")
            .mask(&["1101"])
            .row("scores", [0.25, -0.5, NAN, 1.0])
            .set("score_at", "per-token"),
        case("clipped", "Scores of 7 and −12, within 5: DeepSpeed-Chat's bound")
            .mask(&["110", "111", "100"])
            .per_row("scores", &[7.0, -12.0, 4.5])
            .set("score_clip", "5"),
        case("at-the-bound", "A score exactly at its bound")
            .mask(&["11", "11"])
            .per_row("scores", &[10.0, -10.0])
            .set("score_clip", "10"),
        case(
            "square",
            "As many rows as tokens: a (B) score added to (B, L) pays token t of every row score t",
        )
        .mask(&["11", "11"])
        .per_row("scores", &[1.0, 2.0]),
        k1(case("square-with-a-penalty", "The same with padding and a penalty")
            .mask(&["111", "110", "100"])
            .per_row("scores", &[1.0, -2.0, 0.5])
            .rows("old_log_probs", &[[-1.0, -0.5, -2.0], [-0.25, -1.5, NAN], [-0.75, NAN, NAN]])
            .rows("ref_log_probs", &[[-1.25, -0.25, -2.5], [-0.5, -1.0, NAN], [-1.75, NAN, NAN]])),
        case("one-token", "One valid token gets it all").mask(&["100"]).per_row("scores", &[1.5]),
        case("empty-row", "A row without tokens: its score, NaN here, is paid to nobody")
            .mask(&["110", "000", "111"])
            .per_row("scores", &[1.0, NAN, -1.0]),
        case("leading-gap", "Left padding: the last valid token is where it ends")
            .mask(&["0011", "0110"])
            .per_row("scores", &[2.0, 3.0]),
        k1(case("bounded-penalty", "verl's k3 at k1 = −25 costs β · 10, not β · 7e10")
            .mask(&["11"])
            .per_row("scores", &[1.0])
            .row("old_log_probs", [-26.0, -1.0])
            .row("ref_log_probs", [-1.0, -1.5]))
        .with(&[("kl_estimator", "k3"), ("kl_clamp_in", "20"), ("kl_clamp_out", "10")]),
        case("large-penalty", "β_kl = 2: added and not taken off, it would pay for drifting away")
            .row("old_log_probs", [-0.5, -1.0, -0.25])
            .row("ref_log_probs", [-1.5, -3.0, -0.75])
            .row("log_probs", [-0.75, -1.25, -0.5])
            .per_row("scores", &[1.0])
            .set("kl_coef", "2"),
    ]
}

/// Figure G1: scores 1 and −.5, β = .1.
fn g1(name: &str, comment: &str) -> Case {
    case(name, comment)
        .mask(&["111100", "110011"])
        .per_row("scores", &[1.0, -0.5])
        .rows("old_log_probs", &[[0.1, -0.2, 0.3, 0.05, NAN, 1e30], [0.2, 0.1, NAN, NAN, -0.1, 0.4]])
        .rows("ref_log_probs", &[[0.0, 0.0, 0.0, 0.0, NAN, NAN], [0.0, 0.0, 7.0, NAN, 0.0, 0.0]])
}
