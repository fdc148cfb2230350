//! Mistakes of the entropy: `eq:entropy`.

use super::{Bug, all_slots, bug, everywhere, form, logits, nearest, next, number, per_token};
use crate::{
    budget,
    check::{
        compare::slots,
        step::{Numbers, Step},
    },
};
use reference::Settings;

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    of_entropy("Bits", "logarithms to base 2, where the step counts in nats", "", |step, s| {
        let ln_2 = step.p.setting(core::f64::consts::LN_2);
        let ent = per_token(step.output("entropy", s)?)?;
        Some(Numbers::PerToken(step.p.each(&step.inputs.mask, |slot| ent[slot] / ln_2)))
    }),
    of_entropy(
        "EntropyBeforeTemperature",
        "the entropy of the logits before they were divided by the temperature",
        "OpenRLHF 0.11, OpenRLHF/OpenRLHF#1319, huggingface/trl#6803 (B83)",
        |step, s| step.entropy_at_1(s).map(Numbers::PerToken),
    ),
    of_entropy(
        "TemperatureTwice",
        "the logits are divided by the temperature twice: the log-probs have divided them in place",
        "volcengine/verl#1672 (B84)",
        |step, s| (s.tau_ent != 1.0).then(|| at_temperature(step, s.tau_ent * s.tau_ent))?,
    ),
    of_entropy(
        "EntropyOfTheGradient",
        "the entropy of π − [v = a]: the kernel of the log-probs has left its gradient where the logits were",
        "volcengine/verl#1672 (B84)",
        |step, s| {
            let p = step.p;
            let row = |z: &[f64], action: usize| {
                let logp = budget::log_softmax_row(p, z, s.tau);
                let left = logp.iter().enumerate();
                let left: Vec<f64> =
                    left.map(|(v, logp)| logp.exp().value - f64::from(v == action)).collect();
                // What the probabilities were off moves each of the new logits by no more than it is itself.
                let brought = logp.iter().map(|logp| logp.exp().off + p.given(1.0).once().off);
                let most = brought.fold(0.0, reference::nan::greater);
                let ent = logits::entropy(p, &left, 1.0);
                Some(ent.widened(2.0 * most * (ent.value.abs() + 2.0)))
            };
            step.each_row(row).map(Numbers::PerToken)
        },
    ),
    of_entropy("EntropyTurned", "Σ π log π: the minus is missing", "", |step, s| {
        Some(Numbers::PerToken(per_token(step.output("entropy", s)?)?.map(|ent| -ent)))
    }),
    of_entropy("MeanOverVocabulary", "the mean over the vocabulary, and not the sum", "", |step, s| {
        let vocab = step.p.given(step.inputs.shape.vocab? as f64);
        let ent = per_token(step.output("entropy", s)?)?;
        Some(Numbers::PerToken(step.p.each(&step.inputs.mask, |slot| ent[slot] / vocab)))
    }),
    of_entropy("EntropyOfTheSample", "−log π of the sampled token alone", "", |step, s| {
        Some(Numbers::PerToken(step.logp(s)?.map(|logp| -logp)))
    }),
    of_entropy(
        "EntropyOfAPiece",
        "the entropy of a piece of the vocabulary: chunks are cut along the wrong axis",
        "volcengine/verl#6446 (B87)",
        |step, s| {
            let vocab = step.inputs.shape.vocab?;
            let forms = (2..=4).filter(|pieces| vocab >= 2 * pieces).flat_map(|pieces| {
                let size = vocab.div_ceil(pieces);
                [0, vocab - size].map(|from| {
                    let row = |z: &[f64], _: usize| {
                        let piece = z.get(from..from + size)?;
                        piece.iter().any(|z| z.is_finite()).then(|| logits::entropy(step.p, piece, s.tau_ent))
                    };
                    step.each_row(row).map(Numbers::PerToken)
                })
            });
            nearest(step, "entropy", forms)
        },
    ),
    of_entropy(
        "EntropyOneEarly",
        "token t has the entropy of token t + 1: shifted as the labels are",
        "huggingface/trl#5620 (B89)",
        |step, s| {
            let ent = per_token(step.output("entropy", s)?)?;
            Some(Numbers::PerToken(next(step, &step.inputs.mask, &ent)))
        },
    ),
    form(bug(
        "negated-entropy-loss",
        "entropy_loss",
        "−agg H: the entropy as it is added to a loss",
        "SB3, torchrl (B80)",
        |step, s| number(step.output("entropy_loss", s)?).map(|ent| Numbers::Scalar(-ent)),
    )),
    bug(
        "InvalidLogProbCounted",
        "entropy_loss",
        "−log π of the sampled tokens over every slot, masked ones with the 1.0 that marks them",
        "huggingface/trl#2022, #2281 (B82)",
        |step, _| {
            let (full, logp) = (all_slots(&step.inputs.mask)?, everywhere(step, "log_probs")?);
            let p = step.p;
            Some(Numbers::Scalar(
                -(p.sum(slots(&full).map(|slot| logp[slot])) / p.given(full.count() as f64)),
            ))
        },
    ),
];

const fn of_entropy(
    name: &'static str,
    says: &'static str,
    seen: &'static str,
    make: fn(&Step, &Settings) -> Option<Numbers>,
) -> Bug {
    bug(name, "entropy", says, seen, make)
}

fn at_temperature(step: &Step, tau: f64) -> Option<Numbers> {
    step.each_row(|z, _| Some(logits::entropy(step.p, z, tau))).map(Numbers::PerToken)
}
