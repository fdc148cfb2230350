//! `ppo check`: a file's own numbers, output by output, against the equations; and where they are not the
//! equation's, which known choice or mistake they follow.
//!
//! | part | is |
//! |---|---|
//! | [`step`] | each output from what the file itself holds before it |
//! | [`mod@compare`] | within the budget of any order of operations, beyond it, or far beyond it |
//! | [`choices`] | the points at which trainers choose |
//! | [`dialects`] | what each trainer chooses at all of them |
//! | [`bugs`] | known deviations, each the equation with one mistake in it |
//! | `search` | the explanations with the fewest changes |
//! | [`place`] | where unexplained numbers differ, and how |
//!
//! An explanation is a file's numbers met within their budget by another value of a choice, by a known mistake, or by
//! both. Those with the fewest changes are shown, all of them: what fits equally is not told apart by guessing.

pub mod bugs;
pub mod choices;
pub mod compare;
pub mod dialects;
pub mod place;
mod search;
pub mod step;

use crate::{
    budget::Precision,
    dump::{BadInput, Chosen, Dump},
};
use bugs::Bug;
use choices::{Choice, Value};
use compare::{Compared, Verdict};
pub use search::Number;
use search::Search;
use step::Step;

/// What is said of one output of the file.
#[derive(Debug, Clone)]
pub struct Finding {
    /// Its name in a dump.
    pub output: &'static str,
    /// The precision that it was taken to be computed in.
    pub p: Precision,
    /// Its worst number under the settings that are stated, or the defaults.
    pub compared: Compared,
    /// What its numbers follow instead, where that is beyond the budget: every explanation with the fewest
    /// changes.
    pub fits: Vec<Fit>,
    /// Where and how it differs, where nothing explains it.
    pub pattern: Option<String>,
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
    /// The worst number under all of them.
    pub compared: Compared,
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
        self.mistakes.iter().any(|bug| bug.is_mistake())
            || self.against_the_stated
            || self.changed.iter().any(|(_, value)| value.deviation)
    }
}

/// What is said of a file.
#[derive(Debug, Clone)]
pub struct Report {
    /// The settings, by where they came from.
    pub chosen: Chosen,
    /// One for each output of the file that could be computed, in the order of a dump.
    pub findings: Vec<Finding>,
    /// Outputs of the file that nothing could be compared with.
    pub skipped: Vec<&'static str>,
    /// What a flag or the file states otherwise than the dialect that is named does, one sentence each.
    pub departures: Vec<String>,
    /// Trainers whose choices have every number of the file; none are tried where one is named.
    pub consistent: Vec<&'static str>,
}

/// Compares every output of a file. Where a flag or the metadata names a dialect, what it does is a claim too.
///
/// # Errors
///
/// If a tensor cannot be read, an input is refused, a flag is, or the dialect is not known.
pub fn check(dump: &Dump, flags: &[(String, String)]) -> Result<Report, BadInput> {
    let said = dump.choose(flags)?;
    let dialect = said.dialect.as_deref().map(dialects::find).transpose()?;
    let flags = dialect.map_or_else(|| flags.to_vec(), |dialect| dialect.under(&said, flags));
    let chosen = dump.choose(&flags)?;
    let stated = search::stated(&said, dialect);
    let step = Step::load(dump, &chosen, step::precision_of(dump, "log_probs"))?;
    let search = Search { dump, flags: &flags, p: None, step, chosen: &chosen, stated };
    let (mut findings, mut skipped) = (Vec::new(), Vec::new());
    for name in dump.output_names() {
        match search.finding(name)? {
            Some(finding) => findings.push(finding),
            None => skipped.push(name),
        }
    }
    let consistent = if dialect.is_none() { search.consistent() } else { Vec::new() };
    let departures = dialect.map_or_else(Vec::new, |dialect| dialect.departures(&said));
    Ok(Report { findings, skipped, departures, consistent, chosen: chosen.clone() })
}
