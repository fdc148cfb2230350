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
//! | `search` | the explanations with the fewest changes, and what the numbers say of every choice |
//! | [`mod@finding`] | what is said of a file, and of each output |
//! | [`place`] | where unexplained numbers differ, and how |
//! | `ties` | the rule of a framework that a gradient follows where two branches meet |
//!
//! An explanation is a file's numbers met within their budget by another value of a choice, by a known mistake, or by
//! both. Those with the fewest changes are shown, all of them: what fits equally is not told apart by guessing.

pub mod bugs;
pub mod choices;
pub mod compare;
pub mod dialects;
pub mod finding;
pub mod not_covered;
pub mod place;
mod search;
pub mod step;
mod ties;

use crate::{
    budget::Precision,
    dump::{BadInput, Dump, error::bad},
    outputs::GRAD_LOGITS,
};
pub use finding::{Finding, Fit, Report};
use search::Search;
pub use search::{InUse, Number, Open};
use std::ops::Range;
use step::Step;

/// What a check is asked beside the settings.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The rows that per-token outputs are compared in; all of them where none.
    pub rows: Option<Range<usize>>,
    /// The arithmetic of the file's numbers; where none, f64 for a term whose tensors are all f64, else f32.
    pub computed_in: Option<Precision>,
}

/// Compares every output of a file. Where a flag or the metadata names a dialect, what it does is a claim too.
///
/// # Errors
///
/// If a tensor cannot be read, an input is refused, a flag is, or the dialect is not known.
pub fn check(dump: &Dump, flags: &[(String, String)]) -> Result<Report, BadInput> {
    check_as(dump, flags, &Asked::default())
}

/// The same, of some rows or in another arithmetic.
///
/// # Errors
///
/// As [`check`], and if there are no such rows.
pub fn check_as(dump: &Dump, flags: &[(String, String)], asked: &Asked) -> Result<Report, BadInput> {
    let b = dump.shape().b;
    let rows = asked.rows.clone().unwrap_or(0..b);
    if rows.is_empty() || rows.end > b {
        let (from, to) = (rows.start, rows.end);
        return Err(bad!("`rows` is {from}..{to}, and must be a..b with a < b ≤ {b}, the rows of the file"));
    }
    let said = dump.choose(flags)?;
    let dialect = said.dialect.as_deref().map(dialects::find).transpose()?;
    let flags = dialect.map_or_else(|| flags.to_vec(), |dialect| dialect.under(&said, flags));
    let chosen = dump.choose(&flags)?;
    let stated = search::stated(&said, dialect);
    let p = asked.computed_in.unwrap_or_else(|| step::precision_of(dump, "log_probs"));
    let step = Step::load(dump, &chosen, p)?.in_rows(rows);
    let search = Search::of(dump, &flags, asked.computed_in, step, &chosen, dialect, stated);
    let (mut findings, mut skipped, mut not_covered) = (Vec::new(), Vec::new(), Vec::new());
    let in_file = dump.output_names();
    for name in in_order().filter(|name| in_file.contains(name)) {
        if let Some(sentence) = search.not_covered(name) {
            not_covered.push((name, sentence));
            continue;
        }
        match search.finding(name)? {
            Some(finding) => findings.push(finding),
            None => skipped.push(name),
        }
    }
    findings.extend(search.of_ranks()?);
    finding::narrow(&mut findings);
    let inferred = search.in_use(&findings);
    let not_inferred = inferred.is_none();
    let (in_use, open) = inferred.unwrap_or_default();
    let ties = |finding: &Finding| {
        let s = ties::met_by(dump, &flags, &chosen, finding)?;
        Some(ties::followed(&search.step, finding, &s))
    };
    Ok(Report {
        not_covered,
        skipped,
        in_use,
        open,
        not_inferred,
        consistent: if dialect.is_none() { search.consistent() } else { Vec::new() },
        deviations: dialect.map_or_else(Vec::new, |dialect| search.deviations(dialect, &findings)),
        departures: [dialect.map_or_else(Vec::new, |of| of.departures(&said)), dialects::turned(&said)]
            .concat(),
        contradictions: search.contradictions(&findings),
        ties: findings.iter().filter_map(ties).flatten().collect(),
        masked: masked(dump, &search)?,
        chosen: chosen.clone(),
        findings,
    })
}

/// Outputs that are not 0 in masked slots, `grad_logits` too: how many of them, and of how many.
fn masked(dump: &Dump, search: &Search) -> Result<Vec<(&'static str, usize, usize)>, BadInput> {
    let mut masked = search.masked();
    if let Some(own) = dump.output_rows(GRAD_LOGITS.name) {
        let (not_0, of) = search.step.masked_logits(own)?;
        masked.extend((not_0 > 0).then_some((GRAD_LOGITS.name, not_0, of)));
    }
    Ok(masked)
}

/// The outputs in the order of the step.
fn in_order() -> impl Iterator<Item = &'static str> {
    let last = [GRAD_LOGITS.name];
    crate::outputs::OUTPUTS.iter().map(|output| output.name).chain(last)
}
