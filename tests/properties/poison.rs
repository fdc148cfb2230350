//! Masked slots are irrelevant and valid ones are not, for every term and every gradient.
//!
//! NaN, +∞, −∞ and 1e30 in the masked slots of each argument alone and of all together change no bit of any
//! result, the sign of a zero included, and what comes out for a masked slot is +0. A NaN in any one valid
//! slot reaches every result that the argument is an operand of. `terms.rs` lists the functions.

mod losses;
mod rollout;
mod terms;
mod whole;

use crate::{case::Case, runner::Outcome};
use nalgebra::DMatrix;
use reference::Mask;
use terms::{PER_SLOT, Results, Term, terms};

/// Which entries of an argument belong to a masked token.
#[derive(Debug, Clone, Copy)]
enum Reach {
    /// b × t_len: those of masked slots.
    Slots,
    /// One sequence's t_len × width: the rows of masked slots of that row of the mask.
    States(usize),
    /// b × 1: those of rows without a token.
    Rows,
}

/// One argument of a term.
struct Arg {
    name: &'static str,
    reach: Reach,
    x: DMatrix<f64>,
}

impl Arg {
    fn is_valid(&self, mask: &Mask, (row, t): (usize, usize)) -> bool {
        match self.reach {
            Reach::Slots => mask.has((row, t)),
            Reach::States(of) => mask.has((of, row)),
            Reach::Rows => mask.end(row) > 0,
        }
    }

    fn entries(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let (rows, columns) = self.x.shape();
        (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)))
    }

    fn poisoned(&self, mask: &Mask, by: f64) -> DMatrix<f64> {
        let mut x = self.x.clone();
        self.entries().filter(|at| !self.is_valid(mask, *at)).for_each(|at| x[at] = by);
        x
    }
}

fn is_same(a: &Results, b: &Results) -> Outcome {
    for ((name, a), (_, b)) in a.iter().zip(b) {
        ensure!(a.len() == b.len(), "`{name}` has another size");
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            ensure!(a.to_bits() == b.to_bits(), "`{name}` entry {i} was {a:e} and is {b:e}");
        }
    }
    Ok(())
}

fn masked_slots_are_irrelevant(term: &Term, mask: &Mask) -> Outcome {
    let clean: Vec<_> = term.args.iter().map(|arg| arg.x.clone()).collect();
    let want = (term.results)(&clean);
    for (name, result) in &want {
        ensure!(result.iter().all(|x| !x.is_nan()), "{}: `{name}` is NaN without any poison", term.name);
    }
    for (name, result) in want.iter().filter(|(name, _)| PER_SLOT.contains(name)) {
        let (b, t_len) = mask.shape();
        let masked = (0..b * t_len).filter(|i| !mask.has((i % b, i / b)));
        for x in masked.map(|i| result[i]) {
            ensure!(x.to_bits() == 0, "{}: `{name}` is {x} in a masked slot and not +0", term.name);
        }
    }
    for by in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e30] {
        for (i, arg) in term.args.iter().enumerate() {
            let mut one = clean.clone();
            one[i] = arg.poisoned(mask, by);
            is_same(&want, &(term.results)(&one)).map_err(|sentence| {
                format!("{}: {by} in masked slots of `{}`: {sentence}", term.name, arg.name)
            })?;
        }
        let all: Vec<_> = term.args.iter().map(|arg| arg.poisoned(mask, by)).collect();
        is_same(&want, &(term.results)(&all)).map_err(|sentence| {
            format!("{}: {by} in masked slots of every argument: {sentence}", term.name)
        })?;
    }
    Ok(())
}

fn a_nan_arrives(term: &Term, mask: &Mask, pick: usize) -> Outcome {
    let clean: Vec<_> = term.args.iter().map(|arg| arg.x.clone()).collect();
    for (i, arg) in term.args.iter().enumerate() {
        // The first, the last and one between: every position in turn comes up over the cases.
        let valid: Vec<_> = arg.entries().filter(|at| arg.is_valid(mask, *at)).collect();
        let between = valid.get(pick % valid.len().max(1));
        for at in valid.first().into_iter().chain(valid.last()).chain(between).copied() {
            let mut one = clean.clone();
            one[i][at] = f64::NAN;
            for (name, result) in (term.results)(&one) {
                let deaf = term.deaf.iter().any(|(a, r)| *a == arg.name && (*r == name || *r == "*"));
                let arrived = result.iter().any(|x| x.is_nan());
                ensure!(
                    deaf || arrived,
                    "{}: a NaN in `{}` at {at:?} is lost in `{name}`",
                    term.name,
                    arg.name
                );
            }
        }
    }
    Ok(())
}

property! {
    fn masked_slots_change_no_bit_of_any_term(case) {
        for term in of(case) {
            masked_slots_are_irrelevant(&term, &case.m())?;
        }
    }
}

property! {
    fn a_nan_in_a_valid_slot_reaches_every_result(case) {
        for term in of(case) {
            a_nan_arrives(&term, &case.m(), case.seed as usize)?;
        }
    }
}

/// The terms on this case; two tokens at least, so that every mean and variance exists.
fn of(case: &Case) -> Vec<Term> {
    if case.m().count() < 2 { vec![] } else { terms(case) }
}
