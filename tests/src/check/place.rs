//! Where the numbers of an output differ from ours, and in what way, where nothing known explains them.

use super::{
    compare::{Compared, Verdict},
    step::{Numbers, Own, Step},
};
use crate::report::Place;

/// One that differs: where, ours, theirs.
type Off = ((usize, usize), f64, f64);

/// Says which tokens differ first and how: by a factor, by a constant, at the ends of rows, after gaps.
pub fn pattern(step: &Step, output: &str, ours: &Numbers) -> Option<String> {
    match (ours, step.own(output)?) {
        (Numbers::Scalar(ours), Own::Scalar(got)) => {
            Some(format!("it is {:.6} times ours", got / ours.value))
        }
        (Numbers::PerToken(ours), Own::PerToken(got)) => {
            let mask = step.mask_of(output);
            let differs = |slot: &(usize, usize)| {
                let place = Place::Token(slot.0, slot.1);
                let compared = Compared::of(place, ours[*slot], got[*slot], step.stored_as(output));
                compared.verdict != Verdict::Passed
            };
            let off: Vec<Off> = step
                .compared_slots(output)
                .filter(differs)
                .map(|slot| (slot, ours[slot].value, got[slot]))
                .collect();
            let ((row, t), expected, found) = *off.first()?;
            let first = format!(
                "{} of {} tokens differ, first [{row}, {t}]: expected {expected:.6}, got {found:.6}",
                off.len(),
                mask.count()
            );
            let is_last = |slot: &(usize, usize)| slot.1 + 1 == mask.end(slot.0);
            let before_gap = |slot: &(usize, usize)| !is_last(slot) && !mask.has((slot.0, slot.1 + 1));
            let place = if off.iter().all(|(slot, ..)| is_last(slot)) {
                "; all of them end a row"
            } else if off.iter().all(|(slot, ..)| before_gap(slot)) {
                "; all of them stand before a gap"
            } else {
                ""
            };
            Some(format!("{first}{place}{}", how(&off)))
        }
        _ => None,
    }
}

/// By one factor, or by one summand; nothing where neither.
fn how(off: &[Off]) -> String {
    let constant = |of: &dyn Fn(&Off) -> f64| {
        let first = of(&off[0]);
        let alike = off.iter().all(|one| (of(one) - first).abs() <= 1e-5 * first.abs());
        (off.len() > 1 && alike && first.is_finite()).then_some(first)
    };
    if let Some(factor) = constant(&|(_, expected, got)| got / expected) {
        return format!("; each is {factor:.6} times ours");
    }
    constant(&|(_, expected, got)| got - expected)
        .map_or(String::new(), |by| format!("; each is {by:+.6} beside ours"))
}
