//! The command `record-training`: trains the toy policy as it is and with one thing changed, as `ppo claims` does, and
//! writes what the book's curves are drawn from; with `--check` it does it all again and compares each line, digit for
//! digit. Nine runs, one after the other on each of two threads: some minutes.
//!
//! The first line of `book/listings/training.jsonl` says where the rest comes from. The reference gives the same digits on
//! every machine, so what the machine was is for the reader only.

use anyhow::{Context, Result, bail};
use conformance::train::{
    Metrics, Recipe,
    claims::{AS_IT_IS, CLAIMS, Variant, run},
};
use serde_json::{Value, json};
use std::{env, fs, path::Path, process::Command, thread};

const FILE: &str = "listings/training.jsonl";
const SEED: u64 = 1;

fn main() -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let args: Vec<String> = env::args().skip(1).collect();
    let now = lines()?;
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            let text: Vec<String> = [head()].into_iter().chain(now).collect();
            fs::write(&file, text.join("\n") + "\n").with_context(|| FILE)
        }
        ["--check"] => {
            let recorded = fs::read_to_string(&file).with_context(|| FILE)?;
            let recorded: Vec<&str> = recorded.lines().skip(1).collect();
            compare(&now, &recorded)
        }
        _ => bail!("usage: record-training [--check]"),
    }
}

fn compare(now: &[String], recorded: &[&str]) -> Result<()> {
    if let Some((now, recorded)) = now.iter().zip(recorded).find(|(now, recorded)| now != *recorded) {
        bail!("{FILE} is not what the runs give now\n  recorded {recorded}\n  now      {now}");
    }
    if now.len() != recorded.len() {
        bail!("{FILE} has {} lines of iterations, the runs now give {}", recorded.len(), now.len());
    }
    println!("{} iterations, every digit as recorded", now.len());
    Ok(())
}

/// Where the record comes from.
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

/// A line for each iteration of each run.
fn lines() -> Result<Vec<String>> {
    let variants: Vec<Variant> =
        [AS_IT_IS].into_iter().chain(CLAIMS.iter().flat_map(|claim| claim.variants).copied()).collect();
    let mut lines = Vec::new();
    for pair in variants.chunks(2) {
        let ran: Vec<_> = thread::scope(|scope| {
            let runs: Vec<_> =
                pair.iter().map(|variant| scope.spawn(|| run(Recipe::default(), *variant, SEED))).collect();
            runs.into_iter().map(|run| run.join()).collect()
        });
        for ran in ran {
            let Ok(ran) = ran else { bail!("a run ended before its last iteration") };
            let ran = ran.map_err(|error| anyhow::anyhow!("{error}"))?;
            eprintln!("{}: {:.3} on unseen prompts", ran.name, ran.after);
            lines.extend(ran.metrics.iter().map(|metrics| line(ran.name, metrics).to_string()));
        }
    }
    Ok(lines)
}

fn line(run: &str, at: &Metrics) -> Value {
    json!({
        "run": run,
        "iteration": at.iteration,
        "score": at.score,
        "ent": at.ent,
        "mean_ret": at.mean_ret,
        "mean_v": at.mean_v,
        "grad_norm": at.grad_norm,
    })
}
