//! What the other outputs of a file say of a choice that one of them may follow.

use super::{changes::Changes, under::Under, ways::Ways};
use crate::check::{
    Fit,
    choices::{CHOICES, Choice},
};

impl Ways<'_> {
    /// Whether another output that these choices are in is not what it is without them, and none speaks against them.
    pub(super) fn others_may_follow(&self, changes: &Changes) -> bool {
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
