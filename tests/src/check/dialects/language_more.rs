//! More trainers of language models: DeepSpeed-Chat, NeMo-RL, open-instruct.

use super::{Dialect, NO_BOOTSTRAP, UNKNOWN};

/// DeepSpeed-Chat.
pub(super) const DEEPSPEED_CHAT: Dialect = Dialect {
    name: "deepspeed-chat",
    does: &[
        ("kl_estimator", "k1"),
        ("kl_clamp_in", "off"),
        ("kl_clamp_out", "off"),
        ("whiten", "off"),
        ("log_ratio_clamp", "off"),
        ("clip_ratio_c", "off"),
        ("value_clip_form", "max"),
        ("vf_half", "true"),
        ("loss_agg_mode", "token-mean"),
        ("entropy_coef", "0"),
    ],
    defaults: &[
        ("gamma", "1"),
        ("lam", "0.95"),
        ("kl_coef", "0.1"),
        ("score_clip", "5"),
        ("cliprange", "0.2"),
        ("cliprange_value", "0.2"),
    ],
    forms: &[("ScorePastTheEnd", "token_rewards"), ("SlotPastTheEnd", "advantages_raw"), NO_BOOTSTRAP],
    deviations: &[("ScorePastTheEnd", "B18"), ("SlotPastTheEnd", "B18"), ("NoBootstrap", "B21")],
    ..UNKNOWN
};

/// NeMo-RL.
pub(super) const NEMO_RL: Dialect = Dialect {
    name: "nemo-rl",
    does: &[
        ("kl_clamp_in", "20"),
        ("kl_clamp_out", "10"),
        ("score_at", "last-valid"),
        ("gap", "skip"),
        ("variance", "sample"),
        ("eps_at", "under-root"),
        ("eps", "1e-8"),
        ("log_ratio_clamp", "off"),
        ("value_clip_form", "max"),
        ("vf_half", "true"),
        ("entropy_coef", "0"),
    ],
    defaults: &[
        ("gamma", "1"),
        ("lam", "0.95"),
        ("kl_estimator", "k3"),
        ("cliprange", "0.2"),
        ("cliprange_value", "0.2"),
        ("loss_agg_mode", "token-mean"),
    ],
    forms: &[("scaled", "vf_loss"), NO_BOOTSTRAP],
    deviations: &[("NoBootstrap", "B21")],
    ..UNKNOWN
};

/// open-instruct, its packed rows.
pub(super) const OPEN_INSTRUCT: Dialect = Dialect {
    name: "open-instruct",
    does: &[
        ("score_at", "last-valid"),
        ("variance", "population"),
        ("eps_at", "std"),
        ("eps", "1e-8"),
        ("log_ratio_clamp", "off"),
        ("clip_ratio_c", "off"),
        ("value_clip_form", "max"),
        ("vf_half", "true"),
        ("entropy_coef", "0"),
    ],
    defaults: &[
        ("gamma", "1"),
        ("lam", "1"),
        ("gap", "cut"),
        ("cliprange", "0.2"),
        ("cliprange_value", "0.2"),
        ("kl_loss_kind", "k3"),
        ("loss_agg_mode", "token-mean"),
    ],
    forms: &[("cut-after-first-gap-token", "advantages_raw"), NO_BOOTSTRAP],
    deviations: &[("NoBootstrap", "B21")],
    ..UNKNOWN
};
