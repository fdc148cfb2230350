//! Gradients: of one loss in what it reads, and of the total in the logits.

use super::policy_loss::{G7, of};
use crate::vectors::case::{Case, case};

const NAN: f64 = f64::NAN;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = of_policy();
    all.extend(of_values());
    all.extend(of_others());
    all
}

/// ρ and Â of each token, and the gradient of the policy loss alone.
fn policy<const L: usize>(name: &str, comment: &str, ratio: [f64; L], adv: [f64; L]) -> Case {
    of(name, comment, ratio, adv).set("grad_of", "pg_loss")
}

fn of_policy() -> Vec<Case> {
    vec![
        policy("ratio", "Inside the clip: −ρ A over n", [0.9, 1.1], [1.0, -2.0]),
        policy("clipped", "0 where the clip made the loss another, −ρ A where it did not", G7.0, G7.1),
        policy("dual", "0 where the dual clip holds the loss too", G7.0, G7.1).set("clip_ratio_c", "3"),
        policy("log-ratio-bound", "0 beyond the bound on log ρ", [0.9, 4.0], [1.0, -1.0])
            .set("log_ratio_clamp", "1"),
        policy(
            "at-the-bounds",
            "ρ at its bounds: either branch's gradient, or one between",
            [0.75, 1.25],
            [-1.0, 1.0],
        )
        .with(&[("cliprange_low", "0.25"), ("cliprange_high", "0.25")]),
        policy("weighted", "Importance weights multiply it", [0.9, 1.1], [1.0, -2.0])
            .row("rollout_is_weights", [2.0, 0.25]),
    ]
}

fn of_values() -> Vec<Case> {
    let g5 = |name: &str, comment: &str| {
        case(name, comment)
            .row("values", [0.5, -0.5, 0.5, 0.1])
            .row("old_values", [0.0; 4])
            .row("returns", [1.0, 1.0, 0.2, 1.0])
            .set("grad_of", "vf_loss")
    };
    let tie = |name: &str, comment: &str| {
        case(name, comment)
            .row("values", [0.75, 0.25])
            .row("old_values", [0.5, 0.5])
            .row("returns", [2.0, -1.0])
            .with(&[("grad_of", "vf_loss"), ("cliprange_value", "0.25")])
    };
    vec![
        g5("g5-max", "Figure G5: 0, −3, .6 and −1.8, over 4"),
        g5("g5-clipped-only", "0 outside the range, even where V moved away: stuck")
            .set("value_clip_form", "clipped-only"),
        g5("g5-off", "2 (V − R) everywhere").set("value_clip_form", "off"),
        g5("g5-half", "With ½ in front").set("vf_half", "true"),
        tie("value-at-the-bounds", "V exactly at its bounds: either branch's gradient, or one between"),
        tie("value-at-the-bounds-clipped-only", "The same for the clipped form alone")
            .set("value_clip_form", "clipped-only"),
    ]
}

fn of_others() -> Vec<Case> {
    let kl = |kind: &str, comment: &str| {
        case(format!("kl-{kind}"), comment)
            .row("log_probs", [-1.0, -2.5, -0.5])
            .row("old_log_probs", [-1.0, -2.0, -0.75])
            .row("ref_log_probs", [-1.5, -1.0, -0.5])
            .row("advantages", [1.0, -1.0, 0.5])
            .with(&[("grad_of", "kl_loss"), ("kl_loss_kind", kind)])
    };
    let ent = |name: &str, comment: &str| {
        case(name, comment)
            .logits(&[[0.5, -0.25, 1.0], [2.0, 0.0, -1.5]])
            .digits("actions", &["02"])
            .row("old_log_probs", [-1.0, -3.0])
            .row("advantages", [1.0, -1.0])
            .set("grad_of", "entropy_loss")
    };
    vec![
        kl("k1", "1 / n whatever the policies are: no pull towards the reference"),
        kl("k2", "k1 / n"),
        kl("k3", "(1 − exp(−k1)) / n"),
        kl("k3+", "verl's straight-through form: the value of k3, the gradient of k2"),
        ent("entropy", "Of the mean entropy in the logits, which a descent on −c_H H follows up"),
        ent("entropy-warm", "The same at temperature ½: once more by 1/τ").set("temperature", "0.5"),
        ent("policy-through-logits", "Of the policy loss: (1[v = a] − π_v) times that of log π")
            .set("grad_of", "pg_loss"),
        small("total", "Of all parts together"),
        masked("total-masked", "0 in every masked slot, whatever stands there"),
        masked("total-rows-first", "By rows first: a token of a short row weighs more")
            .set("loss_agg_mode", "seq-mean-token-mean"),
        masked("total-warm", "At temperature .7").set("temperature", "0.7"),
    ]
}

/// Two tokens of three words, with every part of the loss.
pub(super) fn small(name: &str, comment: &str) -> Case {
    case(name, comment)
        .logits(&[[0.5, -0.25, 1.0], [2.0, 0.0, -1.5]])
        .digits("actions", &["01"])
        .row("old_log_probs", [-1.0, -2.25])
        .row("ref_log_probs", [-1.5, -1.75])
        .row("advantages", [1.0, -0.75])
        .row("values", [0.5, -0.25])
        .row("old_values", [0.0, 0.0])
        .row("returns", [1.0, -1.0])
        .with(&[("entropy_coef", "0.02"), ("kl_loss_coef", "0.1")])
}

/// Rows of three tokens, one and none, of two words each.
pub(super) fn masked(name: &str, comment: &str) -> Case {
    let logits = vec![
        0.0, 1.0, 0.0, -2.0, NAN, NAN, 0.75, 1.0, //
        1e30, 0.0, 0.5, 0.0, NAN, NAN, 0.0, NAN, //
        NAN, NAN, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    ];
    case(name, comment)
        .mask(&["1101", "0100", "0000"])
        .tensor("logits", &[3, 4, 2], logits)
        .digits("actions", &["1001", "1111", "0000"])
        .rows("old_log_probs", &[[-0.5, -0.25, NAN, -0.75], [NAN, -1.0, 0.0, -200.0], [NAN; 4]])
        .rows("ref_log_probs", &[[-0.75, -0.125, NAN, -0.5], [NAN, -0.5, 0.0, 0.0], [NAN; 4]])
        .rows("advantages", &[[1.0, -0.5, NAN, 2.0], [NAN, -1.5, 1e30, 0.0], [NAN; 4]])
        .rows("values", &[[0.5, -0.5, NAN, 0.1], [7.0, 1.5, NAN, 7.0], [NAN; 4]])
        .rows("old_values", &[[0.0, 0.0, 7.0, 0.0], [NAN, 1.0, 7.0, 7.0], [NAN; 4]])
        .rows("returns", &[[1.0, 1.0, NAN, 1.0], [7.0, 2.5, 7.0, NAN], [NAN; 4]])
        .with(&[("entropy_coef", "0.02"), ("kl_loss_coef", "0.1")])
}
