//! The search: which choices and mistakes an output's numbers follow, the fewest changes first.

use super::{
    Finding, Fit,
    bugs::{Bug, bugs},
    choices::{CHOICES, Choice, Value, same_value},
    compare::{Verdict, compare},
    dialects::{DIALECTS, Dialect},
    place,
    step::Step,
};
use crate::{
    budget::Precision,
    dump::{BadInput, Chosen, Dump, Key, Source},
};

/// Most choices that are changed at once.
const MOST_CHANGES: usize = 3;

/// Candidates times tokens: beyond it, fewer choices are changed at once.
const MOST_WORK: usize = 4_000_000;

/// A file and the step on it.
pub(super) struct Search<'a> {
    pub(super) dump: &'a Dump,
    pub(super) flags: &'a [(String, String)],
    pub(super) p: Precision,
    pub(super) step: Step,
    pub(super) chosen: &'a Chosen,
    /// Keys whose value is a claim.
    pub(super) stated: Vec<&'static str>,
}

/// Values of choices, each another than the one in use.
type Changes = Vec<(&'static Choice, &'static Value)>;

impl Search<'_> {
    /// What is said of one output; none where the file lacks what it is made of.
    pub(super) fn finding(&self, output: &'static str) -> Result<Option<Finding>, BadInput> {
        let s = self.chosen.settings.as_listed();
        let ours = self.step.output(output, &s);
        let Some(compared) = ours.as_ref().and_then(|ours| compare(&self.step, output, ours)) else {
            return Ok(None);
        };
        let mut finding = Finding { output, compared, fits: Vec::new(), pattern: None };
        if compared.verdict != Verdict::Failed {
            return Ok(Some(finding));
        }
        finding.fits = self.fits(output)?;
        if finding.fits.is_empty() {
            finding.pattern = ours.and_then(|ours| place::pattern(&self.step, output, &ours));
        }
        Ok(Some(finding))
    }

    /// Every explanation of the fewest changes: n choices, or n − 1 and a mistake.
    fn fits(&self, output: &'static str) -> Result<Vec<Fit>, BadInput> {
        let choices = self.choices_of(output);
        let bugs: Vec<&'static Bug> = bugs().filter(|bug| bug.of == output).collect();
        let mut of_size = vec![vec![Changes::new()]];
        for n in 1..=MOST_CHANGES {
            of_size.push(one_more(&of_size[n - 1], &choices, self.chosen));
            let work = of_size[n].len().saturating_mul(self.step.inputs.mask.count());
            if n > 1 && work > MOST_WORK {
                break;
            }
            let mut fits = Vec::new();
            for changes in &of_size[n] {
                fits.extend(self.fit(output, changes, None)?);
            }
            for changes in &of_size[n - 1] {
                for bug in &bugs {
                    fits.extend(self.fit(output, changes, Some(bug))?);
                }
            }
            // What leaves the stated as it is explains more than what does not.
            if fits.iter().any(|fit: &Fit| !fit.against_the_stated) {
                fits.retain(|fit| !fit.against_the_stated);
            }
            if !fits.is_empty() {
                return Ok(fits);
            }
        }
        Ok(Vec::new())
    }

    /// The explanation, where the file's numbers are within its budget.
    fn fit(
        &self,
        output: &'static str,
        changes: &Changes,
        bug: Option<&'static Bug>,
    ) -> Result<Option<Fit>, BadInput> {
        let mut flags: Vec<(String, String)> = self.flags.to_vec();
        for (choice, value) in changes {
            flags.retain(|(flag, _)| {
                Key::find(&flag.replace('-', "_")).is_none_or(|key| key.name != choice.key)
            });
            flags.push((choice.key.to_owned(), value.value.to_owned()));
        }
        // Values that cannot be meant together explain nothing.
        let Ok(chosen) = self.dump.choose(&flags) else { return Ok(None) };
        // These move the mask that the inputs are read under, or the ends of episodes.
        let moved =
            changes.iter().any(|(choice, _)| ["score_at", "listing", "done_at"].contains(&choice.key));
        let loaded = if moved { Step::load(self.dump, &chosen, self.p).ok() } else { None };
        let step = match (&loaded, moved) {
            (Some(step), _) => step,
            (None, true) => return Ok(None),
            (None, false) => &self.step,
        };
        let s = chosen.settings.as_listed();
        let numbers = bug.map_or_else(|| step.output(output, &s), |bug| (bug.make)(step, &s));
        let compared = numbers.and_then(|numbers| compare(&self.step, output, &numbers));
        let against_the_stated = changes.iter().any(|(choice, _)| self.stated.contains(&choice.key));
        let fits = compared.is_some_and(|compared| compared.verdict == Verdict::Passed);
        Ok(fits.then(|| Fit { changed: changes.clone(), against_the_stated, bug }))
    }

    /// The choices that an output is made by: its own, and those of what is computed before it since the file
    /// lacks it.
    fn choices_of(&self, output: &str) -> Vec<&'static Choice> {
        let s = self.chosen.settings.as_listed();
        let computed = |name: &&str| self.step.own(name).is_none() && self.step.output(name, &s).is_some();
        let mut of = vec![output];
        let mut at = 0;
        while at < of.len() {
            let before = reads(of[at]).iter().copied().filter(computed);
            let new: Vec<&str> = before.filter(|name| !of.contains(name)).collect();
            of.extend(new);
            at += 1;
        }
        let matters =
            |choice: &&Choice| (choice.matters)(&s) && of.iter().any(|name| choice.of.contains(name));
        CHOICES.iter().filter(matters).collect()
    }

    /// The trainers whose choices have every number of the file, where the file is small enough to try them all.
    pub(super) fn consistent(&self) -> Vec<&'static str> {
        let work = DIALECTS.len().saturating_mul(self.step.inputs.mask.count());
        let has_all = |dialect: &&Dialect| {
            let flags = dialect.under(self.chosen, self.flags);
            let Ok(chosen) = self.dump.choose(&flags) else { return false };
            let Ok(step) = Step::load(self.dump, &chosen, self.p) else { return false };
            let s = chosen.settings.as_listed();
            let outputs = self.dump.output_names().into_iter();
            let mut compared =
                outputs.filter_map(|name| compare(&step, name, &step.output(name, &s)?)).peekable();
            compared.peek().is_some() && compared.all(|compared| compared.verdict == Verdict::Passed)
        };
        let all = if work <= MOST_WORK { DIALECTS } else { &[] };
        let agrees = |dialect: &&Dialect| dialect.departures(self.chosen).is_empty();
        all.iter().filter(agrees).filter(has_all).map(|dialect| dialect.name).collect()
    }
}

/// The keys that a flag, the metadata or a shape gives, and what the code of a dialect does. `cliprange` gives both
/// radii; what else follows another key does so by our default alone.
pub(super) fn stated(said: &Chosen, dialect: Option<&Dialect>) -> Vec<&'static str> {
    let given = |key: &str| said.setting(key).is_some_and(|setting| setting.from != Source::Default);
    let radius = |key: &str| ["cliprange_low", "cliprange_high"].contains(&key) && given("cliprange");
    let does = |key: &str| dialect.is_some_and(|dialect| dialect.does.iter().any(|(of, _)| *of == key));
    let keys = CHOICES.iter().map(|choice| choice.key);
    keys.filter(|key| given(key) || radius(key) || does(key)).collect()
}

/// Each of these changes with one more, of a later choice.
fn one_more(changes: &[Changes], choices: &[&'static Choice], chosen: &Chosen) -> Vec<Changes> {
    let is_used = |choice: &Choice, value: &Value| {
        chosen.setting(choice.key).is_some_and(|setting| same_value(&setting.value, value.value))
    };
    let mut more = Vec::new();
    for before in changes {
        let last =
            before.last().and_then(|(last, _)| choices.iter().position(|choice| choice.key == last.key));
        for choice in &choices[last.map_or(0, |last| last + 1)..] {
            for value in choice.values.iter().filter(|value| !is_used(choice, value)) {
                more.push(before.iter().copied().chain([(*choice, value)]).collect());
            }
        }
    }
    more
}

/// The outputs that an output is made of.
fn reads(output: &str) -> &'static [&'static str] {
    match output {
        "token_rewards" => &["kl"],
        "advantages_raw" => &["token_rewards"],
        "whitened" => &["advantages_raw"],
        "returns" => &["advantages_raw"],
        "ratio" | "ppo_kl" => &["log_probs"],
        "pg_loss" | "pg_clipfrac" | "pg_clipfrac_lower" | "grad_log_probs" => &["log_probs", "whitened"],
        "vf_loss" | "vf_clipfrac" | "grad_values" => &["returns"],
        "entropy_loss" => &["entropy"],
        "total_loss" => &["pg_loss", "vf_loss", "entropy_loss", "kl_loss"],
        _ => &[],
    }
}
