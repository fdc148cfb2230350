//! Trainers of language models, of which several versions are known: verl, TRL, OpenRLHF.

use super::{Dialect, NO_BOOTSTRAP, PARTS, Says, UNKNOWN};

/// k3 is clamped on both sides, the others are not: verl.
const K3_CLAMPED: &[(&str, &[Says])] = &[
    ("k1", &[("kl_clamp_in", "off"), ("kl_clamp_out", "off")]),
    ("k2", &[("kl_clamp_in", "off"), ("kl_clamp_out", "off")]),
    ("abs", &[("kl_clamp_in", "off"), ("kl_clamp_out", "off")]),
    ("k3", &[("kl_clamp_in", "20"), ("kl_clamp_out", "10")]),
];

/// verl, 0.9.
pub(super) const VERL: Dialect = Dialect {
    name: "verl",
    does: &[
        ("gap", "skip"),
        ("variance", "sample"),
        ("eps_at", "under-root"),
        ("eps", "1e-8"),
        ("shift_mean", "true"),
        ("log_ratio_clamp", "20"),
        ("clipfrac", "effective"),
        ("ppo_kl_kind", "k1"),
        ("ppo_kl_of", "clamped"),
        ("value_clip_form", "max"),
        ("vf_half", "true"),
    ],
    defaults: &[
        ("gamma", "1"),
        ("lam", "1"),
        ("kl_estimator", "k1"),
        ("cliprange", "0.2"),
        ("clip_ratio_c", "3"),
        ("cliprange_value", "0.5"),
        ("entropy_coef", "0"),
        ("kl_loss_kind", "k3"),
        ("loss_agg_mode", "token-mean"),
    ],
    of_kl: K3_CLAMPED,
    forms: &[("ScoreUnderTheMask", "token_rewards"), NO_BOOTSTRAP],
    deviations: &[("ScoreUnderTheMask", "B7"), ("NoBootstrap", "B21")],
    ..UNKNOWN
};

/// verl 0.7, whose sum-norm has no mean over the sequences.
pub(super) const VERL_0_7: Dialect = Dialect {
    name: "verl-0.7",
    means: &[("loss_agg_mode", "seq-mean-token-sum-norm", "token-sum-norm")],
    deviations: &[("ScoreUnderTheMask", "B7"), ("NoBootstrap", "B21"), ("loss_agg_mode", "B68")],
    ..VERL
};

/// TRL, the experimental PPO of 1.8.
pub(super) const TRL: Dialect = Dialect {
    name: "trl",
    does: &[
        ("kl_clamp_in", "off"),
        ("kl_clamp_out", "off"),
        ("score_at", "first-pad"),
        ("variance", "sample"),
        ("eps_at", "under-root"),
        ("eps", "1e-8"),
        ("log_ratio_clamp", "off"),
        ("clip_ratio_c", "off"),
        ("clipfrac", "effective"),
        ("ppo_kl_kind", "k2"),
        ("value_clip_form", "max"),
        ("vf_half", "true"),
        ("loss_agg_mode", "token-mean"),
        ("entropy_coef", "0"),
    ],
    defaults: &[
        ("gamma", "1"),
        ("lam", "0.95"),
        ("kl_estimator", "k1"),
        ("kl_coef", "0.05"),
        ("cliprange", "0.2"),
        ("cliprange_value", "0.2"),
        ("vf_coef", "0.1"),
    ],
    forms: &[
        PARTS,
        ("whitened-rewards", "token_rewards"),
        ("whitened-rewards", "advantages_raw"),
        ("MeanOverPadding", "ppo_kl"),
        NO_BOOTSTRAP,
    ],
    deviations: &[("score_at", "B20"), ("MeanOverPadding", "B12"), ("NoBootstrap", "B21")],
    ..UNKNOWN
};

/// TRL 0.11, with the value head on the shared backbone.
pub(super) const TRL_0_11: Dialect = Dialect {
    name: "trl-0.11",
    does: &[
        ("kl_clamp_in", "off"),
        ("kl_clamp_out", "off"),
        ("score_at", "last-valid"),
        ("gap", "decay"),
        ("variance", "sample"),
        ("eps_at", "under-root"),
        ("eps", "1e-8"),
        ("log_ratio_clamp", "off"),
        ("clip_ratio_c", "off"),
        ("clipfrac", "effective"),
        ("ppo_kl_kind", "k2"),
        ("value_clip_form", "max"),
        ("vf_half", "true"),
        ("loss_agg_mode", "token-mean"),
        ("entropy_coef", "0"),
    ],
    defaults: &[
        ("gamma", "1"),
        ("lam", "0.95"),
        ("kl_estimator", "k1"),
        ("kl_coef", "0.2"),
        ("cliprange", "0.2"),
        ("cliprange_value", "0.2"),
        ("vf_coef", "0.1"),
    ],
    forms: &[PARTS, ("WhitenedPadsLeak", "advantages_raw"), NO_BOOTSTRAP],
    deviations: &[("WhitenedPadsLeak", "B50"), ("NoBootstrap", "B21")],
    ..UNKNOWN
};

/// OpenRLHF, 0.11.
pub(super) const OPENRLHF: Dialect = Dialect {
    name: "openrlhf",
    does: &[
        ("kl_clamp_in", "off"),
        ("kl_clamp_out", "10"),
        ("score_at", "last-valid"),
        ("gap", "decay"),
        ("variance", "population"),
        ("eps_at", "var-floor"),
        ("eps", "1e-8"),
        ("log_ratio_clamp", "20"),
        ("clipfrac", "effective"),
        ("ppo_kl_kind", "k1"),
        ("ppo_kl_of", "raw"),
        ("value_clip_form", "max"),
        ("vf_half", "true"),
    ],
    defaults: &[
        ("gamma", "1"),
        ("lam", "1"),
        ("kl_estimator", "k1"),
        ("kl_coef", "0.01"),
        ("score_clip", "10"),
        ("cliprange", "0.2"),
        ("clip_ratio_c", "off"),
        ("cliprange_value", "0.5"),
        ("entropy_coef", "0"),
        ("loss_agg_mode", "token-mean"),
    ],
    forms: &[("centred-only", "whitened"), ("EntropyBeforeTemperature", "entropy"), NO_BOOTSTRAP],
    deviations: &[("EntropyBeforeTemperature", "B83"), ("NoBootstrap", "B21")],
    ..UNKNOWN
};
