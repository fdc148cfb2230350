//! For a program.

use super::verdict;
use crate::command::json::{at, number};
use conformance::check::{Finding, Fit, Report, bugs::Bug};
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
        "not_compared": report.skipped,
        "departures": report.departures,
        "consistent_with": report.consistent,
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
        "computed_in": finding.p.name(),
        "verdict": verdict(finding),
        "at": at(of.place),
        "expected": number(of.expected),
        "got": number(of.got),
        "may_differ_by": number(of.allowed),
        "explanations": finding.fits.iter().map(explanation).collect::<Vec<_>>(),
        "pattern": finding.pattern,
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
        "is_wrong": fit.is_wrong(),
    })
}

fn mistake(bug: &Bug) -> Value {
    json!({ "name": bug.name, "in": bug.of, "says": bug.says, "seen": bug.seen })
}
