//! The points at which trainers choose, as data: which settings an output depends on, and what each may be.
//!
//! A default is never a claim, so where the numbers of a file follow another of these values than the default,
//! that is a convention and is said; where they follow another than the file states, that is a mistake.

use reference::Settings;

/// One point of choice: a key of the settings, the outputs that are made by it, and its values.
#[derive(Debug, Clone, Copy)]
pub struct Choice {
    /// The key, as metadata spells it.
    pub key: &'static str,
    /// The outputs whose own formula it is in.
    pub of: &'static [&'static str],
    /// The input that would tell its values apart.
    pub tells: &'static str,
    /// What trainers choose, and who does.
    pub values: &'static [Value],
    /// Whether it is in the formula under these settings: a variance is not where nothing is whitened.
    pub matters: fn(&Settings) -> bool,
}

/// One value of a choice.
#[derive(Debug, Clone, Copy)]
pub struct Value {
    /// As metadata spells it.
    pub value: &'static str,
    /// Who chooses it; empty where it is only a common number.
    pub who: &'static str,
    /// Whether it is a mistake, whoever makes it.
    pub deviation: bool,
}

const fn by(value: &'static str, who: &'static str) -> Value {
    Value { value, who, deviation: false }
}

const fn mistake(value: &'static str, who: &'static str) -> Value {
    Value { value, who, deviation: true }
}

const fn plain(value: &'static str) -> Value {
    by(value, "")
}

const fn choice(
    key: &'static str,
    tells: &'static str,
    of: &'static [&'static str],
    values: &'static [Value],
) -> Choice {
    Choice { key, of, tells, values, matters: |_| true }
}

/// A choice that nothing shows while a setting is as it is.
const fn only(choice: Choice, matters: fn(&Settings) -> bool) -> Choice {
    Choice { matters, ..choice }
}

const POLICY: &[&str] = &["pg_loss", "pg_clipfrac", "pg_clipfrac_lower", "grad_log_probs"];
const RATIO: &[&str] = &["ratio", "pg_loss", "pg_clipfrac", "pg_clipfrac_lower", "grad_log_probs"];
const VALUE: &[&str] = &["vf_loss", "vf_clipfrac", "grad_values"];
const MEANS: &[&str] = &["pg_loss", "vf_loss", "entropy_loss", "kl_loss", "grad_log_probs", "grad_values"];
const GAE: &[&str] = &["advantages_raw"];
const WHITEN: &[&str] = &["whitened"];
const REWARD: &[&str] = &["token_rewards"];

/// What a departure of the listing changes: the mask, the clip of the value, the reward.
const LISTED: &[&str] = &[
    "token_rewards",
    "grad_log_probs",
    "grad_values",
    "advantages_raw",
    "whitened",
    "pg_loss",
    "pg_clipfrac",
    "ppo_kl",
    "vf_loss",
    "vf_clipfrac",
    "entropy_loss",
    "kl_loss",
];

/// Every point of choice, in the order of the step.
pub const CHOICES: &[Choice] = &[
    choice(
        "listing",
        "padding with numbers in it, a KL that is not 0, and ε_v another number than ε",
        LISTED,
        &[
            plain("corrected"),
            mistake("unmasked", "the post (S8), volcengine/verl#50, alibaba/ROLL#447"),
            mistake("shared-clip-radius", "the post (S13), hill-a/stable-baselines#216"),
            mistake("unshaped-reward", "the post (S7)"),
        ],
    ),
    choice(
        "kl_estimator",
        "log-probs that differ from the reference's, some up and some down",
        &["kl"],
        &[
            by("k1", "verl, TRL, OpenRLHF, DeepSpeed-Chat"),
            by("k2", "verl, TRL 0.11, OpenRLHF, NeMo-RL on demand"),
            by("k3", "NeMo-RL, and verl and TRL on demand"),
            by("abs", "verl and TRL 0.11 on demand"),
        ],
    ),
    choice(
        "kl_clamp_in",
        "a log-prob that is 20 or more from the reference's",
        &["kl"],
        &[plain("off"), by("20", "verl's k3, NeMo-RL")],
    ),
    choice(
        "kl_clamp_out",
        "a KL estimate beyond 10",
        &["kl"],
        &[plain("off"), by("10", "OpenRLHF, NeMo-RL, verl's k3")],
    ),
    choice(
        "kl_coef",
        "a KL that is not 0",
        REWARD,
        &[
            plain("0"),
            by("0.001", "verl"),
            by("0.01", "OpenRLHF"),
            by("0.05", "TRL"),
            by("0.1", "DeepSpeed-Chat"),
            by("0.2", "TRL 0.11"),
        ],
    ),
    choice(
        "score_at",
        "a row that ends in padding, and one whose last attended token is masked",
        REWARD,
        &[
            by("last-valid", "OpenRLHF, TRL 0.11, NeMo-RL"),
            by("first-pad", "TRL (B20), allenai/open-instruct's older PPO"),
        ],
    ),
    choice(
        "score_clip",
        "a score beyond 10",
        REWARD,
        &[plain("off"), by("5", "DeepSpeed-Chat"), by("10", "OpenRLHF")],
    ),
    choice(
        "done_at",
        "a flag of `dones` inside a row",
        GAE,
        &[plain("transition"), by("next-start", "CleanRL, SB3")],
    ),
    choice(
        "gap",
        "a row with a gap inside, and γλ below 1",
        GAE,
        &[
            by("skip", "verl, NeMo-RL"),
            by("decay", "OpenRLHF, TRL 0.11"),
            by("cut", "open-instruct, where values in a gap are 0"),
        ],
    ),
    choice(
        "gamma",
        "rows of two tokens or more, and values that are not 0",
        GAE,
        &[plain("1.0"), by("0.99", "CleanRL, SB3"), by("0.995", "PufferLib"), plain("0.9")],
    ),
    choice(
        "lam",
        "rows of two tokens or more, and γ above 0",
        GAE,
        &[
            by("0.95", "TRL, DeepSpeed-Chat, NeMo-RL, CleanRL, SB3"),
            by("1.0", "verl, OpenRLHF"),
            by("0.9", "PufferLib"),
            plain("0.8"),
        ],
    ),
    choice(
        "lam_critic",
        "rows of two tokens or more, and γ above 0",
        &["returns"],
        &[by("1.0", "VAPO, NeMo-RL"), plain("0.95")],
    ),
    choice(
        "whiten",
        "advantages whose mean is not 0 or whose deviation is not 1",
        WHITEN,
        &[plain("on"), by("off", "DeepSpeed-Chat")],
    ),
    only(
        choice(
            "whiten_over",
            "ranks whose advantages differ in mean or deviation",
            WHITEN,
            &[by("batch", "verl"), by("rank", "TRL")],
        ),
        whitens,
    ),
    only(
        choice(
            "variance",
            "few enough tokens that n and n − 1 differ by more than rounding",
            WHITEN,
            &[by("sample", "verl, TRL, NeMo-RL, CleanRL, SB3"), by("population", "OpenRLHF, open-instruct")],
        ),
        whitens,
    ),
    only(
        choice(
            "eps_at",
            "advantages whose variance is no larger than ε by far",
            WHITEN,
            &[
                by("std", "CleanRL, SB3, PufferLib"),
                by("under-root", "verl, TRL, NeMo-RL"),
                by("var-floor", "OpenRLHF"),
            ],
        ),
        whitens,
    ),
    only(
        choice(
            "eps",
            "advantages whose variance is no larger than ε by far",
            WHITEN,
            &[
                by("1e-8", "verl, TRL, OpenRLHF, CleanRL, SB3"),
                plain("1e-5"),
                by("1e-6", "verl's GRPO"),
                by("1e-12", "torchrl, the square of its floor"),
                mistake("0", "thu-ml/tianshou#1298 (B48)"),
            ],
        ),
        whitens,
    ),
    only(
        choice("shift_mean", "advantages whose mean is not 0", WHITEN, &[plain("true"), plain("false")]),
        whitens,
    ),
    choice("log_ratio_clamp", "a log ratio beyond 20", RATIO, &[plain("off"), by("20", "verl, OpenRLHF")]),
    choice(
        "cliprange_low",
        "a ratio far below 1 at a negative advantage",
        POLICY,
        &[plain("0.2"), plain("0.1"), plain("0.3")],
    ),
    choice(
        "cliprange_high",
        "a ratio far above 1 at a positive advantage",
        POLICY,
        &[plain("0.2"), by("0.28", "DAPO, NeMo-RL's recipe"), plain("0.1"), plain("0.3")],
    ),
    choice(
        "clip_ratio_c",
        "a ratio above 10 at a negative advantage",
        POLICY,
        &[plain("off"), by("3", "verl"), by("10", "NeMo-RL's recipe")],
    ),
    choice(
        "clipfrac",
        "a ratio above 1 + ε at a negative advantage",
        &["pg_clipfrac"],
        &[
            by("effective", "verl, TRL, OpenRLHF"),
            by("sign-blind", "CleanRL, SB3, PufferLib, torchrl"),
            by("signed", "Liger"),
        ],
    ),
    choice(
        "ppo_kl_kind",
        "log ratios that are not 0",
        &["ppo_kl"],
        &[by("k1", "verl, OpenRLHF"), by("k2", "TRL"), by("k3", "CleanRL, SB3"), plain("abs")],
    ),
    choice(
        "ppo_kl_of",
        "a log ratio beyond its clamp",
        &["ppo_kl"],
        &[by("raw", "OpenRLHF"), by("clamped", "verl")],
    ),
    choice(
        "cliprange_value",
        "values that moved toward their returns by more than the radius",
        VALUE,
        &[by("0.2", "TRL, DeepSpeed-Chat, NeMo-RL, CleanRL"), by("0.5", "verl, OpenRLHF")],
    ),
    choice(
        "value_clip_form",
        "values that moved by more than the radius, some toward their returns and some away",
        VALUE,
        &[
            by("max", "verl, TRL, OpenRLHF, DeepSpeed-Chat, NeMo-RL, CleanRL"),
            by("clipped-only", "SB3, where it clips"),
            by("off", "SB3"),
        ],
    ),
    choice(
        "vf_half",
        "a value that is not its return",
        &["vf_loss", "grad_values"],
        &[by("false", "the post, SB3"), by("true", "verl, TRL, OpenRLHF, DeepSpeed-Chat, NeMo-RL, CleanRL")],
    ),
    choice(
        "loss_agg_mode",
        "rows of unequal length",
        MEANS,
        &[
            by("token-mean", "verl, TRL, OpenRLHF, DeepSpeed-Chat, NeMo-RL"),
            by("token-sum", "verl on demand"),
            by("seq-mean-token-sum", "verl on demand"),
            by("seq-mean-token-mean", "verl, OpenRLHF and NeMo-RL on demand"),
            by("seq-mean-token-sum-norm", "verl on demand"),
            by("token-sum-norm", "verl before 2026-02, on demand"),
        ],
    ),
    only(
        choice(
            "count_empty_rows",
            "a row without a token, and a mean over rows",
            MEANS,
            &[by("false", "verl's fallback"), by("true", "verl's global batch size")],
        ),
        |s| !matches!(s.agg, reference::Agg::TokenMean | reference::Agg::TokenSum),
    ),
    choice(
        "kl_loss_kind",
        "log-probs that differ from the reference's, some up and some down",
        &["kl_loss", "grad_log_probs"],
        &[
            by("k3", "verl, NeMo-RL, open-instruct, Liger"),
            by("k2", "verl and NeMo-RL on demand"),
            by("abs", "verl on demand"),
            mistake("k1", "allenai/open-instruct#534 (B73), verl on demand"),
        ],
    ),
    choice(
        "kl_loss_coef",
        "a KL loss that is not 0",
        &["total_loss", "grad_log_probs"],
        &[plain("0"), by("0.001", "verl"), by("0.04", "Liger"), plain("0.01")],
    ),
    choice(
        "vf_coef",
        "a value loss that is not 0",
        &["total_loss", "grad_values"],
        &[
            by("0.5", "the post, CleanRL, SB3"),
            by("0.1", "TRL"),
            by("1.0", "torchrl"),
            by("2.0", "PufferLib"),
            plain("0"),
        ],
    ),
    choice(
        "entropy_coef",
        "an entropy that is not 0",
        &["total_loss"],
        &[
            by("0.01", "the post, CleanRL, torchrl"),
            by("0", "verl, TRL, OpenRLHF, NeMo-RL, SB3"),
            by("0.001", "PufferLib"),
        ],
    ),
];

fn whitens(s: &Settings) -> bool {
    s.whitening.is_some()
}

/// Whether two spellings say one value: 1 and 1.0, off and none.
pub(super) fn same_value(a: &str, b: &str) -> bool {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a.eq_ignore_ascii_case(b) || [a, b].iter().all(|x| ["off", "none"].contains(x)),
    }
}
