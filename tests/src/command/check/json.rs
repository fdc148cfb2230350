//! For a program: one object.
//!
//! | key | is |
//! |---|---|
//! | `schema` | 1: a reader of one version reads every later file of it |
//! | `file` | what was checked; several files, separated by spaces |
//! | `outputs` | one object for each output that was compared, below |
//! | `not_covered` | outputs that are another method's by what the file says, and why |
//! | `not_compared` | outputs of the file that nothing could be compared with |
//! | `departures`, `deviations` | of the dialect that was named, and of its own code from the equations |
//! | `consistent_with` | trainers whose code has every number |
//! | `in_use`, `open` | choices that the numbers have made, and those that they leave open, with what would tell |
//! | `ties` | what gradients follow where two branches meet |
//! | `contradictions` | one choice at two values in one file |
//! | `not_0_in_masked_slots` | outputs with something else there, which is not judged |
//! | `settings`, `ignored_settings` | each with where it is from; metadata that is no setting |
//! | `wrong` | how many outputs are; 0 is exit code 0, but for departures and `--strict` |
//!
//! An output has its `name`; `file`, the index of its file where each has its own; `computed_in`; its `verdict` (passed,
//! convention, undecided, undetermined, not covered, wrong); the worst number, `at`, `expected`, `got`, `may_differ_by`;
//! its page of the `book`; `pattern` where nothing explains it, and settings `not_stated` that may; and its
//! `explanations`: what it `follows`, by key; `mistakes`, each with the output that it is `in`; whether that is
//! `against_the_stated` and `is_wrong`; and the evidence, `met_to` and `may_differ_by`.

use super::{chapter, verdict};
use crate::command::json::{at, number};
use conformance::{
    check::{Finding, Fit, Open, Report, bugs::Bug},
    report::difference,
};
use serde_json::{Map, Value, json};

/// The version of the layout; it changes when a reader of the old one would break.
const SCHEMA: u32 = 1;

/// The whole report as one object.
pub(super) fn report(file: &str, report: &Report) -> String {
    let settings: Map<String, Value> = report
        .chosen
        .sources
        .iter()
        .map(|setting| {
            (setting.key.to_owned(), json!({ "value": setting.value, "from": setting.from.to_string() }))
        })
        .collect();
    let object = json!({
        "schema": SCHEMA,
        "file": file,
        "outputs": report.findings.iter().map(output).collect::<Vec<_>>(),
        "not_covered": report.not_covered.iter().map(|(name, why)| json!({ "name": name, "why": why })).collect::<Vec<_>>(),
        "not_compared": report.skipped,
        "departures": report.departures,
        "deviations": report.deviations,
        "consistent_with": report.consistent,
        "in_use": report.in_use.iter().map(|of| (of.key.to_owned(), json!(of.value))).collect::<Map<_, _>>(),
        "open": report.open.iter().map(open).collect::<Vec<_>>(),
        "too_large_to_infer": report.not_inferred,
        "ties": report.ties,
        "contradictions": report.contradictions,
        "not_0_in_masked_slots": report.masked.iter().map(masked).collect::<Vec<_>>(),
        "settings": settings,
        "ignored_settings": report.chosen.unknown,
        "wrong": report.findings.iter().filter(|finding| finding.failed()).count(),
    });
    format!("{object:#}\n")
}

fn output(finding: &Finding) -> Value {
    let of = &finding.compared;
    json!({
        "name": finding.output,
        "file": finding.rank,
        "computed_in": finding.p.name(),
        "verdict": verdict(finding),
        "at": at(of.place),
        "expected": number(of.expected),
        "got": number(of.got),
        "may_differ_by": number(of.allowed),
        "explanations": finding.fits.iter().map(explanation).collect::<Vec<_>>(),
        "other_methods": finding.other_methods.iter().map(explanation).collect::<Vec<_>>(),
        "book": chapter(finding.output),
        "pattern": finding.pattern,
        "not_stated": finding.unstated,
        "search_was_cut": finding.cut,
    })
}

fn explanation(fit: &Fit) -> Value {
    let follows: Map<String, Value> = fit
        .changed
        .iter()
        .map(|(choice, value)| (choice.key.to_owned(), json!(value.value)))
        .chain(fit.numbers.iter().map(|of| (of.key.to_owned(), json!(of.value))))
        .collect();
    json!({
        "follows": follows,
        "against_the_stated": fit.against_the_stated,
        "mistakes": fit.mistakes.iter().map(|bug| mistake(bug)).collect::<Vec<_>>(),
        "met_to": number(difference(fit.compared.expected, fit.compared.got)),
        "may_differ_by": number(fit.compared.allowed),
        "is_wrong": fit.is_wrong(),
    })
}

fn mistake(bug: &Bug) -> Value {
    json!({ "name": bug.name, "in": bug.of, "says": bug.says, "seen": bug.seen })
}

fn open(open: &Open) -> Value {
    json!({ "key": open.choice.key, "values": open.values, "would_tell": open.choice.tells })
}

fn masked((name, not_0, of): &(&'static str, usize, usize)) -> Value {
    json!({ "name": name, "slots": not_0, "of": of })
}
