//! `ppo check`: a file's own numbers, output by output, against the equations; and where they are not the
//! equation's, which known choice or mistake they follow.
//!
//! | part | is |
//! |---|---|
//! | [`step`] | each output from what the file itself holds before it |
//! | [`mod@compare`] | within the budget of any order of operations, beyond it, or far beyond it |
//! | [`choices`] | the points at which trainers choose |
//! | [`bugs`] | known deviations, each the equation with one mistake in it |
//! | [`place`] | where unexplained numbers differ, and how |
//!
//! An explanation is a file's numbers met within their budget by another value of a choice, by a known mistake, or by
//! both. Those with the fewest changes are shown, all of them: what fits equally is not told apart by guessing.

pub mod bugs;
pub mod choices;
pub mod compare;
pub mod place;
pub mod step;

use crate::{
    budget::Precision,
    dump::{BadInput, Chosen, Dump, Key, Source},
};
use bugs::{BUGS, Bug};
use choices::{CHOICES, Choice, Value};
use compare::{Compared, Verdict, compare};
use safetensors::Dtype;
use step::Step;

/// What is said of one output of the file.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Its name in a dump.
    pub output: &'static str,
    /// Its worst number under the settings that are stated, or the defaults.
    pub compared: Compared,
    /// What its numbers follow instead, where that is beyond the budget: every explanation with the fewest
    /// changes.
    pub fits: Vec<Fit>,
    /// Where and how it differs, where nothing explains it.
    pub pattern: Option<String>,
}

/// Another formula that a file's numbers follow.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Values other than those stated or the default.
    pub changed: Vec<(&'static Choice, &'static Value)>,
    /// Whether one of them departs from what the file or a flag states.
    pub against_the_stated: bool,
    /// A known mistake on top of them.
    pub bug: Option<&'static Bug>,
}

impl Finding {
    /// Wrong: beyond the budget, and no choice that the file leaves open explains it.
    pub fn failed(&self) -> bool {
        self.compared.verdict == Verdict::Failed && !self.is_convention()
    }

    /// Beyond the budget of the default, but what a trainer chooses where the file states nothing.
    pub fn is_convention(&self) -> bool {
        self.fits.iter().any(|fit| !fit.is_wrong())
    }
}

impl Fit {
    /// Whether it is a mistake and no choice that was left open.
    pub fn is_wrong(&self) -> bool {
        self.bug.is_some() || self.against_the_stated || self.changed.iter().any(|(_, value)| value.deviation)
    }
}

/// What is said of a file.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whether the file's numbers were taken to be computed in f64, and not in f32.
    pub f64s: bool,
    /// The settings, by where they came from.
    pub chosen: Chosen,
    /// One for each output of the file that could be computed, in the order of a dump.
    pub findings: Vec<Finding>,
    /// Outputs of the file that nothing could be compared with.
    pub skipped: Vec<&'static str>,
}

/// Most choices that are changed at once.
const MOST_CHANGES: usize = 3;

/// Candidates times tokens: beyond it, fewer choices are changed at once.
const MOST_WORK: usize = 4_000_000;

/// Compares every output of a file.
///
/// # Errors
///
/// If a tensor cannot be read, an input is refused, or a flag is.
pub fn check(dump: &Dump, flags: &[(String, String)]) -> Result<Report, BadInput> {
    let chosen = dump.choose(flags)?;
    let f64s = all_f64(dump);
    let p = if f64s { Precision::F64 } else { Precision::F32 };
    let search = Search { dump, flags, p, step: Step::load(dump, &chosen, p)?, chosen: &chosen };
    let (mut findings, mut skipped) = (Vec::new(), Vec::new());
    for name in dump.output_names() {
        match search.finding(name)? {
            Some(finding) => findings.push(finding),
            None => skipped.push(name),
        }
    }
    Ok(Report { f64s, findings, skipped, chosen: chosen.clone() })
}

/// Whether every number of the file is stored in f64.
fn all_f64(dump: &Dump) -> bool {
    let floats = |dtype: &Dtype| matches!(dtype, Dtype::F64 | Dtype::F32 | Dtype::BF16 | Dtype::F16);
    let mut dtypes = dump.header().tensors.iter().map(|tensor| tensor.dtype).filter(floats).peekable();
    dtypes.peek().is_some() && dtypes.all(|dtype| dtype == Dtype::F64)
}

struct Search<'a> {
    dump: &'a Dump,
    flags: &'a [(String, String)],
    p: Precision,
    step: Step,
    chosen: &'a Chosen,
}

/// Values of choices, each another than the one in use.
type Changes = Vec<(&'static Choice, &'static Value)>;

impl Search<'_> {
    fn finding(&self, output: &'static str) -> Result<Option<Finding>, BadInput> {
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
        let bugs: Vec<&'static Bug> = BUGS.iter().filter(|bug| bug.of == output).collect();
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
        // These move the mask that the inputs are read under.
        let moved = changes.iter().any(|(choice, _)| ["score_at", "listing"].contains(&choice.key));
        let loaded = if moved { Step::load(self.dump, &chosen, self.p).ok() } else { None };
        let step = match (&loaded, moved) {
            (Some(step), _) => step,
            (None, true) => return Ok(None),
            (None, false) => &self.step,
        };
        let s = chosen.settings.as_listed();
        let numbers = bug.map_or_else(|| step.output(output, &s), |bug| (bug.make)(step, &s));
        let compared = numbers.and_then(|numbers| compare(&self.step, output, &numbers));
        let against_the_stated = changes.iter().any(|(choice, _)| self.is_stated(choice.key));
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

    /// Whether a flag, the metadata or a shape says it. `cliprange` says both radii; what else follows another key
    /// does so by our default alone.
    fn is_stated(&self, key: &str) -> bool {
        let said =
            |key: &str| self.chosen.setting(key).is_some_and(|setting| setting.from != Source::Default);
        said(key) || (["cliprange_low", "cliprange_high"].contains(&key) && said("cliprange"))
    }
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

/// Whether two spellings say one value: 1 and 1.0, off and none.
fn same_value(a: &str, b: &str) -> bool {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a.eq_ignore_ascii_case(b) || [a, b].iter().all(|x| ["off", "none"].contains(x)),
    }
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
