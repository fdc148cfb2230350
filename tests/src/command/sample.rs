//! `ppo sample`: the step on the shipped rollout, beside PyTorch's numbers for it.

use super::{Outcome, departures, run::Run, table};
use clap::{Arg, ArgMatches, Command, value_parser};
use conformance::{
    budget::Precision,
    dump::{BadInput, Dump, Inputs},
    engine::Engine,
    report::Line,
};
use std::path::{Path, PathBuf};

/// The shipped files: one rollout, the outputs of each listing.
const LISTINGS: [(&str, &str); 2] = [
    ("The listing, corrected", "step.safetensors"),
    ("The listing, as printed", "step-as-printed.safetensors"),
];

fn open(samples: &Path, name: &str) -> Result<Dump, BadInput> {
    let path = samples.join(name);
    Dump::open(&path).map_err(|err| BadInput::new(format!("{}: {err}", path.display())))
}

/// The subcommand.
pub(crate) fn command() -> Command {
    let about =
        "Compute every term on the shipped rollout, beside PyTorch's numbers, and what each departure does";
    Command::new("sample").about(about).arg(folder())
}

/// The flag that names the folder of the shipped files.
pub(crate) fn folder() -> Arg {
    Arg::new("samples")
        .long("samples")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .help("The folder of the shipped rollout [default: tests/samples of this repository]")
}

/// That folder.
fn samples(matches: &ArgMatches) -> PathBuf {
    let shipped = || Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    matches.get_one::<PathBuf>("samples").cloned().unwrap_or_else(shipped)
}

/// The lines of one shipped file.
fn compared(samples: &Path, file: &str) -> Result<Vec<Line>, BadInput> {
    let dump = open(samples, file)?;
    Ok(Run::of(Engine::Reference, &dump, dump.choose(&[])?, Some(Precision::F32), None)?.lines)
}

/// One line on all of it: how many terms of PyTorch's were met, and how near to its bound the nearest came.
pub(crate) fn agreement(matches: &ArgMatches) -> Result<Outcome, BadInput> {
    let mut lines = Vec::new();
    for (_, file) in LISTINGS {
        lines.extend(compared(&samples(matches), file)?);
    }
    let failed: Vec<&str> = lines.iter().filter(|line| line.fails()).map(|line| line.output.name).collect();
    let use_of =
        |line: &Line| line.difference().zip(line.allowed).map(|(difference, allowed)| difference / allowed);
    let (count, nearest) =
        (lines.iter().filter_map(use_of).count(), lines.iter().filter_map(use_of).fold(0.0, f64::max));
    let text = if failed.is_empty() {
        format!(
            "PyTorch's sample rollout, both listings: {count} terms agree within their derived bounds (at most \
             {:.0} % used).\n",
            100.0 * nearest
        )
    } else {
        format!("PyTorch's sample rollout: BEYOND THEIR BOUND: {}.\n", failed.join(", "))
    };
    Ok(Outcome { text, failed: !failed.is_empty() })
}

/// The whole job, on the files of this repository or of another folder.
pub(crate) fn run(matches: &ArgMatches) -> Result<Outcome, BadInput> {
    let samples = samples(matches);
    let mut text = String::from(
        "The PPO training step on a rollout that PyTorch made: every term by the reference (f64; the code is in\n\
         reference/src) beside PyTorch's own number (f32), and the bound: the most that rounding may make them\n\
         differ. A term per token is shown at [row, token], where it comes nearest to its bound; - is a number\n\
         that PyTorch's file does not hold.\n",
    );
    let mut failed = false;
    for (title, file) in LISTINGS {
        let lines = compared(&samples, file)?;
        text.push_str(&format!("\n{title} ({file} in tests/samples)\n\n"));
        text.push_str(&table::terms(&lines, "reference", "PyTorch", true));
        failed |= lines.iter().any(Line::fails);
        text.push_str(&verdict(&lines));
    }
    text.push_str("\nWhat each departure of the post changes most, alone, on this rollout (S…: its row of the errata, a test in\n\
         tests/figures/errata_*.rs):\n\n",
    );
    let dump = open(&samples, LISTINGS[0].1)?;
    text.push_str(&departures::report(&dump.choose(&[])?, |chosen| Inputs::load(&dump, chosen))?);
    Ok(Outcome { text, failed })
}

fn verdict(lines: &[Line]) -> String {
    let compared = lines.iter().filter(|line| line.theirs.is_some()).count();
    let failed: Vec<&str> = lines.iter().filter(|line| line.fails()).map(|line| line.output.name).collect();
    if failed.is_empty() {
        format!("\n  {compared} terms compared, each within its derived bound.\n")
    } else {
        format!("\n  {compared} terms compared; BEYOND THEIR BOUND: {}.\n", failed.join(", "))
    }
}
