//! For a person: a table, and under a line what its numbers follow.

use super::{of_the_file, said, summary, title, verdict};
use crate::command::table::{aligned, folded, number, small};
use conformance::check::{Finding, Report};

/// The whole report.
pub(super) fn report(report: &Report) -> String {
    let mut rows = vec![["output", "", "at", "expected", "got", "may differ by"].map(str::to_owned).to_vec()];
    rows.extend(report.findings.iter().map(row));
    let table = aligned(&rows, |column| column < 3);
    let mut lines = table.lines();
    let mut text = format!("{}\n", lines.next().unwrap_or_default());
    for (line, finding) in lines.zip(&report.findings) {
        text.push_str(&format!("{line}\n"));
        said(finding).iter().for_each(|said| text.push_str(&format!("      {said}\n")));
    }
    if !report.skipped.is_empty() {
        let skipped: Vec<String> = report.skipped.iter().map(|name| (*name).to_owned()).collect();
        text.push_str(&folded("In the file, but not compared: ", &skipped));
    }
    if !report.chosen.unknown.is_empty() {
        text.push_str(&folded("Settings not known and ignored: ", &report.chosen.unknown));
    }
    of_the_file(report).iter().for_each(|line| text.push_str(&format!("{line}\n")));
    report.departures.iter().for_each(|said| text.push_str(&format!("Departure: {said}.\n")));
    if !report.consistent.is_empty() {
        let names: Vec<String> = report.consistent.iter().map(|name| (*name).to_owned()).collect();
        text.push_str(&folded("Consistent with the choices of ", &names));
    }
    format!("{text}{}\n", summary(report))
}

fn row(finding: &Finding) -> Vec<String> {
    let of = &finding.compared;
    let mark = match verdict(finding) {
        "passed" | "convention" => "✓",
        "wrong" => "✗",
        "undetermined" if !finding.is_open() => "undetermined (budget too wide)",
        open => open,
    };
    let mut row = vec![title(finding), mark.to_owned(), of.place.to_string()];
    row.extend([number(of.expected), number(of.got), small(of.allowed)]);
    row
}
