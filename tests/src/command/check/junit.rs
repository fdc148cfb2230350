//! For a CI that shows tests: one test case for each output.

use super::{said, title};
use conformance::check::{Finding, Report};

/// The whole report as one test suite; what is `wrong` has failed.
pub(super) fn report(file: &str, report: &Report, wrong: impl Fn(&Finding) -> bool) -> String {
    let failures = report.findings.iter().filter(|finding| wrong(finding)).count() + report.departures.len();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text.push_str(&format!(
        "<testsuite name=\"ppo check {}\" tests=\"{}\" failures=\"{failures}\">\n",
        escaped(file),
        report.findings.len() + report.departures.len()
    ));
    for said in &report.departures {
        let message = escaped(said);
        text.push_str(&format!("  <testcase name=\"dialect\"><failure message=\"{message}\"/></testcase>\n"));
    }
    for finding in &report.findings {
        let name = title(finding);
        if wrong(finding) {
            let of = &finding.compared;
            let place = format!("{name} {}", of.place);
            let message = format!("{}: expected {:e}, got {:e}", place.trim_end(), of.expected, of.got);
            text.push_str(&format!(
                "  <testcase name=\"{name}\"><failure message=\"{}\">{}</failure></testcase>\n",
                escaped(&message),
                escaped(&said(finding).join("\n"))
            ));
        } else {
            text.push_str(&format!("  <testcase name=\"{name}\"/>\n"));
        }
    }
    text + "</testsuite>\n"
}

/// Text as it may stand in XML 1.0, control characters as what Rust escapes them to.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() || ['\u{fffe}', '\u{ffff}'].contains(&c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}
