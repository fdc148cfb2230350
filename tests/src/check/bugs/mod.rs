//! Known deviations, as data: what a wrong step puts out, and where it was seen.
//!
//! Each is the equation with one mistake in it, in the arithmetic of the budgets, so that a file that has the
//! mistake is met within its own budget. `S` numbers are those of the errata of the post, `B` numbers those of
//! [`rows`], which says of every bug that was collected what holds it.
//!
//! | part | mistakes of |
//! |---|---|
//! | `logits` | log-probs made from logits |
//! | `reward` | the KL and the shaped reward |
//! | `gae`, `ends`, `gaps` | advantages: the recursion, where episodes end, what stands beneath the mask |
//! | `whiten`, `returns` | what is made of them |
//! | `policy`, `value`, `entropy`, `total` | the losses |
//! | `counts`, `slopes` | what is logged beside them, and their gradients |
//! | `logit_slopes` | the gradient of the logits, row by row |
//! | `means` | sums over tokens, in all of them |

mod counts;
mod ends;
mod entropy;
pub(super) mod gae;
mod gaps;
pub(super) mod logit_slopes;
pub(super) mod logits;
mod means;
pub(super) mod policy;
mod returns;
mod reward;
pub mod rows;
mod slopes;
mod total;
pub(super) mod value;
mod whiten;

use super::{
    compare::slots,
    step::{Numbers, Own, Step},
};
use crate::budget::{Approx, Grid};
use nalgebra::DMatrix;
use reference::{Mask, Settings};

/// One known deviation of one output.
#[derive(Debug, Clone, Copy)]
pub struct Bug {
    /// Its name.
    pub name: &'static str,
    /// The output that shows it.
    pub of: &'static str,
    /// What the numbers are then.
    pub says: &'static str,
    /// Where it was seen; empty where no project is known.
    pub seen: &'static str,
    /// The output with the mistake; none where the file lacks what it is made of, or cannot show it.
    pub make: fn(&Step, &Settings) -> Option<Numbers>,
    /// One row of the gradient of the logits with the mistake, for a mistake of those, which are never held whole.
    pub(super) row: Option<logit_slopes::OfRow>,
    /// Whether it is one.
    pub kind: Kind,
}

/// What a formula is that no setting can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Wrong, whoever does it.
    Mistake,
    /// What a trainer does on purpose: a convention, and `seen` says whose.
    Form,
    /// The equation of another method, which the reference does not have.
    NotCovered,
}

impl Bug {
    /// Whether numbers that follow it are wrong, and not another convention or another method.
    pub fn is_mistake(&self) -> bool {
        self.kind == Kind::Mistake
    }

    /// Whether another one is this one. A constant may lie in memory more than once, so its address does not say.
    pub fn is(&self, other: &Bug) -> bool {
        (self.name, self.of) == (other.name, other.of)
    }
}

pub(super) const fn bug(
    name: &'static str,
    of: &'static str,
    says: &'static str,
    seen: &'static str,
    make: fn(&Step, &Settings) -> Option<Numbers>,
) -> Bug {
    Bug { name, of, says, seen, make, row: None, kind: Kind::Mistake }
}

/// A formula that some trainer uses on purpose.
const fn form(bug: Bug) -> Bug {
    Bug { kind: Kind::Form, ..bug }
}

/// Every deviation, in the order of the step.
pub fn bugs() -> impl Iterator<Item = &'static Bug> {
    let terms: [&[Bug]; 15] = [
        logits::BUGS,
        reward::BUGS,
        gae::BUGS,
        ends::BUGS,
        gaps::BUGS,
        whiten::BUGS,
        returns::BUGS,
        policy::BUGS,
        value::BUGS,
        entropy::BUGS,
        means::BUGS,
        counts::BUGS,
        total::BUGS,
        slopes::BUGS,
        logit_slopes::BUGS,
    ];
    terms.into_iter().flatten()
}

pub(super) fn per_token(numbers: Numbers) -> Option<Grid> {
    match numbers {
        Numbers::PerToken(grid) => Some(grid),
        Numbers::Scalar(_) | Numbers::Logits(_) => None,
    }
}

pub(super) fn number(numbers: Numbers) -> Option<Approx> {
    match numbers {
        Numbers::Scalar(x) => Some(x),
        Numbers::PerToken(_) | Numbers::Logits(_) => None,
    }
}

/// Every slot, where the mask leaves one out.
fn all_slots(mask: &Mask) -> Option<Mask> {
    let (b, t_len) = mask.shape();
    (mask.count() < b * t_len).then(|| Mask::full(b, t_len))
}

/// Slots by a rule.
pub(super) fn mask_of(like: &Mask, has: impl Fn((usize, usize)) -> bool) -> Mask {
    let (b, t_len) = like.shape();
    Mask::new(DMatrix::from_fn(b, t_len, |row, t| has((row, t))))
}

/// What stands at the next slot of the mask, 0 after the last.
fn next(step: &Step, mask: &Mask, x: &Grid) -> Grid {
    let rows = rows_of(mask);
    let after = |(row, t): (usize, usize)| rows[row].get(rows[row].partition_point(|other| *other <= t));
    step.p.each(mask, |slot| after(slot).map_or(step.p.given(0.0), |t| x[(slot.0, *t)]))
}

/// What stands at the slot of the mask before, 0 before the first.
fn before(step: &Step, mask: &Mask, x: &Grid) -> Grid {
    let rows = rows_of(mask);
    let before = |(row, t): (usize, usize)| rows[row][..rows[row].partition_point(|other| *other < t)].last();
    step.p.each(mask, |slot| before(slot).map_or(step.p.given(0.0), |t| x[(slot.0, *t)]))
}

/// The valid slots of every row.
fn rows_of(mask: &Mask) -> Vec<Vec<usize>> {
    (0..mask.shape().0).map(|row| mask.tokens_of(row)).collect()
}

/// A quantity with what the file has beneath the mask: its own output of that name, else the input.
fn everywhere(step: &Step, name: &str) -> Option<Grid> {
    match step.own(name) {
        Some(Own::PerToken(x)) => Some(step.p.read(x)),
        _ => step.read(step.beneath(name)),
    }
}

/// Of several forms of one mistake, the one whose numbers are nearest to the file's: which rows were one part, how
/// many parts there were. Its numbers are then held to every one of the file's, as any others.
pub(super) fn nearest(
    step: &Step,
    name: &str,
    forms: impl IntoIterator<Item = Option<Numbers>>,
) -> Option<Numbers> {
    let off = |ours: &Numbers| match (ours, step.own(name)) {
        (Numbers::Scalar(ours), Some(Own::Scalar(got))) => (ours.value - got).abs(),
        (Numbers::PerToken(ours), Some(Own::PerToken(got))) => {
            slots(step.mask_of(name)).map(|slot| (ours[slot].value - got[slot]).abs()).sum()
        }
        _ => f64::INFINITY,
    };
    // A NaN is farther than any number.
    let rank = |ours: &Numbers| Some(off(ours)).filter(|off| !off.is_nan()).unwrap_or(f64::INFINITY);
    forms.into_iter().flatten().min_by(|a, b| rank(a).total_cmp(&rank(b)))
}
