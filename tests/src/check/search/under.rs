//! The step under other settings than the file's.

use super::{Search, Step, changes::Changes};
use crate::{
    check::{
        bugs::Bug,
        compare::{Compared, Verdict, compare},
        step::Numbers,
    },
    dump::{Chosen, Key},
};
use reference::{ScoreAt, Settings};

/// Keys that move the masks that inputs are read under, the ends of episodes or the ranks.
pub(super) const MOVING: [&str; 4] = ["score_at", "listing", "done_at", "whiten_over"];

/// A file under these settings.
pub(super) struct Under<'s> {
    search: &'s Search<'s>,
    pub(super) step: Step,
    pub(super) settings: Settings,
    chosen: Chosen,
}

impl<'s> Under<'s> {
    /// Under these flags; none where they cannot be meant together.
    pub(super) fn of(search: &'s Search<'s>, flags: &[(String, String)]) -> Option<Under<'s>> {
        let chosen = search.dump.choose(flags).ok()?;
        let moved = |key: &&str| {
            let value = |chosen: &Chosen| chosen.setting(key).map(|setting| setting.value.clone());
            value(&chosen) != value(search.chosen)
        };
        let step = match MOVING.iter().any(moved) {
            true => search.step.under(search.dump, &chosen).ok()?,
            false => search.step.clone(),
        };
        Some(Under { search, step, settings: chosen.settings.as_listed(), chosen })
    }

    /// With these settings in place of those in use.
    pub(super) fn changed(search: &'s Search<'s>, changes: &Changes) -> Option<Under<'s>> {
        Under::of(search, &Under::flags(search, changes))
    }

    /// The settings alone.
    pub(super) fn settings_of(search: &Search, changes: &Changes) -> Option<Settings> {
        Some(search.dump.choose(&Under::flags(search, changes)).ok()?.settings)
    }

    fn flags(search: &Search, changes: &Changes) -> Vec<(String, String)> {
        let mut flags: Vec<(String, String)> = search.flags.to_vec();
        for (key, value) in changes.settings() {
            flags.retain(|(flag, _)| Key::find(&flag.replace('-', "_")).is_none_or(|of| of.name != key));
            flags.push((key.to_owned(), value.to_owned()));
        }
        flags
    }

    /// Whether an output passes without any mistake; none where it cannot be compared. Settings that it does not read are
    /// not asked about again.
    pub(super) fn passes(&self, output: &'static str) -> Option<bool> {
        let read = self.search.keys_of(output);
        let values = self.chosen.sources.iter().filter(|setting| read.contains(&setting.key));
        let asked = (output, values.map(|setting| setting.value.clone()).collect::<Vec<_>>());
        let known = self.search.known.borrow().get(&asked).copied();
        known.unwrap_or_else(|| {
            let compared = self.compared(output, &[]);
            let passes = compared.map(|compared| compared.verdict == Verdict::Passed);
            self.search.known.borrow_mut().insert(asked, passes);
            passes
        })
    }

    /// An output with these mistakes.
    pub(super) fn numbers(&self, output: &'static str, mistakes: &[&'static Bug]) -> Option<Numbers> {
        self.step.at(self.search.precision(output)).with(mistakes).output(output, &self.settings)
    }

    /// The file's numbers against these, under the mask of the file as it is read. Where the first pad is paid the
    /// reward of that slot is compared too: a score that nobody is paid has the same numbers elsewhere.
    pub(super) fn compared_with(&self, output: &'static str, numbers: &Numbers) -> Option<Compared> {
        let step = if self.compares_pads(output) { &self.step } else { &self.search.step };
        compare(&step.at(self.search.precision(output)), output, numbers)
    }

    /// Whether an output is compared in the first pads too.
    pub(super) fn compares_pads(&self, output: &str) -> bool {
        let pays_pads = output == "token_rewards" && self.settings.score_at == ScoreAt::FirstPad;
        pays_pads && self.search.step.inputs.mask.with_first_pad() == self.step.inputs.value_mask
    }

    /// The file's numbers against an output with these mistakes.
    pub(super) fn compared(&self, output: &'static str, mistakes: &[&'static Bug]) -> Option<Compared> {
        self.compared_with(output, &self.numbers(output, mistakes)?)
    }
}
