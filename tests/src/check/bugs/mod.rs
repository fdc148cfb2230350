//! Known deviations, as data: what a wrong step puts out, and where it was seen.
//!
//! Each is the equation with one mistake in it, in the arithmetic of the budgets, so that a file that has the
//! mistake is met within its own budget. `S` numbers are those of the errata of the post.

mod losses;
mod targets;

use super::step::{Numbers, Step};
use crate::budget::{Approx, Grid};
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
    /// The output with the mistake; none where the file lacks what it is made of.
    pub make: fn(&Step, &Settings) -> Option<Numbers>,
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
}

const fn bug(
    name: &'static str,
    of: &'static str,
    says: &'static str,
    seen: &'static str,
    make: fn(&Step, &Settings) -> Option<Numbers>,
) -> Bug {
    Bug { name, of, says, seen, make, kind: Kind::Mistake }
}

/// A formula that some trainer uses on purpose.
const fn form(bug: Bug) -> Bug {
    Bug { kind: Kind::Form, ..bug }
}

/// Every deviation, in the order of the step.
pub fn bugs() -> impl Iterator<Item = &'static Bug> {
    targets::BUGS.iter().chain(losses::BUGS)
}

fn per_token(numbers: Numbers) -> Option<Grid> {
    match numbers {
        Numbers::PerToken(grid) => Some(grid),
        Numbers::Scalar(_) => None,
    }
}

fn number(numbers: Numbers) -> Option<Approx> {
    match numbers {
        Numbers::Scalar(x) => Some(x),
        Numbers::PerToken(_) => None,
    }
}

/// Every slot, where the mask leaves one out.
fn all_slots(mask: &Mask) -> Option<Mask> {
    let (b, t_len) = mask.shape();
    (mask.count() < b * t_len).then(|| Mask::full(b, t_len))
}

/// What stands at the next slot of the mask, 0 after the last.
fn next(step: &Step, mask: &Mask, x: &Grid) -> Grid {
    let after = |(row, t): (usize, usize)| mask.tokens_of(row).into_iter().find(|next| *next > t);
    step.p.each(mask, |slot| after(slot).map_or(step.p.given(0.0), |t| x[(slot.0, t)]))
}
