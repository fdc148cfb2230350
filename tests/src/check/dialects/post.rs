//! The post, and its listing.

use super::{Dialect, Says, UNKNOWN};

/// The numbers of the post's listing.
const POST_DEFAULTS: &[Says] = &[
    ("gamma", "1"),
    ("lam", "0.95"),
    ("cliprange_value", "0.2"),
    ("vf_coef", "0.5"),
    ("entropy_coef", "0.01"),
];

/// The post, with its errata put right.
pub(super) const POST: Dialect = Dialect {
    name: "post",
    does: &[
        ("value_clip_form", "max"),
        ("vf_half", "false"),
        ("eps_at", "std"),
        ("eps", "1e-8"),
        ("variance", "sample"),
        ("log_ratio_clamp", "off"),
        ("clip_ratio_c", "off"),
    ],
    defaults: POST_DEFAULTS,
    ..UNKNOWN
};

/// The post's listing as it stands on the page.
pub(super) const POST_AS_PRINTED: Dialect = Dialect {
    name: "post-as-printed",
    does: &[
        ("listing", "as-printed"),
        ("value_clip_form", "max"),
        ("vf_half", "false"),
        ("eps_at", "std"),
        ("eps", "1e-8"),
        ("variance", "sample"),
        ("log_ratio_clamp", "off"),
        ("clip_ratio_c", "off"),
    ],
    defaults: POST_DEFAULTS,
    forms: &[("ScoreBroadcast", "token_rewards")],
    deviations: &[("listing", "S1, S8"), ("ScoreBroadcast", "S6")],
    ..UNKNOWN
};
