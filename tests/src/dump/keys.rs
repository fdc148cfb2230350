//! The table of settings: each key with its spellings, default, legal values and meaning.

use super::draft::{
    Draft, agg, at_least_zero, clip_frac, done_at, eps_at, finite, gap, grad_of, kl, kl_loss, kl_of, listing,
    name_or_off, or_off, positive, radius, score_at, switch, unit, value_clip, variance, whiten_over,
};
use reference::{CountRows, Half, ShiftMean};
use std::fmt;

/// One key of the settings.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As metadata spells it, in snake_case; a flag is the same in kebab-case.
    pub name: &'static str,
    /// Other spellings.
    pub also: &'static [&'static str],
    /// What stands where the key is not given.
    pub default: Fallback,
    /// The legal values, to be read after "must be".
    pub legal: &'static str,
    /// What it is.
    pub meaning: &'static str,
    /// Writes a value into the draft; none where it is not legal.
    pub(super) set: fn(&mut Draft, &str) -> Option<()>,
}

/// What stands where a key is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fallback {
    /// This value.
    Value(&'static str),
    /// The value of another key.
    Of(&'static str),
    /// L, the padded width of the file.
    Width,
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fallback::Value(value) => f.write_str(value),
            Fallback::Of(key) => write!(f, "that of {key}"),
            Fallback::Width => f.write_str("the padded width"),
        }
    }
}

impl Key {
    /// The key of that spelling, in snake_case.
    pub fn find(spelling: &str) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.name == spelling || key.also.contains(&spelling))
    }

    /// Whether its default is the value of another key.
    pub fn follows(&self) -> bool {
        matches!(self.default, Fallback::Of(_))
    }

    /// Every spelling.
    pub fn spellings(&self) -> impl Iterator<Item = &'static str> {
        [self.name].into_iter().chain(self.also.iter().copied())
    }
}

use Fallback::{Of, Value, Width};

const UNIT: &str = "a number in [0, 1]";
const NUMBER: &str = "a finite number";
const POSITIVE: &str = "a finite number > 0";
const RADIUS: &str = "a number > 0, or off";
const KLS: &str = "k1, abs, k2 or k3";
const BOOL: &str = "true or false";

/// A row of the table; the last part is the assignment of the value, whose `?` refuses it.
macro_rules! key {
    ($name:literal, $also:expr, $default:expr, $legal:expr, $meaning:literal, |$d:ident, $x:ident| $set:expr) => {
        Key {
            name: $name,
            also: &$also,
            default: $default,
            legal: $legal,
            meaning: $meaning,
            set: |$d, $x| {
                $set;
                Some(())
            },
        }
    };
}

/// Every key, in the order of the step. A key whose default is another's comes after it.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key!("gamma", [], Value("1.0"), UNIT, "discount γ",
        |d, x| d.settings.gamma = unit(x)?),
    key!("lam", ["lambda"], Value("0.95"), UNIT, "λ of GAE",
        |d, x| d.settings.lambda = unit(x)?),
    key!("lam_critic", [], Of("lam"), UNIT, "the returns' own λ",
        |d, x| d.settings.lambda_critic = Some(unit(x)?)),
    key!("cliprange", ["clip_ratio"], Value("0.2"), RADIUS, "both radii of the ratio's clip",
        |d, x| (d.settings.clip.eps_lo, d.settings.clip.eps_hi) = (radius(x)?, radius(x)?)),
    key!("cliprange_low", ["clip_ratio_low"], Of("cliprange"), RADIUS, "its lower radius",
        |d, x| d.settings.clip.eps_lo = radius(x)?),
    key!("cliprange_high", ["clip_ratio_high"], Of("cliprange"), RADIUS, "its upper radius",
        |d, x| d.settings.clip.eps_hi = radius(x)?),
    key!("clip_ratio_c", ["dual_clip"], Value("off"), "a number > 1, or off", "bound c of the dual clip",
        |d, x| d.settings.clip.c_dual = or_off(x, |c| c > 1.0)?),
    key!("log_ratio_clamp", [], Value("off"), RADIUS, "bound on |log ρ| before exp",
        |d, x| d.settings.clip.log_ratio_clamp = radius(x)?),
    key!("clipfrac", [], Value("effective"), "effective, sign-blind or signed", "what pg_clipfrac counts",
        |d, x| d.settings.clip.clip_frac = clip_frac(x)?),
    key!("ppo_kl_kind", [], Value("k1"), KLS, "estimator of ppo_kl",
        |d, x| d.settings.clip.kl_kind = kl(x)?),
    key!("ppo_kl_of", [], Value("raw"), "raw or clamped", "log ρ of ppo_kl, before or after log_ratio_clamp",
        |d, x| d.settings.clip.kl_of = kl_of(x)?),
    key!("cliprange_value", ["value_clip"], Value("0.2"), RADIUS, "radius of the value clip",
        |d, x| d.settings.eps_v = radius(x)?),
    key!("value_clip_form", [], Value("max"), "max, clipped-only or off", "which squared error counts",
        |d, x| d.settings.value_clip = value_clip(x)?),
    key!("vf_half", [], Value("false"), BOOL, "whether ½ stands before the value loss",
        |d, x| d.settings.half = if switch(x)? { Half::Yes } else { Half::No }),
    key!("kl_coef", ["beta_kl"], Value("0"), NUMBER, "β_kl, of the KL inside the reward",
        |d, x| d.settings.beta_kl = finite(x)?),
    key!("kl_estimator", [], Value("k1"), KLS, "its estimator",
        |d, x| d.settings.kl.kind = kl(x)?),
    key!("kl_clamp_in", [], Value("off"), RADIUS, "bound on |k1| before the estimator",
        |d, x| d.settings.kl.clamp_in = radius(x)?),
    key!("kl_clamp_out", [], Value("off"), RADIUS, "bound on the estimate after it",
        |d, x| d.settings.kl.clamp_out = radius(x)?),
    key!("kl_loss_coef", [], Value("0"), NUMBER, "β_loss, of the KL loss",
        |d, x| d.settings.coefficients.beta_loss = finite(x)?),
    key!("kl_loss_kind", [], Value("k3"), "k1, abs, k2 or k3, with + behind for the gradient of k2",
        "estimator of the KL loss",
        |d, x| (d.settings.kl_loss.kind, d.settings.kl_loss_grad) = kl_loss(x)?),
    key!("score_at", [], Value("last-valid"), "last-valid, last-attended, first-pad or per-token",
        "slot of the score",
        |d, x| d.settings.score_at = score_at(x)?),
    key!("score_clip", [], Value("off"), RADIUS, "bound on the score",
        |d, x| d.settings.score_clip = radius(x)?),
    key!("gap", [], Value("skip"), "skip, decay or cut", "what a masked stretch inside a row does",
        |d, x| d.settings.gap = gap(x)?),
    key!("done_at", [], Value("transition"), "transition or next-start", "slot of a `dones` flag",
        |d, x| d.done_at = done_at(x)?),
    key!("whiten", [], Value("on"), "on or off", "whether advantages are whitened",
        |d, x| d.whiten = switch(x)?),
    key!("whiten_over", [], Value("batch"), "batch or rank", "which tokens are whitened together, of several files",
        |d, x| d.whiten_over = whiten_over(x)?),
    key!("shift_mean", [], Value("true"), BOOL, "whether whitening takes the mean away",
        |d, x| d.whitening.shift_mean = if switch(x)? { ShiftMean::Yes } else { ShiftMean::No }),
    key!("variance", [], Value("sample"), "sample or population", "n − 1 or n",
        |d, x| d.whitening.variance = variance(x)?),
    key!("eps_at", [], Value("std"), "std, under-root or var-floor", "where ε_w keeps from dividing by 0",
        |d, x| d.whitening.eps_at = eps_at(x)?),
    key!("eps", [], Value("1e-8"), "a finite number ≥ 0", "ε_w",
        |d, x| d.whitening.eps_w = at_least_zero(x)?),
    key!("vf_coef", ["c_v"], Value("0.5"), NUMBER, "weight of the value loss",
        |d, x| d.settings.coefficients.c_v = finite(x)?),
    key!("entropy_coef", ["c_h"], Value("0.01"), NUMBER, "weight of the entropy, subtracted",
        |d, x| d.settings.coefficients.c_h = finite(x)?),
    key!("loss_agg_mode", [], Value("token-mean"),
        "token-mean, token-sum, seq-mean-token-sum, seq-mean-token-mean, seq-mean-token-sum-norm or \
         token-sum-norm",
        "how tokens become one number",
        |d, x| d.agg = agg(x)?),
    key!("loss_scale_factor", [], Width, POSITIVE, "S of the sum-norm modes",
        |d, x| d.loss_scale_factor = positive(x)?),
    key!("count_empty_rows", [], Value("false"), BOOL, "whether a mean over rows counts empty ones",
        |d, x| d.rows = if switch(x)? { CountRows::All } else { CountRows::WithTokens }),
    key!("temperature", [], Value("1.0"), POSITIVE, "τ, of the log-probs",
        |d, x| d.settings.tau = positive(x)?),
    key!("entropy_temperature", [], Of("temperature"), POSITIVE, "τ_ent, of the entropy",
        |d, x| d.settings.tau_ent = positive(x)?),
    key!("listing", [], Value("corrected"),
        "corrected, as-printed, or some of returns-from-whitened, unmasked, score-broadcast, unshaped-reward, \
         entropy-added and shared-clip-radius, separated by commas",
        "departures of the printed listing",
        |d, x| d.settings.listing = listing(x)?),
    key!("dialect", ["peer"], Value("none"), "a trainer's name, or none", "whose defaults `check` assumes",
        |d, x| d.dialect = name_or_off(x)?),
    key!("grad_of", [], Value("total_loss"), "total_loss, pg_loss, vf_loss, entropy_loss or kl_loss",
        "whose gradients the file holds",
        |d, x| d.grad_of = grad_of(x)?),
];
