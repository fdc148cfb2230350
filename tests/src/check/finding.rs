//! What is said of a file, and of each of its outputs.

use super::{
    bugs::Bug,
    choices::{Choice, Value},
    compare::{Compared, Verdict},
    search::{InUse, Number, Open},
};
use crate::{budget::Precision, dump::Chosen};

/// Outputs with too few values for more than one change to mean anything.
pub(super) const COUNTS: [&str; 3] = ["pg_clipfrac", "pg_clipfrac_lower", "vf_clipfrac"];

/// What is said of one output of the file.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Its name in a dump.
    pub output: &'static str,
    /// The file that it is of, where each of several has its own, from 0.
    pub rank: Option<usize>,
    /// The precision that it was taken to be computed in.
    pub p: Precision,
    /// Its worst number under the settings that are stated, or the defaults.
    pub compared: Compared,
    /// What its numbers follow instead, where that is beyond the budget: every explanation with the fewest
    /// changes, conventions first.
    pub fits: Vec<Fit>,
    /// Equations of other methods that its numbers are, which are not covered here.
    pub other_methods: Vec<Fit>,
    /// Where and how it differs, where nothing explains it.
    pub pattern: Option<String>,
    /// Settings of any value that one number is made by, neither stated nor settled by other outputs, where nothing
    /// explains it: a value that no list has may, together with choices.
    pub unstated: Vec<&'static str>,
    /// Whether some value of these has the number, by a choice that nobody states either.
    pub in_reach: bool,
    /// Whether the file is too large for every explanation to have been tried.
    pub cut: bool,
}

/// Another formula that a file's numbers follow.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Values other than those stated or the default.
    pub changed: Vec<(&'static Choice, &'static Value)>,
    /// Settings at values that no list has.
    pub numbers: Vec<Number>,
    /// Whether one of them departs from what the file or a flag states.
    pub against_the_stated: bool,
    /// Known mistakes on top of them, the outermost of an output first.
    pub mistakes: Vec<&'static Bug>,
    /// Whether the mistakes are those that the dialect that is named makes itself.
    pub of_the_dialect: bool,
    /// The worst number under all of them.
    pub compared: Compared,
}

impl Finding {
    /// Before it is explained.
    pub(super) fn of(output: &'static str, p: Precision, compared: Compared) -> Finding {
        Finding {
            output,
            rank: None,
            p,
            compared,
            fits: Vec::new(),
            other_methods: Vec::new(),
            pattern: None,
            unstated: Vec::new(),
            in_reach: false,
            cut: false,
        }
    }

    /// Wrong: beyond the budget, and nothing that the file leaves open explains it or may.
    pub fn failed(&self) -> bool {
        let told_apart = !self.is_open() && !self.is_not_covered();
        self.compared.verdict == Verdict::Failed && told_apart && !self.is_convention()
    }

    /// One number that some value of what the file leaves unsaid has, and no other number that tells which. Of a total it
    /// is open where neither coefficient is known: every number is one by some pair of them.
    pub fn is_open(&self) -> bool {
        self.in_reach || ["vf_coef", "entropy_coef"].iter().all(|key| self.unstated.contains(key))
    }

    /// Another method's numbers, and nothing that is known of this one's.
    pub fn is_not_covered(&self) -> bool {
        self.fits.is_empty() && !self.other_methods.is_empty()
    }

    /// Beyond the budget of the default, but what a trainer chooses where the file states nothing.
    pub fn is_convention(&self) -> bool {
        self.fits.iter().any(|fit| !fit.is_wrong())
    }
}

impl Fit {
    /// Whether it is a mistake and no choice that was left open.
    pub fn is_wrong(&self) -> bool {
        (!self.of_the_dialect && self.mistakes.iter().any(|bug| bug.is_mistake()))
            || self.against_the_stated
            || self.changed.iter().any(|(_, value)| value.deviation)
            || self.numbers.iter().any(Number::is_turned)
    }

    /// How many changes it is.
    pub(super) fn size(&self) -> usize {
        self.changed.len() + self.numbers.len() + self.mistakes.len()
    }

    /// No change at all.
    pub(super) fn nothing() -> Fit {
        let compared = Compared {
            verdict: Verdict::Passed,
            place: crate::report::Place::Scalar,
            expected: 0.0,
            got: 0.0,
            allowed: 0.0,
        };
        Fit {
            changed: vec![],
            numbers: vec![],
            against_the_stated: false,
            mistakes: vec![],
            of_the_dialect: false,
            compared,
        }
    }

    /// Whether another one is the same changes.
    pub(super) fn is(&self, other: &Fit) -> bool {
        let values = |fit: &Fit| -> Vec<(&str, &str)> {
            fit.changed.iter().map(|(choice, value)| (choice.key, value.value)).collect()
        };
        let same = |(one, other): (&&Bug, &&Bug)| one.is(other);
        values(self) == values(other)
            && self.numbers == other.numbers
            && self.mistakes.len() == other.mistakes.len()
            && self.mistakes.iter().zip(&other.mistakes).all(same)
    }
}

/// What explains several outputs of a file explains more than what explains one of them. So of a count, which many
/// changes explain, only those are kept that explain most; and a convention that explains several is kept without the
/// mistakes that have the same numbers in one of them.
pub(super) fn narrow(findings: &mut [Finding]) {
    let all: Vec<Vec<Fit>> = findings.iter().map(|finding| finding.fits.clone()).collect();
    let reach = |fit: &Fit| all.iter().filter(|fits| fits.iter().any(|other| other.is(fit))).count();
    for finding in findings.iter_mut().filter(|finding| finding.fits.len() > 1) {
        let open = |fit: &&Fit| COUNTS.contains(&finding.output) || !fit.is_wrong();
        let most = finding.fits.iter().filter(open).map(reach).max().unwrap_or(0);
        if most > 1 {
            finding.fits.retain(|fit| reach(fit) == most);
        }
    }
}

/// What is said of a file.
#[derive(Debug, Clone)]
pub struct Report {
    /// The settings, by where they came from.
    pub chosen: Chosen,
    /// One for each output of the file that could be computed, in the order of the step.
    pub findings: Vec<Finding>,
    /// Outputs that are another method's by what the file says, each with a sentence.
    pub not_covered: Vec<(&'static str, String)>,
    /// Outputs of the file that nothing could be compared with.
    pub skipped: Vec<&'static str>,
    /// What a flag or the file states otherwise than the dialect that is named does, or with the sign that no coefficient has;
    /// one sentence each.
    pub departures: Vec<String>,
    /// What the dialect that is named does though it is a mistake, one sentence each: it passes.
    pub deviations: Vec<String>,
    /// Trainers whose choices have every number of the file; none are tried where one is named.
    pub consistent: Vec<&'static str>,
    /// Choices that the numbers have made.
    pub in_use: Vec<InUse>,
    /// Choices that they leave open.
    pub open: Vec<Open>,
    /// Whether the file was too large to ask for the choices.
    pub not_inferred: bool,
    /// One choice at two values in one file, one sentence each.
    pub contradictions: Vec<String>,
    /// What gradients follow where two branches meet, one sentence for each rule.
    pub ties: Vec<String>,
    /// Outputs that are not 0 in masked slots: how many of them, and of how many.
    pub masked: Vec<(&'static str, usize, usize)>,
}
