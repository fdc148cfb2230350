//! The step under other settings than the file's.

use super::{Search, Step, changes::Changes};
use crate::{
    check::{
        bugs::Bug,
        compare::{Compared, compare},
        step::Numbers,
    },
    dump::Key,
};
use reference::{ScoreAt, Settings};

/// Keys that move the masks that inputs are read under, the ends of episodes or the ranks.
const MOVING: [&str; 4] = ["score_at", "listing", "done_at", "whiten_over"];

/// A file under these settings.
pub(super) struct Under<'s> {
    search: &'s Search<'s>,
    pub(super) step: Step,
    pub(super) settings: Settings,
}

impl<'s> Under<'s> {
    /// Under these flags; none where they cannot be meant together.
    pub(super) fn of(search: &'s Search<'s>, flags: &[(String, String)]) -> Option<Under<'s>> {
        let chosen = search.dump.choose(flags).ok()?;
        let moved = |key: &&str| {
            let value =
                |chosen: &crate::dump::Chosen| chosen.setting(key).map(|setting| setting.value.clone());
            value(&chosen) != value(search.chosen)
        };
        let step = match MOVING.iter().any(moved) {
            true => search.step.under(search.dump, &chosen).ok()?,
            false => search.step.clone(),
        };
        Some(Under { search, step, settings: chosen.settings.as_listed() })
    }

    /// With these settings in place of those in use.
    pub(super) fn changed(search: &'s Search<'s>, changes: &Changes) -> Option<Under<'s>> {
        let mut flags: Vec<(String, String)> = search.flags.to_vec();
        for (key, value) in changes.settings() {
            flags.retain(|(flag, _)| Key::find(&flag.replace('-', "_")).is_none_or(|of| of.name != key));
            flags.push((key.to_owned(), value.to_owned()));
        }
        Under::of(search, &flags)
    }

    /// An output with these mistakes.
    pub(super) fn numbers(&self, output: &'static str, mistakes: &[&'static Bug]) -> Option<Numbers> {
        self.step.at(self.search.precision(output)).with(mistakes).output(output, &self.settings)
    }

    /// The file's numbers against these, under the mask of the file as it is read. Where the first pad is paid the
    /// reward of that slot is compared too: a score that nobody is paid has the same numbers elsewhere.
    pub(super) fn compared_with(&self, output: &'static str, numbers: &Numbers) -> Option<Compared> {
        let pays_pads = output == "token_rewards" && self.settings.score_at == ScoreAt::FirstPad;
        let with_pads = || self.search.step.inputs.mask.with_first_pad() == self.step.inputs.value_mask;
        let step = if pays_pads && with_pads() { &self.step } else { &self.search.step };
        compare(&step.at(self.search.precision(output)), output, numbers)
    }

    /// The file's numbers against an output with these mistakes.
    pub(super) fn compared(&self, output: &'static str, mistakes: &[&'static Bug]) -> Option<Compared> {
        self.compared_with(output, &self.numbers(output, mistakes)?)
    }
}
