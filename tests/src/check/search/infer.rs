//! What the numbers of a file say of every choice, and whose choices they are.

use super::{MOST_WORK, Search, changes::Changes, under::Under};
use crate::check::{
    Finding,
    bugs::{Bug, bugs},
    choices::{CHOICES, Choice, same_value},
    compare::Verdict,
    dialects::{DIALECTS, Dialect},
    step::Own,
};
use std::cell::Cell;

/// What the users of every trainer set.
const USERS: [&str; 21] = [
    "whiten",
    "gamma",
    "lam",
    "lam_critic",
    "cliprange",
    "cliprange_low",
    "cliprange_high",
    "clip_ratio_c",
    "cliprange_value",
    "value_clip_form",
    "kl_coef",
    "kl_estimator",
    "kl_loss_coef",
    "score_clip",
    "vf_coef",
    "entropy_coef",
    "loss_agg_mode",
    "loss_scale_factor",
    "temperature",
    "entropy_temperature",
    "eps",
];

/// A choice that the numbers have made.
#[derive(Debug, Clone, PartialEq)]
pub struct InUse {
    /// Its key.
    pub key: &'static str,
    /// The value that the numbers follow, and no other of its values.
    pub value: String,
}

/// A choice that the numbers leave open.
#[derive(Debug, Clone)]
pub struct Open {
    /// It.
    pub choice: &'static Choice,
    /// The value that was taken, and those whose numbers are the same here.
    pub values: Vec<String>,
}

impl Search<'_> {
    /// What the outputs that were met say of each choice they are made by: those that they make, and those that they
    /// leave open. None where the file is too large to try every value.
    pub(in crate::check) fn in_use(&self, findings: &[Finding]) -> Option<(Vec<InUse>, Vec<Open>)> {
        let met: Vec<_> = findings.iter().filter(|finding| self.is_met(finding)).collect();
        let settled = self.settled.borrow();
        let terms: Vec<_> = met.iter().map(|finding| (*finding, self.terms_of(finding.output))).collect();
        let (mut made, mut open) = (Vec::new(), Vec::new());
        let left = Cell::new(2 * MOST_WORK[1]);
        for choice in CHOICES.iter().filter(|choice| choice.key != "listing") {
            let of: Vec<_> =
                terms.iter().filter(|(_, terms)| self.matters(choice, terms)).map(|(of, _)| *of).collect();
            let used = settled.value(choice.key, self.chosen).unwrap_or_default().to_owned();
            if of.is_empty() {
                continue;
            }
            let others = choice.values.iter().filter(|value| !same_value(value.value, &used));
            let mut alike = Vec::new();
            for value in others {
                if self.fits_all(&of, &settled.with_value(choice, value), &left)? {
                    alike.push(value.value.to_owned());
                }
            }
            if alike.is_empty() {
                made.push(InUse { key: choice.key, value: used });
            } else {
                open.push(Open { choice, values: [vec![used], alike].concat() });
            }
        }
        Some((made, open))
    }

    /// Whether an output is met by what is stated, the default, or what is settled.
    fn is_met(&self, finding: &Finding) -> bool {
        let by_convention = || finding.fits.iter().any(|fit| !fit.is_wrong() && fit.mistakes.is_empty());
        finding.compared.verdict == Verdict::Passed
            || (finding.compared.verdict == Verdict::Failed && by_convention())
    }

    /// Whether all of these pass under other settings; none where that is more work than is left.
    fn fits_all(&self, of: &[&Finding], changes: &Changes, left: &Cell<usize>) -> Option<bool> {
        let Some(under) = Under::changed(self, changes) else { return Some(false) };
        for finding in of {
            left.set(left.get().checked_sub(self.step.inputs.mask.count())?);
            if under.passes(finding.output) != Some(true) {
                return Some(false);
            }
        }
        Some(true)
    }

    /// The trainers whose code has every number of the file, where the file is small enough to try them all. What
    /// their users set is what the numbers follow.
    pub(in crate::check) fn consistent(&self) -> Vec<&'static str> {
        let work = DIALECTS.len().saturating_mul(self.step.inputs.mask.count());
        let all = if work <= MOST_WORK[1] { DIALECTS } else { &[] };
        let agrees = |dialect: &&Dialect| dialect.departures(self.chosen).is_empty();
        let has_all = |dialect: &&Dialect| self.has_all(dialect, false) || self.has_all(dialect, true);
        all.iter().filter(agrees).filter(has_all).map(|dialect| dialect.name).collect()
    }

    /// Whether a trainer's code has every number, with its own defaults or with what is settled in their place.
    fn has_all(&self, dialect: &Dialect, settled: bool) -> bool {
        let does = |key: &str| dialect.does.iter().any(|(of, _)| *of == key);
        let mut flags = dialect.under(self.chosen, self.flags);
        if settled {
            let of_users = |key: &str| {
                let own = dialect.defaults.iter().any(|(of, _)| *of == key);
                !does(key) && (own || USERS.contains(&key))
            };
            let settled = self.settled.borrow();
            // What is as we have it by default is not settled, and a trainer's own default may be the other.
            let switches = ["whiten", "value_clip_form"];
            let own = switches.into_iter().filter_map(|key| Some((key, settled.value(key, self.chosen)?)));
            for (key, value) in own.chain(settled.settings()).filter(|(key, _)| of_users(key)) {
                flags.retain(|(flag, _)| flag != key);
                flags.push((key.to_owned(), value.to_owned()));
            }
        }
        let Some(under) = Under::of(self, &flags) else { return false };
        let passes = |name: &'static str, mistakes: &[&'static Bug]| {
            under.compared(name, mistakes).map(|compared| compared.verdict == Verdict::Passed)
        };
        // A formula of its own, of the output or of one before it.
        let by_form = |name: &'static str| {
            let terms = self.terms_of(name);
            let forms = bugs().filter(|bug| dialect.has(bug) && terms.contains(&bug.of));
            forms.into_iter().any(|bug| passes(name, &[bug]) == Some(true))
        };
        let outputs = self.dump.output_names().into_iter().filter(|name| self.not_covered(name).is_none());
        let mut met = outputs.filter_map(|name| Some(under.passes(name)? || by_form(name))).peekable();
        met.peek().is_some() && met.all(|met| met)
    }

    /// What the dialect that is named does though it is a mistake whoever does it, where an output shows it: its settings,
    /// and its formulas that the numbers follow.
    pub(in crate::check) fn deviations(&self, dialect: &Dialect, findings: &[Finding]) -> Vec<String> {
        let shown = |key: &str| {
            let choice = CHOICES.iter().find(|choice| choice.key == key);
            choice.is_some_and(|choice| {
                findings.iter().any(|finding| self.matters(choice, &self.terms_of(finding.output)))
            })
        };
        let settings = dialect.settings().into_iter().filter_map(|(key, value)| {
            let row = dialect.deviation(key).filter(|_| shown(key))?;
            Some(format!("{key} is {value} ({row}), as {} has it", dialect.name))
        });
        let own = findings.iter().flat_map(|finding| &finding.fits).filter(|fit| fit.of_the_dialect);
        let wrong = own.flat_map(|fit| &fit.mistakes).filter(|bug| bug.is_mistake());
        let formulas = wrong.map(|bug| format!("{} in {}, as {} has it", bug.name, bug.of, dialect.name));
        let mut said: Vec<String> = settings.chain(formulas).collect();
        said.dedup();
        said
    }

    /// Outputs that follow different values of one choice.
    pub(in crate::check) fn contradictions(&self, findings: &[Finding]) -> Vec<String> {
        let settled = self.settled.borrow();
        let mut said = Vec::new();
        let others = self.others.borrow();
        let in_all = |key: &str, value: &str| {
            others.iter().all(|other| other.settings().any(|setting| setting == (key, value)))
        };
        for (choice, value) in settled.listed.iter().filter(|(choice, value)| in_all(choice.key, value.value))
        {
            let of_this = |finding: &&Finding| {
                finding.compared.verdict == Verdict::Passed
                    && self.matters(choice, &self.terms_of(finding.output))
            };
            let against = findings.iter().filter(of_this).filter(|finding| {
                let changes = Changes::default().with_value(choice, value);
                Under::changed(self, &changes)
                    .and_then(|under| under.compared(finding.output, &[]))
                    .is_some_and(|compared| compared.verdict == Verdict::Failed)
            });
            let against: Vec<&str> = against.map(|finding| finding.output).collect();
            let used = self.chosen.setting(choice.key).map_or("", |setting| setting.value.as_str());
            if !against.is_empty() {
                said.push(format!(
                    "one output follows {} = {}, and {} {} = {used}",
                    choice.key,
                    value.value,
                    against.join(", "),
                    choice.key
                ));
            }
        }
        said
    }

    /// Outputs of the file that are not 0 in masked slots: how many slots, of how many. Nothing is said of them else.
    pub(in crate::check) fn masked(&self) -> Vec<(&'static str, usize, usize)> {
        let of = |name: &'static str| {
            let Some(Own::PerToken(own)) = self.step.own(name) else { return None };
            let mask = self.step.mask_of(name);
            let not_0 = (0..own.nrows())
                .flat_map(|row| (0..own.ncols()).map(move |t| (row, t)))
                .filter(|slot| !mask.has(*slot) && own[*slot] != 0.0)
                .count();
            (not_0 > 0).then_some((name, not_0, own.len() - mask.count()))
        };
        self.dump.output_names().into_iter().filter_map(of).collect()
    }
}
