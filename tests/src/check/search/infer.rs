//! What the numbers of a file say of every choice, and whose choices they are.

use super::{MOST_WORK, Search, changes::Changes, under::Under};
use crate::check::{
    Finding,
    choices::{CHOICES, Choice, same_value},
    compare::Verdict,
    dialects::{DIALECTS, Dialect},
    step::Own,
};

/// What the users of every trainer set.
const USERS: [&str; 20] = [
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
        let mut left = MOST_WORK[1];
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
                left = left.checked_sub(of.len() * self.step.inputs.mask.count())?;
                if self.fits_all(&of, &settled.with_value(choice, value)) {
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

    fn fits_all(&self, of: &[&Finding], changes: &Changes) -> bool {
        let Some(under) = Under::changed(self, changes) else { return false };
        let passes = |finding: &&Finding| {
            under.compared(finding.output, &[]).is_some_and(|compared| compared.verdict == Verdict::Passed)
        };
        of.iter().all(passes)
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
            for (key, value) in self.settled.borrow().settings().filter(|(key, _)| of_users(key)) {
                flags.retain(|(flag, _)| flag != key);
                flags.push((key.to_owned(), value.to_owned()));
            }
        }
        let Some(under) = Under::of(self, &flags) else { return false };
        let outputs = self.dump.output_names().into_iter();
        let mut compared = outputs.filter_map(|name| under.compared(name, &[])).peekable();
        compared.peek().is_some() && compared.all(|compared| compared.verdict == Verdict::Passed)
    }

    /// Outputs that follow different values of one choice.
    pub(in crate::check) fn contradictions(&self, findings: &[Finding]) -> Vec<String> {
        let settled = self.settled.borrow();
        let mut said = Vec::new();
        for (choice, value) in &settled.listed {
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
