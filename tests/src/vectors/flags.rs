//! The mistakes that a case can catch, and whether it does: found by running each, never written down.

use super::{
    case::Case,
    run::{self, Outputs, dump_name, mask_of, opened},
};
use crate::{
    budget::{Approx, Precision},
    check::{
        bugs::{Bug, bugs},
        choices::{CHOICES, Value},
        step::{self, Step},
    },
    dump::BadInput,
    outputs::GRAD_LOGITS,
    report::difference,
};
use reference::Mask;

/// One mistake in one output.
#[derive(Debug, Clone)]
pub struct Mistake {
    /// Its flag, in CamelCase.
    pub flag: String,
    /// The output that shows it, as a dump names it.
    pub of: &'static str,
    /// What the numbers are then.
    pub says: String,
    /// Where it was seen; empty where no project is known.
    pub seen: &'static str,
    wrong: Wrong,
}

#[derive(Debug, Clone, Copy)]
enum Wrong {
    /// A formula of its own.
    Bug(&'static Bug),
    /// A value of a choice that is wrong whoever chooses it.
    Choice(&'static str, &'static Value),
}

/// The deviations among the choices: key, value, flag, and what it is in words.
const DEVIATIONS: &[(&str, &str, &str, &str)] = &[
    ("listing", "unmasked", "Unmasked", "masked slots are read like any other, padding included"),
    (
        "listing",
        "shared-clip-radius",
        "SharedClipRadius",
        "the ratio's clip radius, which has no unit, is also that of the values",
    ),
    ("listing", "unshaped-reward", "UnshapedReward", "the KL penalty is left out of the reward"),
    ("eps", "0", "EpsForgotten", "nothing keeps the deviation from being 0"),
    ("kl_loss_kind", "k1", "KlLossOfK1", "k1 is the loss: its gradient does not know the reference model"),
];

/// Every mistake, in the order of the step: those with a formula of their own, then the choices that are wrong.
pub fn mistakes() -> Vec<Mistake> {
    let of_bugs = bugs().filter(|bug| bug.is_mistake()).map(|bug| Mistake {
        flag: bug.name.to_owned(),
        of: bug.of,
        says: bug.says.to_owned(),
        seen: bug.seen,
        wrong: Wrong::Bug(bug),
    });
    let of_choices = CHOICES.iter().flat_map(|choice| {
        let wrong = choice.values.iter().filter(|value| value.deviation);
        wrong.flat_map(|value| {
            choice.of.iter().map(|of| Mistake {
                flag: flag(choice.key, value.value),
                of,
                says: in_words(choice.key, value.value),
                seen: value.who,
                wrong: Wrong::Choice(choice.key, value),
            })
        })
    });
    of_bugs.chain(of_choices).collect()
}

fn deviation(
    key: &str,
    value: &str,
) -> Option<&'static (&'static str, &'static str, &'static str, &'static str)> {
    DEVIATIONS.iter().find(|(of, is, ..)| (*of, *is) == (key, value))
}

/// One that has no name yet is called by its key and value, so that nothing is left out unseen.
fn flag(key: &str, value: &str) -> String {
    deviation(key, value)
        .map_or_else(|| camel_case(&format!("{key}-is-{value}")), |(.., flag, _)| (*flag).to_owned())
}

fn in_words(key: &str, value: &str) -> String {
    deviation(key, value).map_or_else(|| format!("{key} is {value}"), |(.., words)| (*words).to_owned())
}

/// `eps-is-off` is `EpsIsOff`.
fn camel_case(name: &str) -> String {
    let upper = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split(['-', '_']).map(upper).collect()
}

/// Where a mistake shows in a case: the number that is farthest off.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// The output, as the vectors name it.
    pub output: String,
    /// Where in it.
    pub place: String,
    /// What is right.
    pub expected: f64,
    /// What the mistake gives.
    pub got: f64,
}

impl Mistake {
    /// Where the mistake fails the case, or none: it must differ from what is expected by more than both may be off,
    /// in f64 and, where the case has a tolerance in f32, in f32 too.
    ///
    /// # Errors
    ///
    /// If the case is refused.
    pub fn fails(
        &self,
        case: &Case,
        expected: &Outputs,
        tolerances: &[(Precision, &Outputs)],
    ) -> Result<Option<Shown>, BadInput> {
        let Some((output, right)) = expected.iter().find(|(name, _)| dump_name(name) == self.of) else {
            return Ok(None);
        };
        let mut shown = None;
        for (p, tolerance) in tolerances {
            let Some(wrong) = self.numbers(case, *p)? else { return Ok(None) };
            let tolerance = &tolerance[output];
            let off = |index: &usize| {
                let (right, wrong) = (right.x[*index]?, wrong[*index]?);
                let off = difference(right, wrong.value);
                (wrong.off.is_finite() && off > tolerance.x[*index]? + wrong.off).then_some(off)
            };
            let worst = (0..right.x.len())
                .filter_map(|index| Some((index, off(&index)?)))
                .reduce(|worst, next| if next.1 > worst.1 { next } else { worst });
            let Some((index, _)) = worst else { return Ok(None) };
            shown = shown.or_else(|| {
                Some(Shown {
                    output: output.clone(),
                    place: right.place(index),
                    expected: right.x[index]?,
                    got: wrong[index]?.value,
                })
            });
        }
        Ok(shown)
    }

    /// The numbers with the mistake in them, row-major; none where the case lacks what they are made of.
    fn numbers(&self, case: &Case, p: Precision) -> Result<Option<Vec<Option<Approx>>>, BadInput> {
        opened(case, |dump| {
            let flags = match self.wrong {
                Wrong::Bug(_) => Vec::new(),
                Wrong::Choice(key, value) => vec![(key.to_owned(), value.value.to_owned())],
            };
            let right = dump.choose(&[])?;
            // A mistake that the file's own reader refuses, such as one that reads a masked NaN, has no numbers.
            let Ok(chosen) = dump.choose(&flags) else { return Ok(None) };
            let Ok(step) = Step::load(dump, &chosen, p) else { return Ok(None) };
            let s = chosen.settings.as_listed();
            let step = match self.of {
                of if of == GRAD_LOGITS.name && dump.logits().is_some() => step.probing_all()?,
                _ => step,
            };
            let made = match self.wrong {
                Wrong::Bug(bug) => (bug.make)(&step, &s),
                Wrong::Choice(..) => step.output(self.of, &s),
            };
            let right = Step::load(dump, &right, p)?;
            Ok(made.and_then(|made| row_major(made, mask_of(self.of, &right.inputs))))
        })
    }
}

/// The numbers of the slots that are compared.
fn row_major(numbers: step::Numbers, mask: &Mask) -> Option<Vec<Option<Approx>>> {
    let (b, t_len) = mask.shape();
    let slots = (0..b).flat_map(|row| (0..t_len).map(move |t| (row, t)));
    match numbers {
        step::Numbers::Scalar(x) => Some(vec![Some(x)]),
        step::Numbers::PerToken(grid) => Some(slots.map(|slot| mask.has(slot).then(|| grid[slot])).collect()),
        // One row for each token, in the order of its slots.
        step::Numbers::Logits(rows) => {
            let vocab = rows.first()?.len();
            let mut rows = rows.into_iter();
            let of_slot = |slot| match mask.has(slot) {
                true => rows.next().map(|row| row.into_iter().map(Some).collect()),
                false => Some(vec![None; vocab]),
            };
            slots.map(of_slot).collect::<Option<Vec<Vec<_>>>>().map(|rows| rows.concat())
        }
    }
}

/// The tolerances of a case, by precision: f64, and f32 where every number of it lies in its range.
///
/// # Errors
///
/// If the case is refused.
pub fn tolerances(
    case: &Case,
    names: &[&str],
    expected: &Outputs,
) -> Result<Vec<(Precision, Outputs)>, BadInput> {
    let mut all = Vec::new();
    for p in [Precision::F64, Precision::DECIMAL] {
        let mut allowed = run::allowed(case, names, p)?;
        for (name, numbers) in &mut allowed {
            for (off, right) in numbers.x.iter_mut().zip(&expected[name].x) {
                // What is no finite number is compared by its class.
                if right.is_some_and(|right| !right.is_finite()) {
                    *off = Some(0.0);
                }
            }
        }
        let finite = |off: &Option<f64>| off.is_none_or(f64::is_finite);
        if allowed.values().all(|numbers| numbers.x.iter().all(finite)) {
            all.push((p, allowed));
        }
    }
    Ok(all)
}
