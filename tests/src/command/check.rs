//! `ppo check FILE`: the file's own numbers against the equations, and what they follow instead.

use super::{
    Outcome, flags,
    table::{aligned, folded, number, one_line, small},
};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use conformance::{
    check::{Finding, Fit, Report, check, compare::Verdict},
    dump::{BadInput, Dump},
};
use std::path::PathBuf;

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    let file = Arg::new("FILE").required(true).value_parser(value_parser!(PathBuf)).help("A rollout dump");
    let strict = Arg::new("strict")
        .long("strict")
        .action(ArgAction::SetTrue)
        .help("Exit with 1 for an output that is not decided, too");
    let about = "Compare a dump's own outputs with the equations, and name what they follow instead";
    flags::with_settings(Command::new("check").about(about).args([file, strict])).after_help(
        "Each output is computed in f64 from what the file itself holds before it, and may differ by what any order \
         of operations in f32 can (in f64, where every tensor is f64). Exit code 1: an output is wrong; 2: nothing \
         could be compared.",
    )
}

/// Runs the subcommand and gives what it prints.
pub(crate) fn run(matches: &ArgMatches) -> Result<Outcome, BadInput> {
    let path: &PathBuf = matches.get_one("FILE").ok_or_else(|| BadInput::new("FILE is missing"))?;
    let named = |err: BadInput| BadInput::new(format!("{}: {err}", path.display()));
    let dump = Dump::open(path).map_err(named)?;
    let report = check(&dump, &flags::settings(matches)).map_err(named)?;
    if report.findings.is_empty() {
        let sentence = "nothing compared: the file holds no output with what it is made of";
        return Err(named(BadInput::new(sentence)));
    }
    let open =
        |finding: &Finding| matches!(finding.compared.verdict, Verdict::Undecided | Verdict::Undetermined);
    let wrong = |finding: &Finding| finding.failed() || (matches.get_flag("strict") && open(finding));
    Ok(Outcome { failed: report.findings.iter().any(wrong), text: text(&report) })
}

fn text(report: &Report) -> String {
    let mut rows = vec![["output", "", "at", "expected", "got", "may differ by"].map(str::to_owned).to_vec()];
    rows.extend(report.findings.iter().map(row));
    let table = aligned(&rows, |column| column < 3);
    let mut lines = table.lines();
    let mut text = format!("{}\n", lines.next().unwrap_or_default());
    for (line, finding) in lines.zip(&report.findings) {
        text.push_str(&format!("{line}\n"));
        said(finding).iter().for_each(|said| text.push_str(&format!("{said}\n")));
    }
    if !report.skipped.is_empty() {
        text.push_str(&folded(
            "In the file, but not compared: ",
            &report.skipped.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
        ));
    }
    let unknown = &report.chosen.unknown;
    if !unknown.is_empty() {
        text.push_str(&folded("Settings not known and ignored: ", unknown));
    }
    text + &last_line(report)
}

fn row(finding: &Finding) -> Vec<String> {
    let of = &finding.compared;
    let numbers = [number(of.expected), number(of.got), small(of.allowed)];
    let mut row = vec![finding.output.to_owned(), mark(finding).to_owned(), of.place.to_string()];
    row.extend(numbers);
    row
}

fn mark(finding: &Finding) -> &'static str {
    match finding.compared.verdict {
        _ if finding.failed() => "✗",
        Verdict::Passed | Verdict::Failed => "✓",
        Verdict::Undecided => "undecided",
        Verdict::Undetermined => "undetermined (budget too wide)",
    }
}

/// What stands under a line: each explanation, or where the numbers differ.
fn said(finding: &Finding) -> Vec<String> {
    let mut lines: Vec<String> = finding.fits.iter().map(explanation).collect();
    if lines.len() > 1 {
        lines.insert(0, format!("      {} explanations fit equally:", lines.len()));
    }
    if finding.failed() && finding.fits.is_empty() {
        let pattern = finding.pattern.as_deref().unwrap_or("the numbers follow nothing that is known");
        lines.push(format!("      No known choice or mistake explains it: {pattern}."));
    }
    lines
}

fn explanation(fit: &Fit) -> String {
    let changed: Vec<String> = fit
        .changed
        .iter()
        .map(|(choice, value)| {
            let who = if value.who.is_empty() { String::new() } else { format!(" ({})", value.who) };
            format!("{} = {}{who}", choice.key, value.value)
        })
        .collect();
    let changed = changed.join(", ");
    match (fit.bug, fit.against_the_stated) {
        (None, false) if fit.is_wrong() => format!("      follows {changed}: a mistake"),
        (None, false) => format!("      follows {changed}, not stated in the file"),
        (None, true) => format!("      follows {changed}, and the file or a flag says otherwise"),
        (Some(bug), _) => {
            let with = if changed.is_empty() { String::new() } else { format!(" With {changed}.") };
            let seen = if bug.seen.is_empty() { String::new() } else { format!(" Seen in {}.", bug.seen) };
            format!("      {}: {}.{with}{seen}", bug.name, one_line(bug.says))
        }
    }
}

fn last_line(report: &Report) -> String {
    let count =
        |wanted: &dyn Fn(&Finding) -> bool| report.findings.iter().filter(|finding| wanted(finding)).count();
    let open = count(&|finding| mark(finding).starts_with("und"));
    let (wrong, other) = (count(&Finding::failed), count(&Finding::is_convention));
    let arithmetic = if report.f64s { "f64" } else { "f32" };
    format!(
        "{} outputs compared, computed in {arithmetic}: {} as stated or by default, {other} by another convention, \
         {open} not decided, {wrong} wrong.\n",
        report.findings.len(),
        report.findings.len() - open - wrong - other
    )
}
