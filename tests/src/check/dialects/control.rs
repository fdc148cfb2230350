//! Trainers of control: CleanRL, Stable-Baselines3, torchrl, PufferLib.

use super::{Dialect, NO_BOOTSTRAP, PARTS, UNKNOWN};

/// CleanRL's `ppo.py`.
pub(super) const CLEANRL: Dialect = Dialect {
    name: "cleanrl",
    does: &[
        ("done_at", "next-start"),
        ("variance", "sample"),
        ("eps_at", "std"),
        ("eps", "1e-8"),
        ("log_ratio_clamp", "off"),
        ("clip_ratio_c", "off"),
        ("clipfrac", "sign-blind"),
        ("ppo_kl_kind", "k3"),
        ("value_clip_form", "max"),
        ("vf_half", "true"),
        ("loss_agg_mode", "token-mean"),
    ],
    defaults: &[
        ("gamma", "0.99"),
        ("lam", "0.95"),
        ("cliprange", "0.2"),
        ("cliprange_value", "0.2"),
        ("vf_coef", "0.5"),
        ("entropy_coef", "0.01"),
    ],
    forms: &[PARTS, NO_BOOTSTRAP],
    // One ε clips both, so that another ε_v than ε cannot be meant.
    deviations: &[("cliprange_value", "S13"), ("NoBootstrap", "B39")],
    ..UNKNOWN
};

/// Stable-Baselines3.
pub(super) const SB3: Dialect = Dialect {
    name: "sb3",
    does: &[
        ("done_at", "next-start"),
        ("variance", "sample"),
        ("eps_at", "std"),
        ("eps", "1e-8"),
        ("log_ratio_clamp", "off"),
        ("clip_ratio_c", "off"),
        ("clipfrac", "sign-blind"),
        ("ppo_kl_kind", "k3"),
        ("vf_half", "false"),
        ("loss_agg_mode", "token-mean"),
    ],
    defaults: &[
        ("gamma", "0.99"),
        ("lam", "0.95"),
        ("cliprange", "0.2"),
        ("value_clip_form", "off"),
        ("vf_coef", "0.5"),
        ("entropy_coef", "0"),
    ],
    forms: &[PARTS, ("negated-entropy-loss", "entropy_loss")],
    ..UNKNOWN
};

/// torchrl, its critic's loss at `l2`.
pub(super) const TORCHRL: Dialect = Dialect {
    name: "torchrl",
    does: &[
        ("done_at", "transition"),
        ("variance", "sample"),
        ("eps_at", "var-floor"),
        ("eps", "1e-12"),
        ("log_ratio_clamp", "off"),
        ("clip_ratio_c", "off"),
        ("clipfrac", "sign-blind"),
        ("ppo_kl_kind", "k1"),
        ("vf_half", "false"),
        ("loss_agg_mode", "token-mean"),
    ],
    defaults: &[
        ("gamma", "0.99"),
        ("lam", "0.95"),
        ("whiten", "off"),
        ("cliprange", "0.2"),
        ("value_clip_form", "off"),
        ("vf_coef", "1.0"),
        ("entropy_coef", "0.01"),
    ],
    forms: &[PARTS, ("moved-beyond-the-radius", "vf_clipfrac")],
    ..UNKNOWN
};

/// PufferLib 3.0, where importance is 1.
pub(super) const PUFFERLIB: Dialect = Dialect {
    name: "pufferlib",
    does: &[
        ("done_at", "next-start"),
        ("variance", "sample"),
        ("eps_at", "std"),
        ("eps", "1e-8"),
        ("log_ratio_clamp", "off"),
        ("clip_ratio_c", "off"),
        ("clipfrac", "sign-blind"),
        ("ppo_kl_kind", "k3"),
        ("value_clip_form", "max"),
        ("vf_half", "true"),
        ("loss_agg_mode", "token-mean"),
    ],
    defaults: &[
        ("gamma", "0.995"),
        ("lam", "0.9"),
        ("cliprange", "0.2"),
        ("cliprange_value", "0.2"),
        ("vf_coef", "2.0"),
        ("entropy_coef", "0.001"),
    ],
    forms: &[
        PARTS,
        ("TransitionsOneShort", "advantages_raw"),
        ("LastAlwaysZero", "advantages_raw"),
        ("OldValuesRecomputed", "vf_loss"),
    ],
    deviations: &[("TransitionsOneShort", "B36"), ("LastAlwaysZero", "B36"), ("OldValuesRecomputed", "B56")],
    ..UNKNOWN
};
