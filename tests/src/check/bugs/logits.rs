//! Mistakes of log-probs made from logits: `eq:log-prob`. Those of the kernel are in the entropy too.

use super::{Bug, bug, nearest, next, per_token};
use crate::{
    budget::{self, Approx, Precision},
    check::{
        compare::slots,
        step::{Numbers, Step},
    },
};
use reference::Settings;

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    of_log_probs(
        "LogProbOneEarly",
        "token t has the log-prob of token t + 1: the labels are shifted once too often",
        "huggingface/trl#5620, hpcaitech/ColossalAI#3622 (B17, B89)",
        |step, s| {
            let logp = per_token(step.output("log_probs", s)?)?;
            Some(Numbers::PerToken(next(step, &step.inputs.mask, &logp)))
        },
    ),
    of_log_probs(
        "NextTokenGathered",
        "log π of token t + 1 by the logits of token t: the labels are shifted, and the logits are not",
        "",
        next_token,
    ),
    of_log_probs(
        "LogProbBeforeTemperature",
        "the log-probs of the logits before they were divided by the temperature",
        "the post (S19)",
        |step, s| (s.tau != 1.0).then(|| at_temperature(step, 1.0))?,
    ),
    of_log_probs(
        "TemperatureTwice",
        "the logits are divided by the temperature twice: once in place",
        "",
        |step, s| (s.tau != 1.0).then(|| at_temperature(step, s.tau * s.tau))?,
    ),
    of_log_probs("TemperatureMultiplied", "the logits are multiplied by the temperature", "", |step, s| {
        (s.tau != 1.0).then(|| at_temperature(step, 1.0 / s.tau))?
    }),
    of_log_probs("LogitForLogProb", "the logit itself: the log-sum-exp was not taken off", "", |step, s| {
        let tau = step.p.setting(s.tau);
        step.each_row(|z, action| Some(step.p.given(z[action]) / tau)).map(Numbers::PerToken)
    }),
    of_log_probs("ProbabilityForLogProb", "π and not log π: the logarithm is missing", "", |step, s| {
        let logp = per_token(step.output("log_probs", s)?)?;
        Some(Numbers::PerToken(step.p.each(&step.inputs.mask, |slot| logp[slot].exp())))
    }),
    of_log_probs("LogProbTurned", "−log π: the cross-entropy of the token", "", |step, s| {
        Some(Numbers::PerToken(per_token(step.output("log_probs", s)?)?.map(|logp| -logp)))
    }),
    of_log_probs("PhantomLogits", PHANTOM, PHANTOM_SEEN, |step, s| {
        phantoms(step, "log_probs", s.tau, |logp, action, _| logp[action])
    }),
    bug("PhantomLogits", "entropy", PHANTOM, PHANTOM_SEEN, |step, s| {
        phantoms(step, "entropy", s.tau_ent, |logp, _, ln_k| split_entropy(step.p, logp, ln_k))
    }),
    of_log_probs("RunningMaximumFromZero", FROM_ZERO, FROM_ZERO_SEEN, |step, s| {
        let mut any = false;
        let grid = step.each_row(|z, action| {
            let gone = vanishes(step.p, z, s.tau);
            any |= gone;
            let logp = budget::log_softmax_row(step.p, z, s.tau)[action];
            Some(if gone { logp.at(f64::INFINITY) } else { logp })
        })?;
        any.then_some(Numbers::PerToken(grid))
    }),
    bug("RunningMaximumFromZero", "entropy", FROM_ZERO, FROM_ZERO_SEEN, |step, s| {
        let is_nan = step.grid("entropy", s)?.iter().any(|x| x.value.is_nan());
        let (mut any, lost) = (false, if is_nan { f64::NAN } else { f64::NEG_INFINITY });
        let grid = step.each_row(|z, _| {
            let (gone, ent) = (vanishes(step.p, z, s.tau_ent), entropy(step.p, z, s.tau_ent));
            any |= gone;
            Some(if gone { ent.at(lost) } else { ent })
        })?;
        any.then_some(Numbers::PerToken(grid))
    }),
];

const PHANTOM: &str = "zeros beyond the vocabulary enter the log-sum-exp: it is no multiple of the tile, and the rest was not masked";
const PHANTOM_SEEN: &str = "volcengine/verl#2656, #5349, flagos-ai/FlagGems#6251 (B85, B88)";
const FROM_ZERO: &str =
    "the running maximum begins at 0, and where all logits are far below it every exp is 0";
const FROM_ZERO_SEEN: &str = "volcengine/verl#7439 (B86)";

const fn of_log_probs(
    name: &'static str,
    says: &'static str,
    seen: &'static str,
    make: fn(&Step, &Settings) -> Option<Numbers>,
) -> Bug {
    bug(name, "log_probs", says, seen, make)
}

/// By each token's own logits the id that stands in the slot after it: 0 where that is masked, or whatever stands
/// there; after the last column nothing, or the row's first, as a roll has it.
fn next_token(step: &Step, s: &Settings) -> Option<Numbers> {
    let (mask, ids) = (&step.inputs.mask, step.every_action()?);
    let t_len = mask.shape().1;
    let valid = |(row, t): (usize, usize)| (t + 1 < t_len && mask.has((row, t + 1))).then_some(t + 1);
    let within = |(_, t): (usize, usize)| (t + 1 < t_len).then_some(t + 1);
    let rolled = |(_, t): (usize, usize)| Some((t + 1) % t_len);
    let rules: [&dyn Fn((usize, usize)) -> Option<usize>; 3] = [&valid, &within, &rolled];
    let forms = rules.map(|after| {
        let mut at = slots(mask);
        let row = |z: &[f64], _: usize| {
            let slot = at.next()?;
            let id = after(slot).and_then(|t| usize::try_from(ids[(slot.0, t)]).ok());
            let logp = id.and_then(|id| budget::log_softmax_row(step.p, z, s.tau).get(id).copied());
            Some(logp.unwrap_or(step.p.given(0.0)))
        };
        step.each_row(row).map(Numbers::PerToken)
    });
    nearest(step, "log_probs", forms)
}

fn at_temperature(step: &Step, tau: f64) -> Option<Numbers> {
    let row = |z: &[f64], action: usize| Some(budget::log_softmax_row(step.p, z, tau)[action]);
    step.each_row(row).map(Numbers::PerToken)
}

/// H of a row of logits.
pub(super) fn entropy(p: Precision, z: &[f64], tau: f64) -> Approx {
    budget::entropy_row(p, &budget::log_softmax_row(p, z, tau))
}

/// A row under k zeros, which enter its log-sum-exp as one logit of ln k: for every tile that the vocabulary does not
/// fill, the nearest to the file.
fn phantoms(
    step: &Step,
    name: &str,
    tau: f64,
    of_row: impl Fn(&[Approx], usize, Approx) -> Approx,
) -> Option<Numbers> {
    let vocab = step.inputs.shape.vocab?;
    let mut extras: Vec<usize> =
        (2..=14).map(|power| 1_usize << power).map(|tile| vocab.next_multiple_of(tile) - vocab).collect();
    extras.dedup();
    let forms = extras.into_iter().filter(|extra| *extra > 0).map(|extra| {
        let ln_k = step.p.given(extra as f64).ln();
        let row = |z: &[f64], action: usize| {
            let with: Vec<f64> = z.iter().copied().chain([ln_k.value * tau]).collect();
            Some(of_row(&budget::log_softmax_row(step.p, &with, tau), action, ln_k))
        };
        step.each_row(row).map(Numbers::PerToken)
    });
    nearest(step, name, forms)
}

/// H of a row whose last token stands for k equal ones: −P ln(P / k) and not −P ln P.
fn split_entropy(p: Precision, logp: &[Approx], ln_k: Approx) -> Approx {
    let together = budget::entropy_row(p, logp);
    logp.last().map_or(together, |last| together + last.exp() * ln_k)
}

/// Whether every exp of a row is 0 in that arithmetic, where nothing is taken off the logits first.
fn vanishes(p: Precision, z: &[f64], tau: f64) -> bool {
    let least = if p == Precision::F64 { -745.2 } else { -104.0 };
    z.iter().all(|z| z / tau < least)
}
