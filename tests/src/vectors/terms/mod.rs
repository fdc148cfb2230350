//! The inputs of every case, a file a term. A case is there for what its comment says; what comes out is computed.

mod aggregate;
mod entropy;
mod gae;
mod gradients;
mod kl;
mod log_prob;
mod policy_loss;
mod returns;
mod reward;
mod step;
mod total_loss;
mod value_loss;
mod whiten;

use super::case::Case;

/// One file of vectors.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    /// Its stem, which is also the name of the function that a runner calls.
    pub stem: &'static str,
    /// What is compared, as far as a case has its inputs, in the order of the step.
    pub outputs: &'static [&'static str],
    /// The settings that a file states, by groups. One that the right formula does not read is here because a mistake does.
    pub keys: &'static [&'static [&'static str]],
    /// The cases.
    pub cases: fn() -> Vec<Case>,
}

/// What a mean over tokens is made by.
const MEAN: &[&str] = &["loss_agg_mode", "loss_scale_factor", "count_empty_rows"];
const ESTIMATE: &[&str] = &["kl_estimator", "kl_clamp_in", "kl_clamp_out"];
const WHITENING: &[&str] = &["variance", "eps_at", "eps", "shift_mean"];
const RADII: &[&str] = &["cliprange_low", "cliprange_high"];
const BOUNDS: &[&str] = &["clip_ratio_c", "log_ratio_clamp"];
const LOGGED: &[&str] = &["clipfrac", "ppo_kl_kind", "ppo_kl_of"];
const VALUE: &[&str] = &["cliprange_value", "value_clip_form", "vf_half"];
const TOTAL: &[&str] = &["kl_loss_kind", "vf_coef", "entropy_coef", "kl_loss_coef"];

/// Every file, in the order of the step.
pub const TERMS: &[Term] = &[
    Term { stem: "log_prob", outputs: &["log_probs"], keys: &[&["temperature"]], cases: log_prob::cases },
    Term { stem: "kl", outputs: &["kl"], keys: &[ESTIMATE], cases: kl::cases },
    Term {
        stem: "reward",
        outputs: &["kl", "token_rewards"],
        keys: &[&["score_at", "score_clip", "kl_coef"], ESTIMATE],
        cases: reward::cases,
    },
    Term {
        stem: "gae",
        outputs: &["advantages_raw"],
        keys: &[&["gamma", "lam", "gap", "done_at"]],
        cases: gae::cases,
    },
    Term { stem: "whiten", outputs: &["whitened"], keys: &[WHITENING], cases: whiten::cases },
    Term {
        stem: "returns",
        outputs: &["returns"],
        keys: &[&["gamma", "lam", "lam_critic", "gap"]],
        cases: returns::cases,
    },
    Term {
        stem: "policy_loss",
        outputs: &["ratio", "pg_loss", "pg_clipfrac", "pg_clipfrac_lower", "ppo_kl"],
        keys: &[RADII, BOUNDS, LOGGED, MEAN],
        cases: policy_loss::cases,
    },
    Term {
        stem: "value_loss",
        outputs: &["vf_loss", "vf_clipfrac"],
        keys: &[VALUE, &["cliprange"], MEAN],
        cases: value_loss::cases,
    },
    Term {
        stem: "entropy",
        outputs: &["entropy", "entropy_loss"],
        keys: &[&["entropy_temperature"], MEAN],
        cases: entropy::cases,
    },
    Term { stem: "aggregate", outputs: &["aggregate"], keys: &[MEAN], cases: aggregate::cases },
    Term {
        stem: "total_loss",
        outputs: &["entropy_loss", "kl_loss", "total_loss"],
        keys: &[RADII, VALUE, &["temperature"], TOTAL, MEAN],
        cases: total_loss::cases,
    },
    Term {
        stem: "gradients",
        outputs: &["grad_log_probs", "grad_values", "grad_logits"],
        keys: &[&["grad_of"], RADII, BOUNDS, VALUE, &["temperature", "entropy_temperature"], TOTAL, MEAN],
        cases: gradients::cases,
    },
    Term {
        stem: "step",
        outputs: &[
            "token_rewards",
            "advantages_raw",
            "whitened",
            "returns",
            "pg_loss",
            "vf_loss",
            "entropy_loss",
            "kl_loss",
            "total_loss",
            "grad_log_probs",
            "grad_values",
            "grad_logits",
        ],
        keys: &[
            &["kl_coef"],
            ESTIMATE,
            &["score_at", "score_clip", "gamma", "lam", "lam_critic", "gap", "done_at", "whiten"],
            WHITENING,
            RADII,
            BOUNDS,
            LOGGED,
            VALUE,
            &["temperature", "entropy_temperature"],
            TOTAL,
            MEAN,
        ],
        cases: step::cases,
    },
];

impl Term {
    /// The settings that its file states, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().copied().flatten().copied()
    }
}
