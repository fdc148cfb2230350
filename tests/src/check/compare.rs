//! An output of the file against ours: the worst of its numbers, and what that says.

use super::step::{Numbers, Own, Step};
use crate::{
    budget::Approx,
    report::{Place, difference},
};
use reference::Mask;

/// What a comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Every number is within its budget.
    Passed,
    /// Between the budget and 16 times the budget.
    Undecided,
    /// The budget is too wide to say anything.
    Undetermined,
    /// Beyond 16 times the budget, or of another class: finite, NaN, +∞, −∞.
    Failed,
}

/// How far beyond its budget a number is still not called wrong.
const DOUBT: f64 = 16.0;

/// The number of an output that is worst.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// What it says.
    pub verdict: Verdict,
    /// Where it stands.
    pub place: Place,
    /// Ours.
    pub expected: f64,
    /// The file's.
    pub got: f64,
    /// What they may differ by.
    pub allowed: f64,
}

impl Compared {
    pub(super) fn of(place: Place, ours: Approx, got: f64, stored: Stored) -> Compared {
        let rounding = stored.of(ours.off);
        let allowed = ours.off + if ours.value.is_finite() { rounding * ours.most() } else { 0.0 };
        let off = difference(ours.value, got);
        let verdict = if !ours.off.is_finite() {
            Verdict::Undetermined
        } else if off <= allowed {
            Verdict::Passed
        } else if off <= DOUBT * allowed {
            Verdict::Undecided
        } else {
            Verdict::Failed
        };
        Compared { verdict, place, expected: ours.value, got, allowed }
    }

    /// The share of its allowance that the difference is, ∞ for another class.
    fn share(&self) -> f64 {
        let off = difference(self.expected, self.got);
        if off == 0.0 { 0.0 } else { off / self.allowed }
    }
}

/// What the storage of a tensor takes off a number, relative.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    /// Of a number that its arithmetic has rounded as finely as that, or finer.
    pub(super) beyond: f64,
    /// Of a number that no arithmetic has rounded.
    pub(super) itself: f64,
}

impl Stored {
    /// Of a number that its arithmetic may be off by so much.
    pub(super) fn of(self, off: f64) -> f64 {
        if off == 0.0 { self.itself } else { self.beyond }
    }
}

/// The slots that hold a token, row by row.
pub(super) fn slots(mask: &Mask) -> impl Iterator<Item = (usize, usize)> {
    (0..mask.shape().0).flat_map(|row| mask.tokens_of(row).into_iter().map(move |t| (row, t)))
}

/// The worst number of an output of the file against ours; none where the file has none.
pub fn compare(step: &Step, name: &str, ours: &Numbers) -> Option<Compared> {
    if matches!(ours, Numbers::Logits(_)) {
        return step.compare_probed(ours);
    }
    let rounding = step.stored_as(name);
    let too_many = !step.p.bounds(step.mask_of(name).count());
    let compared = match (ours, step.own(name)?) {
        (Numbers::Scalar(ours), Own::Scalar(got)) => Some(Compared::of(Place::Scalar, *ours, *got, rounding)),
        (Numbers::PerToken(ours), Own::PerToken(got)) => step
            .compared_slots(name)
            .map(|(row, t)| {
                let slot = (row, t);
                Compared::of(Place::Token(row, t), ours[slot], got[slot], rounding)
            })
            .reduce(|worst, next| if worse(&next, &worst) { next } else { worst }),
        _ => None,
    };
    compared.map(|of| if too_many { Compared { verdict: Verdict::Undetermined, ..of } } else { of })
}

/// Whether one comparison says worse than another.
pub(super) fn worse(one: &Compared, other: &Compared) -> bool {
    let rank = |of: &Compared| (of.verdict, of.share());
    rank(one) > rank(other)
}

/// How many numbers of two formulas a file could tell apart.
pub(super) fn differing(a: &Numbers, b: &Numbers) -> usize {
    let differs = |a: Approx, b: Approx| usize::from(difference(a.value, b.value) > a.off + b.off);
    match (a, b) {
        (Numbers::Scalar(a), Numbers::Scalar(b)) => differs(*a, *b),
        (Numbers::PerToken(a), Numbers::PerToken(b)) => {
            a.iter().zip(b.iter()).map(|(a, b)| differs(*a, *b)).sum()
        }
        (Numbers::Logits(a), Numbers::Logits(b)) => {
            let of_row = |(a, b): (&Vec<Approx>, &Vec<Approx>)| -> usize {
                a.iter().zip(b).map(|(a, b)| differs(*a, *b)).sum()
            };
            a.iter().zip(b).map(of_row).sum()
        }
        _ => usize::MAX,
    }
}

/// Whether two formulas give numbers that no file could tell apart.
pub(super) fn alike(a: &Numbers, b: &Numbers) -> bool {
    differing(a, b) == 0
}
