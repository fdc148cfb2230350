//! `ppo check FILE`: the file's own numbers against the equations, and what they follow instead.

mod json;
mod junit;
mod markdown;
mod text;

use super::{
    Outcome, flags,
    table::{one_line, small},
};
use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};
use conformance::{
    budget::Precision,
    check::{Asked, Finding, Fit, Report, bugs::Bug, check_as, compare::Verdict},
    dump::{BadInput, Dump},
    outputs::{GRAD_LOGITS, OUTPUTS},
    report::difference,
};
use std::{ops::Range, path::PathBuf};

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    let file = Arg::new("FILE")
        .required(true)
        .num_args(1..)
        .value_parser(value_parser!(PathBuf))
        .help("A rollout dump, or several: the ranks of one batch");
    let strict = Arg::new("strict")
        .long("strict")
        .action(ArgAction::SetTrue)
        .help("Exit with 1 for an output that is not decided, too");
    let format = Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new(["text", "json", "junit", "markdown"]))
        .default_value("text")
        .help("For a person, a program, a CI's test report, or a comment on a change");
    let rows = Arg::new("rows")
        .long("rows")
        .value_name("A..B")
        .help("Compare per-token outputs in rows A to B − 1 alone");
    let computed_in = Arg::new("compute-dtype")
        .long("compute-dtype")
        .value_name("DTYPE")
        .value_parser(PossibleValuesParser::new(["f32", "f64", "bf16", "f16"]))
        .help("The arithmetic of the numbers [default: f64 for a term whose tensors are all f64, else f32]");
    let about = "Compare a dump's own outputs with the equations, and name what they follow instead";
    flags::with_settings(Command::new("check").about(about).args([file, strict, format, rows, computed_in])).after_help(
        "Each output is computed in f64 from what the file itself holds before it, and may differ by what any order \
         of operations in f32 can (in f64, where every tensor is f64). Exit code 1: an output is wrong; 2: nothing \
         could be compared.",
    )
}

/// Runs the subcommand and gives what it prints.
pub(crate) fn run(matches: &ArgMatches) -> Result<Outcome, BadInput> {
    let paths: Vec<&PathBuf> = matches.get_many("FILE").into_iter().flatten().collect();
    let name = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ");
    let named = |err: BadInput| BadInput::new(format!("{name}: {err}"));
    let dump = match paths.as_slice() {
        [path] => Dump::open(path).map_err(named)?,
        paths => Dump::open_ranks(paths)?,
    };
    let rows = matches.get_one::<String>("rows").map(|rows| range(rows)).transpose()?;
    let computed_in = matches.get_one::<String>("compute-dtype").map(|dtype| precision(dtype));
    let asked = Asked { rows, computed_in };
    let report = check_as(&dump, &flags::settings(matches), &asked).map_err(named)?;
    if report.findings.iter().all(Finding::is_not_covered) {
        let sentence = "nothing compared: the file holds no output with what it is made of";
        return Err(named(BadInput::new(sentence)));
    }
    let open = |finding: &Finding| ["undecided", "undetermined"].contains(&verdict(finding));
    let wrong = |finding: &Finding| finding.failed() || (matches.get_flag("strict") && open(finding));
    let failed = report.findings.iter().any(wrong) || !report.departures.is_empty();
    let text = match matches.get_one::<String>("format").map(String::as_str) {
        Some("json") => json::report(&name, &report),
        Some("junit") => junit::report(&name, &report, wrong),
        Some("markdown") => markdown::report(&report),
        _ => text::report(&report),
    };
    Ok(Outcome { failed, text })
}

/// `a..b` as rows.
fn range(text: &str) -> Result<Range<usize>, BadInput> {
    let ends =
        text.split_once("..").and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
    let said =
        || BadInput::new(format!("`rows` is `{}`, and must be a..b, two numbers of rows", one_line(text)));
    ends.map(|(a, b)| a..b).ok_or_else(said)
}

fn precision(dtype: &str) -> Precision {
    match dtype {
        "f64" => Precision::F64,
        "bf16" => Precision::BF16,
        "f16" => Precision::F16,
        _ => Precision::F32,
    }
}

/// The verdict as one word.
fn verdict(finding: &Finding) -> &'static str {
    match finding.compared.verdict {
        _ if finding.failed() => "wrong",
        Verdict::Failed if finding.is_not_covered() => "not covered",
        Verdict::Failed if finding.is_open() => "undetermined",
        Verdict::Passed => "passed",
        Verdict::Failed => "convention",
        Verdict::Undecided => "undecided",
        Verdict::Undetermined => "undetermined",
    }
}

/// An output as it is shown: with the file that it is of, where each has its own.
fn title(finding: &Finding) -> String {
    finding
        .rank
        .map_or_else(|| finding.output.to_owned(), |rank| format!("{} of file {}", finding.output, rank + 1))
}

/// What is said under an output: each explanation, or where the numbers differ.
fn said(finding: &Finding) -> Vec<String> {
    let (wrong, conventions): (Vec<&Fit>, Vec<&Fit>) = finding.fits.iter().partition(|fit| fit.is_wrong());
    let first = if conventions.is_empty() { &wrong } else { &conventions };
    let mut lines: Vec<String> = first.iter().map(|fit| explanation(finding, fit)).collect();
    if lines.len() > 1 {
        lines.insert(0, format!("{} explanations fit equally:", lines.len()));
    }
    if !conventions.is_empty() {
        let name = |fit: &&Fit| {
            let changed =
                fit.changed.iter().map(|(choice, value)| format!("{} = {}", choice.key, value.value));
            let mistakes = fit.mistakes.iter().map(|bug| bug.name.to_owned());
            mistakes.chain(changed).collect::<Vec<_>>().join(" with ")
        };
        let same: Vec<String> = wrong.iter().map(name).collect();
        lines.extend(
            (!same.is_empty()).then(|| format!("The same numbers here as {} would give.", same.join(", "))),
        );
    }
    lines.extend(finding.other_methods.iter().flat_map(|fit| {
        fit.mistakes
            .iter()
            .map(|bug| format!("Not covered: these are the numbers of {}: {}.", bug.name, bug.says))
    }));
    if (finding.failed() || finding.is_open()) && finding.fits.is_empty() {
        let pattern = finding.pattern.as_deref().unwrap_or("its numbers are of another class");
        lines.push(format!("No known choice or mistake explains it: {pattern}."));
    }
    if !finding.unstated.is_empty() {
        lines.push(format!(
            "Not stated in the file: {}. A value that no list has may explain it, beside other choices: state it to know.",
            finding.unstated.join(", ")
        ));
    }
    let shown =
        first.first().map(|fit| &fit.compared).filter(|_| finding.compared.verdict == Verdict::Failed);
    lines.extend(shown.map(|of| {
        let off = difference(of.expected, of.got);
        let place = format!("{} {}", finding.output, of.place);
        format!("{} is met to {}, and may differ by {}.", place.trim_end(), small(off), small(of.allowed))
    }));
    if finding.compared.verdict != Verdict::Passed {
        lines.extend(chapter(finding.output).map(|page| format!("Book: {page}.")));
    }
    if finding.cut {
        lines.push("The file is too large for every explanation to be tried.".to_owned());
    }
    lines
}

/// The page of the book that explains an output.
fn chapter(output: &str) -> Option<String> {
    OUTPUTS.iter().chain([&GRAD_LOGITS]).find(|of| of.name == output).map(|of| of.page())
}

fn explanation(finding: &Finding, fit: &Fit) -> String {
    let changed: Vec<String> = fit
        .changed
        .iter()
        .map(|(choice, value)| {
            let who = if value.who.is_empty() { String::new() } else { format!(" ({})", value.who) };
            format!("{} = {}{who}", choice.key, value.value)
        })
        .collect();
    let numbers: Vec<String> = fit.numbers.iter().map(|of| format!("{} = {}", of.key, of.value)).collect();
    let changed = [changed, numbers.clone()].concat().join(", ");
    match (fit.mistakes.as_slice(), fit.against_the_stated) {
        ([], false) if fit.is_wrong() => format!("follows {changed}: a mistake"),
        ([], false) if !numbers.is_empty() => format!("not stated in the file: {changed} fits"),
        ([], false) => format!("follows {changed}, not stated in the file"),
        ([], true) => format!("follows {changed}, and the file or a flag says otherwise"),
        (mistakes, _) => {
            let with = if changed.is_empty() { String::new() } else { format!(" With {changed}.") };
            let each: Vec<String> = mistakes.iter().map(|bug| mistake(bug, finding.output)).collect();
            format!("{}{with}", each.join(" And "))
        }
    }
}

/// A mistake, and the output that it is in where that is another.
fn mistake(bug: &Bug, output: &str) -> String {
    let within =
        if bug.of == output { String::new() } else { format!(" (in {}, which the file lacks)", bug.of) };
    let seen = if bug.seen.is_empty() { String::new() } else { format!(" Seen in {}.", bug.seen) };
    format!("{}{within}: {}.{seen}", bug.name, bug.says)
}

/// What the numbers say of the choices, and of the file as a whole.
fn of_the_file(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> =
        report.not_covered.iter().map(|(name, why)| format!("Not covered: {name}, since {why}.")).collect();
    lines.extend(report.deviations.iter().map(|said| format!("A deviation of that trainer's own: {said}.")));
    if !report.in_use.is_empty() {
        let all: Vec<String> = report.in_use.iter().map(|of| format!("{}: {}", of.key, of.value)).collect();
        lines.push(format!("By the numbers: {}.", all.join("; ")));
    }
    lines.extend(report.open.iter().map(|open| {
        let tells = if open.choice.tells.is_empty() { "" } else { ": what would tell is " };
        format!(
            "Not told apart here: {} ({}){tells}{}.",
            open.choice.key,
            open.values.join(", "),
            open.choice.tells
        )
    }));
    if report.not_inferred {
        lines.push("The file is too large to try every value of every choice.".to_owned());
    }
    lines.extend(report.ties.iter().map(|said| format!("Where two branches meet: {said}.")));
    lines.extend(report.contradictions.iter().map(|said| format!("Not one choice: {said}.")));
    lines.extend(
        report
            .masked
            .iter()
            .map(|(name, not_0, of)| format!("Not judged: {name} is not 0 in {not_0} of {of} masked slots.")),
    );
    lines
}

/// How many were compared, and with what result.
fn summary(report: &Report) -> String {
    let count = |words: &[&str]| report.findings.iter().filter(|of| words.contains(&verdict(of))).count();
    let used = |of: &&Precision| report.findings.iter().any(|finding| finding.p == **of);
    let all = [Precision::F32, Precision::F64, Precision::BF16, Precision::F16];
    let arithmetic: Vec<&str> = all.iter().filter(used).map(|p| p.name()).collect();
    let arithmetic = arithmetic.join(" and ");
    format!(
        "{} outputs compared, computed in {arithmetic}: {} as stated or by default, {} by another convention, {} not \
         decided, {} wrong.",
        report.findings.iter().filter(|finding| !finding.is_not_covered()).count(),
        count(&["passed"]),
        count(&["convention"]),
        count(&["undecided", "undetermined"]),
        count(&["wrong"])
    )
}
