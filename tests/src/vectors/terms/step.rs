//! The whole step, from scores and logits to the gradient in the logits.

use crate::vectors::case::{Case, case};

const NAN: f64 = f64::NAN;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        rollout("corrected", "The post's step, corrected"),
        rollout("verl", "verl's choices").with(&[
            ("score_at", "last-attended"),
            ("eps_at", "under-root"),
            ("log_ratio_clamp", "20"),
            ("clip_ratio_c", "3"),
            ("ppo_kl_of", "clamped"),
            ("cliprange_value", "0.5"),
            ("vf_half", "true"),
            ("entropy_coef", "0.001"),
        ]),
        rollout("openrlhf", "OpenRLHF's choices").with(&[
            ("kl_clamp_out", "10"),
            ("score_clip", "10"),
            ("gap", "decay"),
            ("variance", "population"),
            ("eps_at", "var-floor"),
            ("log_ratio_clamp", "20"),
            ("cliprange_value", "0.5"),
            ("vf_half", "true"),
        ]),
        square(),
    ]
}

/// A row with a gap, one with two episodes that was cut off, one of a single token.
fn rollout(name: &str, comment: &str) -> Case {
    let logits = vec![
        0.5, -0.25, 1.0, 0.0, 1.5, -1.0, NAN, NAN, NAN, 2.0, 0.0, -1.5, //
        -0.5, 0.25, 0.0, 1.0, 1.0, -1.0, 0.0, 0.75, -0.25, -2.0, 0.5, 1.25, //
        0.25, 0.5, -0.5, 1e30, NAN, 0.0, NAN, 0.0, 0.0, 0.0, 0.0, NAN,
    ];
    case(name, comment)
        .mask(&["1101", "1111", "1000"])
        .digits("attention_mask", &["1111", "1111", "1100"])
        .per_row("scores", &[1.0, -0.5, 2.0])
        .tensor("logits", &[3, 4, 3], logits)
        .digits("actions", &["2101", "0121", "1222"])
        .rows(
            "old_log_probs",
            &[[-0.75, -0.25, NAN, -2.0], [-1.5, -1.0, -1.25, -2.5], [-0.5, -0.25, 1e30, NAN]],
        )
        .rows(
            "ref_log_probs",
            &[[-1.0, -0.5, NAN, -1.75], [-1.25, -1.5, -1.0, -2.0], [-1.0, -0.75, -1e30, NAN]],
        )
        .rows("old_values", &[[0.25, 0.5, NAN, -0.25], [0.0, 0.75, -0.5, 0.5], [1.0, 9.0, NAN, 9.0]])
        .rows("values", &[[0.75, 0.375, NAN, 0.25], [0.125, 0.5, 0.0, -0.25], [1.5, NAN, 9.0, 9.0]])
        .digits("terminated", &["0000", "0100", "0000"])
        .per_row("truncated", &[0.0, 1.0, 0.0])
        .per_row("last_values", &[NAN, 0.75, NAN])
        .with(&[("gamma", "0.9"), ("lam", "0.8"), ("kl_coef", "0.1"), ("kl_loss_coef", "0.05")])
        .set("temperature", "0.7")
}

/// As many rows as tokens, and nothing masked: what broadcasts does.
fn square() -> Case {
    case("square", "B = L = 2, nothing masked: a tensor of the wrong shape broadcasts without a word")
        .per_row("scores", &[1.0, 2.0])
        .tensor("logits", &[2, 2, 2], vec![0.5, -0.5, 1.0, 0.0, -0.25, 0.25, 0.0, 1.5])
        .digits("actions", &["01", "10"])
        .rows("old_log_probs", &[[-0.5, -1.0], [-0.75, -1.5]])
        .rows("ref_log_probs", &[[-0.25, -1.25], [-1.0, -1.0]])
        .rows("old_values", &[[0.5, -0.25], [0.25, 1.0]])
        .rows("values", &[[0.25, 0.25], [0.75, 0.5]])
        .with(&[("gamma", "0.9"), ("lam", "0.8"), ("kl_coef", "0.1")])
}
