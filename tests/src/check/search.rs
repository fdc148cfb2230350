//! The search: which choices and mistakes an output's numbers follow, the fewest changes first.
//!
//! One choice or one mistake; two choices, or a choice and a mistake; two mistakes, where those leave nothing as it is
//! stated; three choices, or two and a mistake. A mistake is one of the output itself or of one before it that the file
//! lacks. The first of these levels that has an explanation gives all of its explanations.

mod numbers;
mod under;

use super::{
    Finding, Fit,
    bugs::{Bug, bugs},
    choices::{CHOICES, Choice, Value, same_value},
    compare::{Verdict, alike, compare},
    dialects::{DIALECTS, Dialect},
    place,
    step::{Numbers, Step, precision_of, reads},
};
use crate::{
    budget::Precision,
    dump::{BadInput, Chosen, Dump, KEYS, Source},
};
pub use numbers::Number;
use std::cell::Cell;
use under::Under;

/// Formulas times tokens that one output is tried by, where they are single changes and where they are more.
const MOST_WORK: [usize; 2] = [64_000_000, 4_000_000];

/// What a formula costs whatever it is of, in tokens.
const LEAST_WORK: usize = 256;

/// A file and the step on it.
pub(super) struct Search<'a> {
    pub(super) dump: &'a Dump,
    pub(super) flags: &'a [(String, String)],
    /// Given where the precision is not that of the tensors.
    pub(super) p: Option<Precision>,
    pub(super) step: Step,
    pub(super) chosen: &'a Chosen,
    /// Keys whose value is a claim.
    pub(super) stated: Vec<&'static str>,
}

/// Values of choices, each another than the one in use.
type Changes = Vec<(&'static Choice, &'static Value)>;

/// What one output is searched by.
struct Ways<'s> {
    search: &'s Search<'s>,
    output: &'static str,
    /// It, and those before it that are computed.
    terms: Vec<&'static str>,
    choices: Vec<&'static Choice>,
    mistakes: Vec<&'static Bug>,
    /// What is left of the work.
    left: Cell<usize>,
    /// Whether it was not enough.
    cut: Cell<bool>,
}

impl Search<'_> {
    /// The precision that an output was computed in.
    pub(super) fn precision(&self, output: &'static str) -> Precision {
        self.p.unwrap_or_else(|| precision_of(self.dump, output))
    }

    /// What is said of one output; none where the file lacks what it is made of.
    pub(super) fn finding(&self, output: &'static str) -> Result<Option<Finding>, BadInput> {
        let (s, p) = (self.chosen.settings.as_listed(), self.precision(output));
        let step = self.step.at(p);
        let ours = step.output(output, &s);
        let Some(compared) = ours.as_ref().and_then(|ours| compare(&step, output, ours)) else {
            return Ok(None);
        };
        let mut finding = Finding { output, p, compared, fits: Vec::new(), pattern: None, cut: false };
        if compared.verdict != Verdict::Failed {
            return Ok(Some(finding));
        }
        let ways = self.ways(output);
        finding.fits = ways.fits(ours.as_ref());
        finding.cut = ways.cut.get();
        if finding.fits.is_empty() {
            finding.pattern = ours.and_then(|ours| place::pattern(&step, output, &ours));
        }
        Ok(Some(finding))
    }

    /// The output, and those before it that are computed since the file lacks them.
    fn terms_of(&self, output: &'static str) -> Vec<&'static str> {
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
        of
    }

    fn ways(&self, output: &'static str) -> Ways<'_> {
        let (s, of) = (self.chosen.settings.as_listed(), self.terms_of(output));
        let matters =
            |choice: &&Choice| (choice.matters)(&s) && of.iter().any(|name| choice.of.contains(name));
        Ways {
            search: self,
            output,
            choices: CHOICES.iter().filter(matters).collect(),
            mistakes: bugs().filter(|bug| of.contains(&bug.of)).collect(),
            terms: of,
            left: Cell::new(0),
            cut: Cell::new(false),
        }
    }

    /// The trainers whose choices have every number of the file, where the file is small enough to try them all.
    pub(super) fn consistent(&self) -> Vec<&'static str> {
        let work = DIALECTS.len().saturating_mul(self.step.inputs.mask.count());
        let has_all = |dialect: &&Dialect| {
            let flags = dialect.under(self.chosen, self.flags);
            let Some(under) = Under::of(self, &flags) else { return false };
            let outputs = self.dump.output_names().into_iter();
            let mut compared = outputs.filter_map(|name| under.compared(name, &[])).peekable();
            compared.peek().is_some() && compared.all(|compared| compared.verdict == Verdict::Passed)
        };
        let all = if work <= MOST_WORK[1] { DIALECTS } else { &[] };
        let agrees = |dialect: &&Dialect| dialect.departures(self.chosen).is_empty();
        all.iter().filter(agrees).filter(has_all).map(|dialect| dialect.name).collect()
    }
}

impl Ways<'_> {
    /// Every explanation of the fewest changes.
    fn fits(&self, plain: Option<&Numbers>) -> Vec<Fit> {
        let nothing = vec![Changes::new()];
        self.left.set(MOST_WORK[0]);
        let one = one_more(&nothing, &self.choices, self.search.chosen);
        let mut fits: Vec<Fit> = self.by_choices(&one, &[]);
        let alone = self.by_mistakes_alone(plain, &mut fits);
        // A count has too few values for more changes to mean anything.
        if !fits.is_empty() || ["pg_clipfrac", "pg_clipfrac_lower", "vf_clipfrac"].contains(&self.output) {
            return explaining_most(fits);
        }
        fits = self.by_number(&self.terms, &nothing[0], &[]);
        if !fits.is_empty() {
            return explaining_most(fits);
        }
        self.left.set(MOST_WORK[1]);
        let two = one_more(&one, &self.choices, self.search.chosen);
        let mut fits = [self.by_choices(&two, &[]), self.by_each(&one, &alone)].concat();
        if fits.iter().all(|fit| fit.against_the_stated) {
            fits.extend(self.by_pairs(&alone));
        }
        if fits.is_empty() {
            fits = self.by_number_and_more(&one, &alone);
        }
        if fits.is_empty() {
            let three = one_more(&two, &self.choices, self.search.chosen);
            fits = [self.by_choices(&three, &[]), self.by_each(&two, &alone)].concat();
        }
        explaining_most(fits)
    }

    /// Two numbers of the settings, or one beside a choice or a mistake.
    fn by_number_and_more(&self, one: &[Changes], alone: &[&'static Bug]) -> Vec<Fit> {
        let nothing = Changes::new();
        let two = self.by_gamma_and_lambda(&nothing, &[]);
        let beside_choice = one.iter().flat_map(|changes| self.by_number(&self.terms, changes, &[]));
        let beside_mistake = alone.iter().flat_map(|bug| self.by_number(&self.terms, &nothing, &[*bug]));
        let fits: Vec<Fit> = two.into_iter().chain(beside_choice).chain(beside_mistake).collect();
        if !fits.is_empty() {
            return fits;
        }
        one.iter().flat_map(|changes| self.by_gamma_and_lambda(changes, &[])).collect()
    }

    /// Whether one more formula may be tried.
    fn may(&self) -> bool {
        let tokens = self.search.step.inputs.mask.count().max(LEAST_WORK);
        let left = self.left.get().checked_sub(tokens);
        self.cut.set(self.cut.get() || left.is_none());
        self.left.set(left.unwrap_or(0));
        left.is_some()
    }

    fn by_choices(&self, all: &[Changes], mistakes: &[&'static Bug]) -> Vec<Fit> {
        let fit = |changes: &Changes| {
            let under = self.may().then(|| Under::changed(self.search, changes))??;
            self.fit(&under, changes, mistakes)
        };
        all.iter().filter_map(fit).collect()
    }

    /// Each of these changes with each of these mistakes.
    fn by_each(&self, all: &[Changes], mistakes: &[&'static Bug]) -> Vec<Fit> {
        mistakes.iter().flat_map(|bug| self.by_choices(all, &[*bug])).collect()
    }

    /// Each mistake alone: those that fit are added; those that change the numbers at all are given back.
    fn by_mistakes_alone(&self, plain: Option<&Numbers>, fits: &mut Vec<Fit>) -> Vec<&'static Bug> {
        let Some(under) = Under::changed(self.search, &[]) else { return Vec::new() };
        let changes_it = |bug: &&'static Bug| {
            let numbers = self.may().then(|| under.numbers(self.output, &[*bug]))??;
            fits.extend(self.fit_of(&under, &Vec::new(), &[*bug], &numbers));
            let plain = plain.filter(|plain| alike(plain, &numbers));
            plain.is_none().then_some(())
        };
        let mut changes_it = changes_it;
        self.mistakes.iter().copied().filter(|bug| changes_it(bug).is_some()).collect()
    }

    /// Two mistakes; of one output, in both orders. One of them shows alone; the other may show only in what that one
    /// reads.
    fn by_pairs(&self, alone: &[&'static Bug]) -> Vec<Fit> {
        let Some(under) = Under::changed(self.search, &[]) else { return Vec::new() };
        let mut fits = Vec::new();
        let shows = |bug: &Bug| alone.iter().any(|other| core::ptr::eq(*other, bug));
        for (at, one) in self.mistakes.iter().enumerate() {
            for other in self.mistakes[at + 1..].iter().filter(|other| shows(one) || shows(other)) {
                let orders = [[*one, *other], [*other, *one]];
                let orders = if one.of == other.of { &orders[..] } else { &orders[..1] };
                let of_order =
                    |pair: &[&'static Bug; 2]| self.may().then(|| self.fit(&under, &Vec::new(), pair))?;
                fits.extend(orders.iter().find_map(of_order));
            }
        }
        fits
    }

    fn fit(&self, under: &Under, changes: &Changes, mistakes: &[&'static Bug]) -> Option<Fit> {
        let numbers = under.numbers(self.output, mistakes)?;
        self.fit_of(under, changes, mistakes, &numbers)
    }

    /// The explanation, where the file's numbers are within its budget.
    fn fit_of(
        &self,
        under: &Under,
        changes: &Changes,
        mistakes: &[&'static Bug],
        numbers: &Numbers,
    ) -> Option<Fit> {
        let compared = under.compared_with(self.output, numbers)?;
        let against_the_stated = changes.iter().any(|(choice, _)| self.search.stated.contains(&choice.key));
        let (changed, mistakes) = (changes.clone(), mistakes.to_vec());
        let numbers = Vec::new();
        let fit = Fit { changed, numbers, against_the_stated, mistakes, compared };
        (fit.compared.verdict == Verdict::Passed).then_some(fit)
    }
}

/// What leaves the stated as it is explains more than what does not.
fn explaining_most(mut fits: Vec<Fit>) -> Vec<Fit> {
    if fits.iter().any(|fit| !fit.against_the_stated) {
        fits.retain(|fit| !fit.against_the_stated);
    }
    fits
}

/// The keys that a flag or the metadata gives, and what the code of a dialect does. `cliprange` gives both
/// radii; what else follows another key does so by our default alone.
pub(super) fn stated(said: &Chosen, dialect: Option<&Dialect>) -> Vec<&'static str> {
    // The padded width is no claim of anybody's.
    let by_nobody = |from| from == Source::Default || from == Source::Shape;
    let given = |key: &str| {
        said.setting(key)
            .is_some_and(|of| !by_nobody(of.from) || (key == "score_at" && of.from == Source::Shape))
    };
    let radius = |key: &str| ["cliprange_low", "cliprange_high"].contains(&key) && given("cliprange");
    let does = |key: &str| dialect.is_some_and(|dialect| dialect.does.iter().any(|(of, _)| *of == key));
    let keys = KEYS.iter().map(|key| key.name);
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
