//! For a comment on a change: what is not as stated first of all, and one line for the rest.

use super::{of_the_file, said, summary, title, verdict};
use crate::command::table::{number, small};
use conformance::check::{Finding, Report};

/// The whole report.
pub(super) fn report(report: &Report) -> String {
    let mut text = format!("{}\n", summary(report));
    let shown: Vec<&Finding> =
        report.findings.iter().filter(|finding| verdict(finding) != "passed").collect();
    report.departures.iter().for_each(|said| text.push_str(&format!("\nDeparture: {said}.\n")));
    if !shown.is_empty() {
        text.push_str("\n| output | verdict | at | expected | got | may differ by | follows |\n");
        text.push_str("|---|---|---|---|---|---|---|\n");
    }
    for finding in shown {
        let of = &finding.compared;
        text.push_str(&format!(
            "| `{}` | {} | {} | {} | {} | {} | {} |\n",
            title(finding),
            verdict(finding),
            of.place,
            number(of.expected),
            number(of.got),
            small(of.allowed),
            said(finding).join("<br>").replace('|', "\\|")
        ));
    }
    of_the_file(report).iter().for_each(|line| text.push_str(&format!("\n{line}\n")));
    text
}
