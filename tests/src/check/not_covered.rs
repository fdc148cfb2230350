//! What the reference lacks, by name: other methods than PPO's token-level surrogate, its squared error and GAE.
//!
//! Two roads lead here. The metadata may say it in the words of a trainer's configuration: [`by_settings`]. Or the
//! numbers fail the equation and are those of the other method: [`formulas`], of the same shape as a known mistake.
//! Either way the output is not covered: neither right nor wrong, and never checked by the wrong formula.

use super::{
    bugs::{
        Bug, Kind, bug,
        gae::{self, Token},
        nearest,
        policy::{loss_of, radii},
        value,
    },
    step::{Numbers, Step},
};
use crate::{
    budget::{Approx, Grid},
    dump::plain,
};
use reference::{Agg, CountRows, Settings, ValueClip};
use std::collections::BTreeMap;

/// A key of a trainer's configuration, and what its values say.
struct Word {
    /// The last part of its name.
    keys: &'static [&'static str],
    /// Values by which the step is the reference's.
    ours: &'static [&'static str],
    /// Values by which it is another method's, and that method.
    theirs: &'static [(&'static str, &'static str)],
    /// Whether a value that stands in neither list is another method's too.
    closed: bool,
    /// The outputs whose formula it is in.
    of: &'static [&'static str],
}

const POLICY: &[&str] = &["ratio", "pg_loss", "pg_clipfrac", "pg_clipfrac_lower", "grad_log_probs"];
const GSPO: &str = "GSPO, whose ratio is of a whole sequence";
const CISPO: &str = "CISPO, which clips the weight of log π and stops its gradient";

const WORDS: &[Word] = &[
    // verl's policy_loss.loss_mode, Trinity-RFT's policy_loss_fn, OpenRLHF's policy_loss_type.
    Word {
        keys: &["loss_mode", "policy_loss", "policy_loss_fn", "policy_loss_type"],
        ours: &["vanilla", "ppo", "ppo_clip", "clip", "default", "none"],
        theirs: &[
            ("gspo", GSPO),
            ("cispo", CISPO),
            ("clip_cov", "clip-cov, which leaves out tokens by their covariance"),
            ("kl_cov", "kl-cov, which adds a KL by their covariance"),
            ("gpg", "GPG, which has no ratio"),
            ("sapo", "SAPO, whose gate is smooth"),
            ("geo_mean", "GMPO, whose ratio is a geometric mean"),
            ("gmpo", "GMPO, whose ratio is a geometric mean"),
        ],
        closed: true,
        of: POLICY,
    },
    // TRL's and Liger's loss_type: grpo, bnpo, dr_grpo and dapo are ways to take a mean.
    Word {
        keys: &["loss_type"],
        ours: &["grpo", "bnpo", "dr_grpo", "dapo", "ppo"],
        theirs: &[
            ("cispo", CISPO),
            ("sapo", "SAPO, whose gate is smooth"),
            ("luspo", "LUSPO, whose ratio is of a whole sequence"),
            ("gspo", GSPO),
        ],
        closed: false,
        of: POLICY,
    },
    // TRL and Liger; NeMo-RL's sequence_level_importance_ratios.
    Word {
        keys: &["importance_sampling_level"],
        ours: &["token"],
        theirs: &[("sequence", GSPO), ("sequence_token", "GSPO-token, whose ratio is of a whole sequence")],
        closed: true,
        of: POLICY,
    },
    Word {
        keys: &["sequence_level_importance_ratios"],
        ours: &["false"],
        theirs: &[("true", GSPO)],
        closed: false,
        of: POLICY,
    },
    // torchrl.
    Word {
        keys: &["loss_critic_type", "critic_loss_type"],
        ours: &["l2", "mse"],
        theirs: &[
            ("smooth_l1", "the smooth L1 error, torchrl's default"),
            ("huber", "the Huber error"),
            ("l1", "the L1 error"),
        ],
        closed: true,
        of: &["vf_loss", "grad_values"],
    },
    // verl, OpenRLHF, NeMo-RL.
    Word {
        keys: &["adv_estimator", "advantage_estimator"],
        ours: &["gae"],
        theirs: &[
            ("grpo", "GRPO, which takes advantages from a group of responses"),
            ("rloo", "RLOO, which takes advantages from a group of responses"),
            ("reinforce_plus_plus", "REINFORCE++, which has no critic"),
            ("vtrace", "V-trace, whose residuals are weighted by importance"),
        ],
        closed: true,
        of: &["advantages_raw", "returns"],
    },
    // AReaL.
    Word {
        keys: &["enable_tree_training", "tree_training"],
        ours: &["false"],
        theirs: &[("true", "rollouts that are trees, where a token has several that follow it")],
        closed: false,
        of: &["advantages_raw", "returns", "whitened"],
    },
];

/// The outputs that are another method's by what the metadata says, each with a sentence. What is made of such an
/// output, and is not in the file itself, is not covered either.
pub fn by_settings(metadata: &BTreeMap<String, String>) -> Vec<(&'static str, String)> {
    let mut said: Vec<(&'static str, String)> = Vec::new();
    for (key, value) in metadata {
        let last = key.rsplit(['.', '/']).next().unwrap_or(key).to_lowercase().replace('-', "_");
        let spelt = value.trim().trim_matches('"').to_lowercase().replace('-', "_");
        for word in WORDS.iter().filter(|word| word.keys.contains(&last.as_str())) {
            let theirs = word.theirs.iter().find(|(value, _)| *value == spelt).map(|(_, method)| *method);
            let unknown = word.closed && !word.ours.contains(&spelt.as_str()) && !spelt.is_empty();
            let Some(method) = theirs.or(unknown.then_some("a method that the reference does not know"))
            else {
                continue;
            };
            let sentence = format!("{} is {}: {method}", plain(key), plain(value));
            let new = word.of.iter().filter(|of| said.iter().all(|(other, _)| other != *of)).copied();
            let new: Vec<_> = new.map(|of| (of, sentence.clone())).collect();
            said.extend(new);
        }
    }
    said
}

/// The equations of other methods that can be written over the tensors of a dump. Tried where the reference's fails;
/// numbers that are theirs are not covered.
pub fn formulas() -> impl Iterator<Item = &'static Bug> {
    FORMULAS.iter()
}

const fn not_covered(bug: Bug) -> Bug {
    Bug { kind: Kind::NotCovered, ..bug }
}

const FORMULAS: &[Bug] = &[
    not_covered(bug(
        "GSPO",
        "ratio",
        "the geometric mean of a sequence's ratios, on each of its tokens",
        "GSPO",
        |step, s| sequence_ratio(step, s).map(Numbers::PerToken),
    )),
    not_covered(bug("GSPO", "pg_loss", "the ratio is of a whole sequence", "GSPO", |step, s| {
        let ratio = sequence_ratio(step, s)?;
        let (lo, hi) = radii(step, s);
        let by = |s: &Settings| {
            loss_of(step, s, &ratio, |ratio, adv| -((ratio * adv).lesser(ratio.clamp(lo, hi) * adv)))
        };
        let rows = Agg::SeqMeanTokenMean { rows: CountRows::WithTokens };
        nearest(step, "pg_loss", [by(s), by(&Settings { agg: rows, ..*s })])
    })),
    not_covered(bug(
        "CISPO",
        "pg_loss",
        "−clip(ρ) A log π, the gradient of clip(ρ) stopped",
        "CISPO",
        |step, s| {
            let (logp, ratio) = (step.logp(s)?, step.grid("ratio", s)?);
            let (lo, hi) = radii(step, s);
            let most = step.p.setting(s.clip.eps_hi);
            let weights: [&dyn Fn(Approx) -> Approx; 3] =
                [&|ratio| ratio.clamp(lo, hi), &|ratio| ratio.lesser(hi), &|ratio| ratio.lesser(most)];
            let forms = weights.map(|weight| {
                let weighted = step.p.each(&step.inputs.mask, |slot| weight(ratio[slot]) * logp[slot]);
                loss_of(step, s, &weighted, |weighted, adv| -(weighted * adv))
            });
            nearest(step, "pg_loss", forms)
        },
    )),
    not_covered(bug(
        "SmoothL1",
        "vf_loss",
        "½ d² below d = |V − R| = 1, d − ½ beyond it",
        "torchrl's default",
        |step, s| {
            let (one, half) = (step.p.given(1.0), step.p.given(0.5));
            let smooth = |d: Approx| {
                let d = d.abs();
                if d.value < one.value { half * d.square() } else { d - half }
            };
            value::loss(step, s, |v, clipped, ret| match s.value_clip {
                ValueClip::Off => smooth(v - ret),
                ValueClip::ClippedOnly => smooth(clipped - ret),
                ValueClip::Max => smooth(v - ret).greater(smooth(clipped - ret)),
            })
        },
    )),
    not_covered(bug(
        "ImportanceWeightedResidual",
        "advantages_raw",
        "δ and what is carried back are weighted by the importance of each token, at most 1",
        "PufferLib, V-trace",
        |step, s| {
            let (weight, gamma, decay) =
                (gae::importance(step)?, step.p.setting(s.gamma), gae::decay(step, s));
            let delta = |of: &Token| weight[of.slot] * ((of.r + gamma * of.v_next) - of.v);
            gae::recursion(step, s, delta, |of| decay * weight[of.slot])
        },
    )),
];

/// exp of the mean of a row's log ratios, on each of its tokens.
fn sequence_ratio(step: &Step, s: &Settings) -> Option<Grid> {
    let (p, mask) = (step.p, &step.inputs.mask);
    let (logp, old) = (step.logp(s)?, step.read(step.inputs.old_log_probs.as_ref())?);
    let of_row = |row: usize| {
        let tokens = mask.tokens_of(row);
        let log_ratios = tokens.iter().map(|t| logp[(row, *t)] - old[(row, *t)]);
        (p.sum(log_ratios) / p.given(tokens.len().max(1) as f64)).exp()
    };
    let ratios: Vec<Approx> = (0..mask.shape().0).map(of_row).collect();
    Some(p.each(mask, |(row, _)| ratios[row]))
}
