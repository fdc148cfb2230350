//! What trainers choose at every point, as data: whose step a file is checked against, or seems to be.
//!
//! What a trainer's code does is a claim where `dialect` names it; what its users set (γ, λ, radii, coefficients) is
//! only the number that stands where the file says none.

use super::choices::same_value;
use crate::dump::{BadInput, Chosen, Source, plain};

/// One trainer.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// Its name, as `dialect` takes it.
    pub name: &'static str,
    /// What its code does, as settings.
    pub does: &'static [(&'static str, &'static str)],
    /// What its configuration has where a user says nothing.
    pub defaults: &'static [(&'static str, &'static str)],
}

/// What most of them do: the larger of two squared errors, and ½ before it.
const MAX_AND_HALF: [(&str, &str); 2] = [("value_clip_form", "max"), ("vf_half", "true")];

/// The numbers of the post's listing.
const POST_DEFAULTS: [(&str, &str); 4] =
    [("gamma", "1"), ("lam", "0.95"), ("cliprange_value", "0.2"), ("vf_coef", "0.5")];

/// The trainers. Those of verl (0.9.1) and OpenRLHF (0.11.2), and GAE of SB3 (2.9.2), are held to what their functions
/// compute; the others were read, not run.
pub const DIALECTS: &[Dialect] = &[
    Dialect {
        name: "post",
        does: &[("value_clip_form", "max"), ("vf_half", "false"), ("eps_at", "std"), ("variance", "sample")],
        defaults: &POST_DEFAULTS,
    },
    Dialect {
        name: "post-as-printed",
        does: &[
            ("listing", "as-printed"),
            ("value_clip_form", "max"),
            ("vf_half", "false"),
            ("eps_at", "std"),
            ("variance", "sample"),
        ],
        defaults: &POST_DEFAULTS,
    },
    Dialect {
        name: "verl",
        does: &[
            ("gap", "skip"),
            ("variance", "sample"),
            ("eps_at", "under-root"),
            ("log_ratio_clamp", "20"),
            ("clipfrac", "effective"),
            ("ppo_kl_kind", "k1"),
            ("ppo_kl_of", "clamped"),
            MAX_AND_HALF[0],
            MAX_AND_HALF[1],
        ],
        defaults: &[
            ("gamma", "1"),
            ("lam", "1"),
            ("clip_ratio_c", "3"),
            ("cliprange_value", "0.5"),
            ("entropy_coef", "0"),
        ],
    },
    Dialect {
        name: "trl",
        does: &[
            ("score_at", "first-pad"),
            ("variance", "sample"),
            ("eps_at", "under-root"),
            ("log_ratio_clamp", "off"),
            ("clip_ratio_c", "off"),
            ("clipfrac", "effective"),
            ("entropy_coef", "0"),
            MAX_AND_HALF[0],
            MAX_AND_HALF[1],
        ],
        defaults: &[("gamma", "1"), ("lam", "0.95"), ("kl_coef", "0.05"), ("vf_coef", "0.1")],
    },
    Dialect {
        name: "trl-0.11",
        does: &[
            ("score_at", "last-valid"),
            ("gap", "decay"),
            ("variance", "sample"),
            ("eps_at", "under-root"),
            ("log_ratio_clamp", "off"),
            ("clip_ratio_c", "off"),
            ("clipfrac", "effective"),
            ("ppo_kl_kind", "k2"),
            ("entropy_coef", "0"),
            MAX_AND_HALF[0],
            MAX_AND_HALF[1],
        ],
        defaults: &[("gamma", "1"), ("lam", "0.95"), ("kl_coef", "0.2"), ("vf_coef", "0.1")],
    },
    Dialect {
        name: "openrlhf",
        does: &[
            ("kl_clamp_out", "10"),
            ("score_at", "last-valid"),
            ("gap", "decay"),
            ("variance", "population"),
            ("eps_at", "var-floor"),
            ("log_ratio_clamp", "20"),
            ("clipfrac", "effective"),
            ("ppo_kl_kind", "k1"),
            ("ppo_kl_of", "raw"),
            MAX_AND_HALF[0],
            MAX_AND_HALF[1],
        ],
        defaults: &[
            ("gamma", "1"),
            ("lam", "1"),
            ("kl_coef", "0.01"),
            ("score_clip", "10"),
            ("cliprange_value", "0.5"),
            ("entropy_coef", "0"),
        ],
    },
    Dialect {
        name: "deepspeed-chat",
        does: &[
            ("kl_estimator", "k1"),
            ("whiten", "off"),
            ("log_ratio_clamp", "off"),
            ("clip_ratio_c", "off"),
            ("entropy_coef", "0"),
            MAX_AND_HALF[0],
            MAX_AND_HALF[1],
        ],
        defaults: &[("gamma", "1"), ("lam", "0.95"), ("kl_coef", "0.1"), ("score_clip", "5")],
    },
    Dialect {
        name: "nemo-rl",
        does: &[
            ("kl_clamp_in", "20"),
            ("kl_clamp_out", "10"),
            ("score_at", "last-valid"),
            ("gap", "skip"),
            ("variance", "sample"),
            ("eps_at", "under-root"),
            ("log_ratio_clamp", "off"),
            MAX_AND_HALF[0],
            MAX_AND_HALF[1],
        ],
        defaults: &[("gamma", "1"), ("lam", "0.95"), ("kl_estimator", "k3"), ("entropy_coef", "0")],
    },
    Dialect {
        name: "cleanrl",
        does: &[
            ("done_at", "next-start"),
            ("variance", "sample"),
            ("eps_at", "std"),
            ("log_ratio_clamp", "off"),
            ("clip_ratio_c", "off"),
            ("clipfrac", "sign-blind"),
            ("ppo_kl_kind", "k3"),
            MAX_AND_HALF[0],
            MAX_AND_HALF[1],
        ],
        defaults: &[("gamma", "0.99"), ("lam", "0.95"), ("vf_coef", "0.5"), ("entropy_coef", "0.01")],
    },
    Dialect {
        name: "sb3",
        does: &[
            ("done_at", "next-start"),
            ("variance", "sample"),
            ("eps_at", "std"),
            ("log_ratio_clamp", "off"),
            ("clip_ratio_c", "off"),
            ("clipfrac", "sign-blind"),
            ("ppo_kl_kind", "k3"),
            ("vf_half", "false"),
        ],
        defaults: &[
            ("gamma", "0.99"),
            ("lam", "0.95"),
            ("value_clip_form", "off"),
            ("vf_coef", "0.5"),
            ("entropy_coef", "0"),
        ],
    },
];

/// The dialect of that name.
///
/// # Errors
///
/// If there is none.
pub fn find(name: &str) -> Result<&'static Dialect, BadInput> {
    DIALECTS.iter().find(|dialect| dialect.name == name).ok_or_else(|| {
        let names: Vec<&str> = DIALECTS.iter().map(|dialect| dialect.name).collect();
        BadInput::new(format!("`dialect` is `{}` and must be one of {}", plain(name), names.join(", ")))
    })
}

impl Dialect {
    /// What a flag or the file states otherwise than its code does, one sentence each.
    pub(super) fn departures(&self, said: &Chosen) -> Vec<String> {
        let stated = self.does.iter().filter_map(|(key, does)| {
            let setting = said.setting(key).filter(|setting| setting.from != Source::Default)?;
            let value = plain(&setting.value);
            (!same_value(&value, does)).then(|| {
                format!("{key} is {value} by the {}, and the code of {} has {does}", setting.from, self.name)
            })
        });
        stated.collect()
    }

    /// These flags, and what the dialect has where neither they nor the file say anything.
    pub(super) fn under(&self, said: &Chosen, flags: &[(String, String)]) -> Vec<(String, String)> {
        let open = |(key, _): &&(&str, &str)| {
            said.setting(key).is_some_and(|setting| setting.from == Source::Default)
        };
        let own = self.does.iter().chain(self.defaults).filter(open);
        let own = own.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        flags.iter().cloned().chain(own).collect()
    }
}
