//! The command `record-training`: runs the trainings that the book's curves are drawn from and writes them down; with
//! `--check` it runs them all again and compares each line, digit for digit. Some minutes on two threads.
//!
//! The first line of a record says where the rest comes from. The reference gives the same digits on every machine, so
//! what the machine was is for the reader only.

mod bias;
mod runs;

use anyhow::{Context, Result, bail};
use serde_json::json;
use std::{env, fs, path::Path, process::Command};

/// What every random number derives from.
const SEED: u64 = 1;

/// Makes the lines of a record.
type Lines = fn() -> Result<Vec<String>>;

/// A record's file in the book's folder, and what its lines are made by.
const RECORDS: [(&str, Lines); 2] =
    [("listings/training.jsonl", runs::lines), ("listings/bias.jsonl", bias::lines)];

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let check = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--check"] => true,
        _ => bail!("usage: record-training [--check]"),
    };
    for (name, lines) in RECORDS {
        let (file, now) = (Path::new(env!("CARGO_MANIFEST_DIR")).join(name), lines()?);
        if check {
            let recorded = fs::read_to_string(&file).with_context(|| name)?;
            compare(name, &now, &recorded.lines().skip(1).collect::<Vec<_>>())?;
        } else {
            let text: Vec<String> = [head()].into_iter().chain(now).collect();
            fs::write(&file, text.join("\n") + "\n").with_context(|| name)?;
        }
    }
    Ok(())
}

fn compare(name: &str, now: &[String], recorded: &[&str]) -> Result<()> {
    if let Some((now, recorded)) = now.iter().zip(recorded).find(|(now, recorded)| now != *recorded) {
        bail!("{name} is not what the runs give now\n  recorded {recorded}\n  now      {now}");
    }
    if now.len() != recorded.len() {
        bail!("{name} has {} lines, the runs now give {}", recorded.len(), now.len());
    }
    println!("{name}: {} lines, every digit as recorded", now.len());
    Ok(())
}

/// Where a record comes from.
fn head() -> String {
    let said = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok();
        output.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    json!({
        "command": "cargo run --release -p ppo-book --bin record-training",
        "commit": said("git", &["rev-parse", "--short", "HEAD"]),
        "machine": cpu.trim_start_matches(['\t', ' ', ':']),
        "compiler": said("rustc", &["--version"]),
        "seed": SEED,
    })
    .to_string()
}
