//! `ppo` without arguments: the step on the shipped rollout, beside PyTorch's numbers for it.

use super::{departures, step::Run, table};
use conformance::{
    budget::Precision,
    dump::{BadInput, Dump, Inputs},
    report::Line,
};
use std::path::{Path, PathBuf};

/// What the main job prints, and whether a difference exceeds its bound.
pub(crate) struct Outcome {
    pub(crate) text: String,
    pub(crate) failed: bool,
}

/// The shipped files: one rollout, the outputs of each listing.
const LISTINGS: [(&str, &str); 2] = [
    ("The listing, corrected", "step.safetensors"),
    ("The listing, as printed", "step-as-printed.safetensors"),
];

fn open(samples: &Path, name: &str) -> Result<Dump, BadInput> {
    let path = samples.join(name);
    Dump::open(&path).map_err(|err| BadInput::new(format!("{}: {err}", path.display())))
}

/// The whole job, on the files of this repository or of another folder.
pub(crate) fn run(samples: Option<&PathBuf>) -> Result<Outcome, BadInput> {
    let shipped = || Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    let samples = samples.cloned().unwrap_or_else(shipped);
    let mut text = String::from(
        "The PPO training step on a rollout that PyTorch made: every term by the reference (f64; the code is in\n\
         reference/src) beside PyTorch's own number (f32), and the bound: the most that rounding may make them\n\
         differ. A term per token is shown at [row, token], where it comes nearest to its bound; - is a number\n\
         that PyTorch's file does not hold.\n",
    );
    let mut failed = false;
    for (title, file) in LISTINGS {
        let dump = open(&samples, file)?;
        let run = Run::of(&dump, dump.choose(&[])?, Some(Precision::F32), None)?;
        text.push_str(&format!("\n{title} ({file} in tests/samples)\n\n"));
        text.push_str(&table::terms(&run.lines, "PyTorch", true));
        failed |= run.lines.iter().any(Line::fails);
        text.push_str(&verdict(&run.lines));
    }
    text.push_str("\nWhat each departure of the post changes most, alone, on this rollout (S…: its row of the errata, a test in\n\
         tests/figures/errata_*.rs):\n\n",
    );
    let dump = open(&samples, LISTINGS[0].1)?;
    text.push_str(&departures::report(&dump.choose(&[])?, |chosen| Inputs::load(&dump, chosen))?);
    text.push_str(NEXT);
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

const NEXT: &str = "
Next:
  cargo run --release -- step tests/samples/step.safetensors --lam 1.0     the same with another setting
  cargo run --release -- step --help                                      your own rollout: names and settings
  cargo run --release -p ppo-book -- --out target/book                    the book: each equation and its code
";
