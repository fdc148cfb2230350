//! The search: which choices and mistakes an output's numbers follow, the fewest changes first.
//!
//! What outputs before it have settled; one choice or one mistake, and beside mistakes alone a choice with another that it
//! wakes; one number that no list has; choices and numbers that nobody states, as many as it takes, where that is more than
//! two changes or nothing else explains; two choices, or a choice and a mistake; two mistakes, where those leave nothing as
//! it is stated; a number with one of these; three choices, or two and a mistake. A mistake is one of the output itself or of
//! one before it that the file lacks. The first of these levels that has an explanation gives all of its explanations.

mod changes;
mod heard;
mod infer;
mod joint;
mod logits;
mod numbers;
mod radii;
mod ranks;
mod reach;
mod slopes;
mod sorted;
mod under;
mod unsaid;
mod wakes;
mod ways;

use super::{
    Finding, Fit,
    bugs::bugs,
    choices::{CHOICES, Choice},
    compare::{Verdict, compare},
    dialects::Dialect,
    finding::COUNTS,
    not_covered, place,
    step::{Step, precision_of, reads},
};
use crate::{
    budget::Precision,
    dump::{BadInput, Chosen, Dump, KEYS},
    outputs::GRAD_LOGITS,
};
use changes::Changes;
pub use changes::Number;
pub use infer::{InUse, Open};
use std::{cell::RefCell, collections::BTreeMap};
use under::Under;
pub(super) use unsaid::stated;
use ways::Ways;

/// Formulas times tokens that one output is tried by, where they are single changes and where they are more.
const MOST_WORK: [usize; 2] = [64_000_000, 4_000_000];

/// Conventions that are kept until another output tells them apart.
const MOST_OTHERS: usize = 8;

/// An output, and the values of the keys that it reads.
type Read = (&'static str, Vec<String>);

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
    /// What the outputs that were compared follow.
    settled: RefCell<Changes>,
    /// What else they may, where several conventions have their numbers.
    others: RefCell<Vec<Changes>>,
    /// Radii and coefficients that an output was met with.
    confirmed: RefCell<Vec<&'static str>>,
    /// The terms that each output is computed from, once asked.
    terms: RefCell<BTreeMap<&'static str, Vec<&'static str>>>,
    /// Whether an output passes under values of the keys that it reads, once asked.
    known: RefCell<BTreeMap<Read, Option<bool>>>,
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
            others: RefCell::default(),
            confirmed: RefCell::default(),
            terms: RefCell::default(),
            known: RefCell::default(),
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
            if compared.verdict == Verdict::Passed {
                self.confirm(output);
            }
            return Ok(Some(finding));
        }
        self.choose_settled(output);
        let ways = self.ways(output);
        (finding.fits, finding.cut) = ways.fits(ours.as_ref());
        finding.other_methods = ways.by_other_methods();
        let is_count = COUNTS.contains(&output) && !finding.is_convention();
        if (finding.fits.is_empty() || is_count) && finding.other_methods.is_empty() {
            let unstated = self.unstated(output, &compared);
            finding.in_reach = !unstated.is_empty() && ways.in_reach(compared.got);
            if finding.in_reach || finding.fits.is_empty() {
                finding.unstated = unstated;
            }
        }
        if finding.fits.is_empty() {
            finding.pattern = ours.and_then(|ours| place::pattern(&step, output, &ours));
        }
        self.settle(&finding);
        Ok(Some(finding))
    }

    /// Keeps what a finding follows for the outputs after it: its conventions, the first of them until another output
    /// tells them apart; or else its one departure.
    fn settle(&self, finding: &Finding) {
        let (wrong, conventions): (Vec<_>, Vec<_>) = finding.fits.iter().partition(|fit| fit.is_wrong());
        let is_one = wrong.len() == 1;
        let open = if conventions.is_empty() && is_one { wrong } else { conventions };
        // A count is met by many radii.
        let counted = |fit: &&&Fit| {
            COUNTS.contains(&finding.output)
                && (!fit.numbers.is_empty()
                    || fit.changed.iter().any(|(choice, _)| numbers::is_knob(choice.key)))
        };
        let plain = open.iter().filter(|fit| fit.mistakes.is_empty() && !counted(fit));
        let before = self.settled.borrow().clone();
        let found = |fit: &&Fit| Changes { listed: fit.changed.clone(), numbers: fit.numbers.clone() };
        let mut all = plain.map(|fit| before.and(&found(fit))).take(MOST_OTHERS);
        if let Some(first) = all.next() {
            *self.others.borrow_mut() = all.collect();
            *self.settled.borrow_mut() = first;
        }
        if finding.is_convention() {
            self.confirm(finding.output);
        }
    }

    /// Of the conventions that an earlier output left open, those that have this one's numbers, where any do.
    fn choose_settled(&self, output: &'static str) {
        if self.others.borrow().is_empty() {
            return;
        }
        let has = |changes: &Changes| {
            let compared = Under::changed(self, changes).and_then(|under| under.compared(output, &[]));
            compared.is_some_and(|compared| compared.verdict == Verdict::Passed)
        };
        let all = [vec![self.settled.borrow().clone()], self.others.borrow().clone()].concat();
        let mut fitting = all.into_iter().filter(has);
        if let Some(first) = fitting.next() {
            *self.others.borrow_mut() = fitting.collect();
            *self.settled.borrow_mut() = first;
        }
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

    /// Its terms, and the advantages beside the returns: with a λ of their own these are made of advantages that the file
    /// may hold with another.
    fn made_of(&self, output: &'static str) -> Vec<&'static str> {
        let mut terms = self.terms_of(output);
        terms.extend(terms.contains(&"returns").then_some("advantages_raw"));
        terms
    }

    /// The keys that an output may be made by.
    fn keys_of(&self, output: &'static str) -> Vec<&'static str> {
        let terms = self.made_of(output);
        let made = |key: &str| {
            CHOICES
                .iter()
                .filter(|choice| choice.key == key)
                .any(|choice| choice.of.iter().any(|of| terms.contains(of)))
        };
        let of_none = |key: &str| CHOICES.iter().all(|choice| choice.key != key) && !numbers::is_knob(key);
        let read = |key: &str| {
            under::MOVING.contains(&key) || made(key) || numbers::shows(key, &terms) || of_none(key)
        };
        KEYS.iter().map(|key| key.name).filter(|key| read(key)).collect()
    }

    /// Whether a choice shows in one of these terms under what is settled.
    fn matters(&self, choice: &Choice, terms: &[&str]) -> bool {
        let settled = Under::settings_of(self, &self.settled.borrow());
        let s = settled.unwrap_or(self.chosen.settings).as_listed();
        (choice.matters)(&s) && self.can_matter(choice, terms)
    }

    /// Whether it can under some settings: in their formula, or in the mask that they are read under.
    fn can_matter(&self, choice: &Choice, terms: &[&str]) -> bool {
        let of_critic = || terms.iter().any(|term| self.step.is_of_critic(term));
        let masked = choice.key == "score_at" && self.step.may_pay_the_pad() && of_critic();
        // Its entropy part is made by these.
        let of_logits = ["entropy_coef", "loss_agg_mode", "count_empty_rows"].contains(&choice.key)
            && terms.contains(&GRAD_LOGITS.name);
        let of_ranks = choice.key != "whiten_over" || self.dump.ranks().len() > 1;
        of_ranks && (masked || of_logits || terms.iter().any(|term| choice.of.contains(term)))
    }

    fn ways(&self, output: &'static str) -> Ways<'_> {
        let (terms, made_of) = (self.terms_of(output), self.made_of(output));
        let choices: Vec<_> = CHOICES.iter().filter(|choice| self.can_matter(choice, &made_of)).collect();
        let mistakes = bugs().filter(|bug| terms.contains(&bug.of)).collect();
        let settled = self.settled.borrow();
        let read =
            |key: &str| numbers::shows(key, &made_of) || choices.iter().any(|choice| choice.key == key);
        let of_others = |key: &&'static str| !(read(key) || *key == "cliprange" && read("cliprange_low"));
        let base = settled.keys().filter(of_others).fold(settled.clone(), |base, key| base.without(key));
        Ways::of(self, output, choices, mistakes, terms, base)
    }
}
