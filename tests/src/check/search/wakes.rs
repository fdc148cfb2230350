//! A choice with another that it wakes: two settings, and one way to compute a term.

use super::{
    changes::{Changes, one_more},
    under::Under,
    ways::Ways,
};
use crate::check::{
    Fit,
    choices::{CHOICES, Choice},
};

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

    /// Whether another output that these choices are in is not what it is without them, and none speaks against them.
    fn others_may_follow(&self, changes: &Changes) -> bool {
        let with = self.base.and(changes);
        let not_without = |name| self.passes(&self.base, name) == Some(false);
        self.others(changes).any(not_without) && !self.is_spoken_against(&with, changes)
    }

    /// Leaves out the conventions that another output of the file speaks against, where a mistake has the same numbers.
    pub(super) fn heard(&self, mut fits: Vec<Fit>) -> Vec<Fit> {
        if fits.iter().any(Fit::is_wrong) && !fits.iter().all(Fit::is_wrong) {
            fits.retain(|fit| {
                let all = Changes { listed: fit.changed.clone(), numbers: fit.numbers.clone() };
                let own = self.base.keys().fold(all.clone(), |own, key| own.without(key));
                fit.is_wrong() || !fit.mistakes.is_empty() || !self.is_spoken_against(&all, &own)
            });
        }
        fits
    }

    /// Whether another output that these choices are in is what it is without them, and is not with them.
    fn is_spoken_against(&self, with: &Changes, changes: &Changes) -> bool {
        let by = |name| self.passes(&self.base, name) == Some(true) && self.passes(with, name) == Some(false);
        self.others(changes).any(by)
    }

    /// The other outputs of the file that any of these choices is in.
    fn others(&self, changes: &Changes) -> impl Iterator<Item = &'static str> {
        let keys: Vec<_> = changes.keys().collect();
        let read = move |name: &&'static str| {
            let terms = self.search.made_of(name);
            let can = |choice: &&Choice| keys.contains(&choice.key) && self.search.can_matter(choice, &terms);
            CHOICES.iter().any(|choice| can(&choice))
        };
        let names = self.search.dump.output_names().into_iter();
        names.filter(|name| *name != self.output).filter(read)
    }

    fn passes(&self, changes: &Changes, name: &'static str) -> Option<bool> {
        Under::changed(self.search, changes)?.passes(name)
    }
}
