//! The losses and the number that is minimised.

use super::gradients::{masked, small};
use crate::vectors::case::{Case, case};

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let one = |name: &str, comment: &str| {
        case(name, comment)
            .row("log_probs", [-1.0])
            .row("old_log_probs", [-1.0])
            .row("advantages", [0.5])
            .row("values", [1.0])
            .row("old_values", [1.0])
            .row("returns", [3.0])
    };
    vec![
        one("by-hand", "L_policy = −.5 and L_V = 4, so −.5 + .5 · 4 = 1.5").set("entropy_coef", "0"),
        one("critic-apart", "c_V = 0: the critic has an optimizer of its own")
            .with(&[("vf_coef", "0"), ("entropy_coef", "0")]),
        one("half-twice", "½ inside and .5 outside: a quarter of the squared error, as CleanRL has it")
            .with(&[("vf_half", "true"), ("entropy_coef", "0")]),
        case("entropy-by-hand", "Two equal logits: the entropy ln 2 is taken off a loss, which is minimised")
            .logits(&[[0.0, 0.0]])
            .digits("actions", &["0"])
            .row("old_log_probs", [-0.75])
            .row("advantages", [0.0])
            .with(&[("vf_coef", "0"), ("entropy_coef", "0.25")]),
        small("all-parts", "Policy, value, entropy and KL"),
        small("without-kl", "β_loss = 0: the KL is shown and has no part").set("kl_loss_coef", "0"),
        small("kl-k1", "The KL loss by k1").set("kl_loss_kind", "k1"),
        small("kl-k2", "The KL loss by k2").set("kl_loss_kind", "k2"),
        masked("masked", "Every mean over 4 tokens; masked slots hold NaN"),
        masked("rows-first", "Every mean by rows first").set("loss_agg_mode", "seq-mean-token-mean"),
        masked("summed", "Every part a sum").set("loss_agg_mode", "token-sum"),
        masked("warm", "At temperature .7").set("temperature", "0.7"),
    ]
}
