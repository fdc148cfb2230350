//! Every promise of `ppo train`, on the real binary.
//!
//! | file | holds |
//! |---|---|
//! | `killed` | a run killed at 100 random moments ends as one that was not, byte for byte |
//! | `resume` | a resumed run, torn lines, files left aside, two runs in one folder |
//! | `refusals` | what is refused, each with one sentence and exit code 2 |
//! | `printed` | what stands in a pipe and in the metrics |
//! | `dump` | the last rollout, computed again by `ppo step` to the same digit |

mod dump;
mod killed;
mod printed;
mod refusals;
mod resume;

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// A recipe so small that an iteration takes less time than to write its checkpoint.
const TINY: [&str; 11] =
    ["--batch", "4", "--d-model", "8", "--n-heads", "1", "--d-mlp", "8", "--epochs", "2", "--no-evaluation"];

/// `ppo train` of the tiny recipe in a folder, with more flags.
fn train(dir: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ppo"));
    command.current_dir(dir).arg("train").args(TINY).args(flags);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What it prints, after holding that all went well.
#[track_caller]
fn fine(mut command: Command) -> String {
    let output = command.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), err.as_str()), (Some(0), ""), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Its sentence, after holding that it was refused as promised.
#[track_caller]
fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &[][..]), "{command:?}: {err}");
    let line = err.strip_suffix('\n').unwrap();
    assert!(line.starts_with("ppo: ") && !line.contains('\n') && !line.contains("panicked"), "{line:?}");
    line.to_owned()
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Both files of a run.
fn files(run: &Path) -> (Vec<u8>, String) {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    (fs::read(run.join("checkpoint.safetensors")).unwrap(), metrics)
}

/// Holds two runs against each other, byte for byte.
#[track_caller]
fn same(one: &Path, other: &Path) {
    let (one, other) = (files(one), files(other));
    assert_eq!(one.1, other.1, "the metrics differ");
    assert!(one.0 == other.0, "the checkpoints differ");
}
