//! What must hold before anything is timed.

use crate::work::Work;
use conformance::fast::{Case, Judged, TERMS, Want, judge};
use optimized::{Backend, Error};
use ppo_benches::ceiling::Element;

/// Slots of the largest case that is looked at: enough for every edge, little enough to take no time.
const MOST: usize = 4096;

/// What a work gave: its arrays and its numbers.
pub(crate) struct Answer<T> {
    arrays: Vec<Vec<T>>,
    numbers: Vec<f32>,
}

impl<T: Element> Answer<T> {
    /// Does the work once, into outputs that hold nothing of an answer.
    pub(crate) fn of(work: &mut Work<T>, on: Backend) -> Result<Answer<T>, Error> {
        work.forget();
        work.prepare();
        let numbers = work.run(on)?;
        Ok(Answer { arrays: work.writes.clone(), numbers })
    }

    /// Where another's bits first differ.
    pub(crate) fn difference(&self, numbers: &[f32], arrays: &[Vec<T>]) -> Option<String> {
        let mine = self.arrays.iter().map(Vec::as_slice);
        let places = mine.zip(arrays).find_map(|(mine, theirs)| first(mine, theirs));
        places.or_else(|| first(&self.numbers, numbers))
    }
}

fn first<T: Element>(mine: &[T], theirs: &[T]) -> Option<String> {
    assert_eq!(mine.len(), theirs.len());
    let bits = |x: T| x.widen().to_bits();
    let at = mine.iter().zip(theirs).position(|(mine, theirs)| bits(*mine) != bits(*theirs))?;
    Some(format!("element {at} is {:e} and {:e}", mine[at].widen(), theirs[at].widen()))
}

/// Every small case of the term, on every backend, against the reference within its budget.
///
/// # Panics
///
/// If a number lies outside.
pub(crate) fn hold_to_reference(stem: &str) {
    let Some(term) = TERMS.iter().find(|term| term.stem == stem) else {
        println!("{stem} has no cases to hold it to the reference by; backends are compared.\n");
        return;
    };
    for case in (term.cases)().iter().filter(|case| case.batch.valid.len() <= MOST) {
        let truth = case.truth(&case.batch);
        for on in Backend::available() {
            hold(stem, case, on, &truth);
        }
    }
}

fn hold(stem: &str, case: &Case, on: Backend, truth: &[(&'static str, Want)]) {
    let got = case.plain(on);
    for (name, Want(want)) in truth {
        let value = got.get(name).unwrap_or_else(|| panic!("{stem}: no output `{name}`"));
        for (got, want) in value.numbers().iter().zip(want) {
            let inside = judge(*got, *want) != Judged::Outside;
            assert!(inside, "{stem}.{name} on {on} is {got:e} for {want:?}: {case:?}");
        }
    }
}
