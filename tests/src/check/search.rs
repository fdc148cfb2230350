//! The search: which choices and mistakes an output's numbers follow, the fewest changes first.
//!
//! What outputs before it have settled; one choice or one mistake; one number that no list has; two choices, or a choice
//! and a mistake; two mistakes, where those leave nothing as it is stated; a number with one of these; three choices, or
//! two and a mistake. A mistake is one of the output itself or of one before it that the file lacks. The first of these
//! levels that has an explanation gives all of its explanations.

mod changes;
mod infer;
mod logits;
mod numbers;
mod ranks;
mod under;
mod ways;

use super::{
    Finding,
    bugs::bugs,
    choices::{CHOICES, Choice},
    compare::{Compared, Verdict, compare},
    dialects::Dialect,
    not_covered, place,
    step::{Step, precision_of, reads},
};
use crate::{
    budget::Precision,
    dump::{BadInput, Chosen, Dump, KEYS, Source},
    outputs::GRAD_LOGITS,
    report::Place,
};
use changes::Changes;
pub use changes::Number;
pub use infer::{InUse, Open};
use std::{cell::RefCell, collections::BTreeMap};
use ways::Ways;

/// Formulas times tokens that one output is tried by, where they are single changes and where they are more.
const MOST_WORK: [usize; 2] = [64_000_000, 4_000_000];

/// A file and the step on it.
pub(super) struct Search<'a> {
    pub(super) dump: &'a Dump,
    pub(super) flags: &'a [(String, String)],
    /// Given where the precision is not that of the tensors.
    pub(super) p: Option<Precision>,
    pub(super) step: Step,
    pub(super) chosen: &'a Chosen,
    /// Whose choices are claims.
    pub(super) dialect: Option<&'static Dialect>,
    /// Keys whose value is a claim.
    pub(super) stated: Vec<&'static str>,
    /// What the outputs that were compared follow, where that is one convention.
    settled: RefCell<Changes>,
    /// The terms that each output is computed from, once asked.
    terms: RefCell<BTreeMap<&'static str, Vec<&'static str>>>,
}

impl<'a> Search<'a> {
    pub(super) fn of(
        dump: &'a Dump,
        flags: &'a [(String, String)],
        p: Option<Precision>,
        step: Step,
        chosen: &'a Chosen,
        dialect: Option<&'static Dialect>,
        stated: Vec<&'static str>,
    ) -> Search<'a> {
        Search {
            dump,
            flags,
            p,
            step,
            chosen,
            dialect,
            stated,
            settled: RefCell::default(),
            terms: RefCell::default(),
        }
    }

    /// The precision that an output was computed in.
    pub(super) fn precision(&self, output: &'static str) -> Precision {
        self.p.unwrap_or_else(|| precision_of(self.dump, output))
    }

    /// What is said of one output; none where the file lacks what it is made of.
    pub(super) fn finding(&self, output: &'static str) -> Result<Option<Finding>, BadInput> {
        if output == GRAD_LOGITS.name {
            return self.of_grad_logits();
        }
        let (s, p) = (self.chosen.settings.as_listed(), self.precision(output));
        let step = self.step.at(p);
        let ours = step.output(output, &s);
        let Some(compared) = ours.as_ref().and_then(|ours| compare(&step, output, ours)) else {
            return Ok(None);
        };
        let mut finding = Finding::of(output, p, compared);
        if compared.verdict != Verdict::Failed {
            return Ok(Some(finding));
        }
        let ways = self.ways(output);
        (finding.fits, finding.cut) = ways.fits(ours.as_ref());
        finding.other_methods = ways.by_other_methods();
        if finding.fits.is_empty() && finding.other_methods.is_empty() {
            finding.unstated = self.unstated(output, &compared);
        }
        if finding.fits.is_empty() {
            finding.pattern = ours.and_then(|ours| place::pattern(&step, output, &ours));
        }
        self.settle(&finding);
        Ok(Some(finding))
    }

    /// Keeps what a finding follows for the outputs after it, where that is one set of choices: the one convention, or
    /// else the one departure.
    fn settle(&self, finding: &Finding) {
        let (wrong, conventions): (Vec<_>, Vec<_>) = finding.fits.iter().partition(|fit| fit.is_wrong());
        let open = if conventions.is_empty() { wrong } else { conventions };
        if let [fit] = open.as_slice()
            && fit.mistakes.is_empty()
        {
            let found = Changes { listed: fit.changed.clone(), numbers: fit.numbers.clone() };
            let all = self.settled.borrow().and(&found);
            *self.settled.borrow_mut() = all;
        }
    }

    /// The radii and coefficients of one number that are neither stated nor settled: a right number may be made by
    /// another value of theirs, beside more choices than are tried, and has no other number beside it that would tell.
    fn unstated(&self, output: &'static str, compared: &Compared) -> Vec<&'static str> {
        if compared.place != Place::Scalar || !compared.expected.is_finite() || !compared.got.is_finite() {
            return Vec::new();
        }
        let free = |term: &&str| match *term {
            "pg_loss" | "pg_clipfrac" | "pg_clipfrac_lower" => ["cliprange_low", "cliprange_high"].as_slice(),
            "vf_loss" | "vf_clipfrac" => &["cliprange_value"],
            "total_loss" => &["vf_coef", "entropy_coef"],
            _ => &[],
        };
        let settled: Vec<&str> = self.settled.borrow().keys().collect();
        let both_radii = |key: &str| key != "cliprange_value" && settled.contains(&"cliprange");
        let known = |key: &&'static str| self.states(key) || settled.contains(key) || both_radii(key);
        self.terms_of(output).iter().flat_map(free).copied().filter(|key| !known(key)).collect()
    }

    /// Why an output is another method's by what the file says, itself or one that it is computed from.
    pub(super) fn not_covered(&self, output: &'static str) -> Option<String> {
        let said = not_covered::by_settings(&self.dump.header().metadata);
        let terms = if said.is_empty() { Vec::new() } else { self.terms_of(output) };
        said.into_iter().find(|(of, _)| terms.contains(of)).map(|(_, sentence)| sentence)
    }

    /// The output, and those before it that are computed since the file lacks them.
    fn terms_of(&self, output: &'static str) -> Vec<&'static str> {
        if let Some(terms) = self.terms.borrow().get(output) {
            return terms.clone();
        }
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
        self.terms.borrow_mut().insert(output, of.clone());
        of
    }

    /// Whether a choice can show in one of these terms: in its formula, or in the mask that it is read under.
    fn matters(&self, choice: &Choice, terms: &[&str]) -> bool {
        let s = self.chosen.settings.as_listed();
        let of_critic = || terms.iter().any(|term| self.step.is_of_critic(term));
        let masked = choice.key == "score_at" && self.step.may_pay_the_pad() && of_critic();
        // Its entropy part is made by these.
        let of_logits = ["entropy_coef", "loss_agg_mode", "count_empty_rows"].contains(&choice.key)
            && terms.contains(&GRAD_LOGITS.name);
        let of_ranks = choice.key != "whiten_over" || self.dump.ranks().len() > 1;
        (choice.matters)(&s)
            && of_ranks
            && (masked || of_logits || terms.iter().any(|term| choice.of.contains(term)))
    }

    fn ways(&self, output: &'static str) -> Ways<'_> {
        let terms = self.terms_of(output);
        let choices: Vec<_> = CHOICES.iter().filter(|choice| self.matters(choice, &terms)).collect();
        let mistakes = bugs().filter(|bug| terms.contains(&bug.of)).collect();
        let settled = self.settled.borrow();
        let of_others = |key: &&'static str| {
            !choices.iter().any(|choice| choice.key == *key) && !numbers::shows(key, &terms)
        };
        let base = settled.keys().filter(of_others).fold(settled.clone(), |base, key| base.without(key));
        Ways::of(self, output, choices, mistakes, terms, base)
    }

    /// Whether a value of that key is a claim; one of both radii is where either is stated.
    fn states(&self, key: &str) -> bool {
        let radii: &[&str] = &["cliprange", "cliprange_low", "cliprange_high"];
        let also = if key == "cliprange" { radii } else { &[] };
        self.stated.iter().any(|of| *of == key || also.contains(of))
    }
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
