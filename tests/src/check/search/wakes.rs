//! A choice with another that it wakes: two settings, and one way to compute a term.

use super::{
    changes::{Changes, one_more},
    under::Under,
    ways::Ways,
};
use crate::check::{Fit, choices::Choice};

impl Ways<'_> {
    /// The explanations by a choice and another that is in the formula beside it and not without it, and one of `beside`:
    /// whether empty rows count is asked of a mean over rows alone, so both together are one way to take a mean. Nobody
    /// states either, and no other output speaks against them.
    pub(super) fn by_what_wakes(&self, one: &[Changes], beside: &[Changes]) -> Vec<Fit> {
        let in_formula = |choice: &Choice, changes: &Changes| {
            let settings = Under::settings_of(self.search, &self.base.and(changes));
            settings.is_some_and(|s| (choice.matters)(&s.as_listed()))
        };
        let free = self.free();
        let asleep: Vec<_> =
            free.iter().filter(|choice| !in_formula(choice, &Changes::default())).copied().collect();
        let stated = |changes: &&Changes| changes.keys().any(|key| self.search.states(key));
        let mut fits = Vec::new();
        for waking in one.iter().filter(|changes| !stated(changes)) {
            let woken: Vec<_> = asleep.iter().filter(|choice| in_formula(choice, waking)).copied().collect();
            for both in one_more(core::slice::from_ref(waking), &woken, &self.base, self.search.chosen) {
                let apart = |other: &&Changes| other.keys().all(|key| both.keys().all(|of| of != key));
                let all: Vec<_> = beside.iter().filter(apart).map(|other| both.and(other)).collect();
                let found = self.by_choices(&all, &[]);
                if !found.is_empty() && self.others_may_follow(&both) {
                    fits.extend(found);
                }
            }
        }
        fits
    }
}
