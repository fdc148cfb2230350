//! The command `ppo`.
//!
//! Exit codes: 0; 1 for a failed comparison; 2 for bad input, with one sentence.
#![forbid(unsafe_code)]

mod command;

use clap::{
    Command,
    error::{ContextKind, ContextValue, ErrorKind},
};
use command::{bless, check, claims, dump, main_job, sample, step, table::one_line, terms, train};
use conformance::dump::BadInput;
use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

fn cli() -> Command {
    Command::new("ppo")
        .version(env!("CARGO_PKG_VERSION"))
        .propagate_version(true)
        .args_conflicts_with_subcommands(true)
        .about("The PPO training step by its equations. Without a subcommand: train a small policy and show the step.")
        .subcommands([
            sample::command(),
            step::command(),
            check::command(),
            train::command(),
            claims::command(),
            terms::command(),
            dump::command(),
            bless::command(),
        ])
        .args([main_job::iterations(), sample::folder()])
}

fn main() -> ExitCode {
    let matches = match cli().try_get_matches() {
        Ok(matches) => matches,
        Err(err) => match file_for_subcommand(&err) {
            Some(file) => {
                return refuse(&BadInput::new(format!("{file} is a file: `ppo step {file}` reads it")));
            }
            None => err.exit(),
        },
    };
    let printed = match matches.subcommand() {
        None => main_job::run(&matches).map(|outcome| (outcome.text, outcome.failed)),
        Some(("sample", matches)) => sample::run(matches).map(|outcome| (outcome.text, outcome.failed)),
        Some(("claims", matches)) => claims::run(matches).map(|text| (text, false)),
        Some(("check", matches)) => check::run(matches).map(|outcome| (outcome.text, outcome.failed)),
        Some(("step", matches)) => step::run(matches).map(|text| (text, false)),
        Some(("train", matches)) => train::run(matches).map(|text| (text, false)),
        Some(("dump", _)) => Ok((dump::run(), false)),
        Some(("bless", matches)) => bless::run(matches).map(|text| (text, false)),
        Some(("terms", matches)) => terms::run(matches).map(|outcome| (outcome.text, outcome.failed)),
        Some((other, _)) => Err(BadInput::new(format!("`{other}` is no subcommand"))),
    };
    match printed {
        Ok((text, failed)) => match print(&text) {
            Ok(()) if failed => ExitCode::from(1),
            Ok(()) => ExitCode::SUCCESS,
            Err(err) => refuse(&BadInput::new(format!("the output could not be written: {err}"))),
        },
        Err(err) => refuse(&err),
    }
}

/// The file that stands where a subcommand should.
fn file_for_subcommand(err: &clap::Error) -> Option<String> {
    match (err.kind(), err.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word))) if Path::new(word).is_file() => {
            Some(word.clone())
        }
        _ => None,
    }
}

/// Prints everything at once. A reader that has read enough and left, such as `head`, is no error.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// One line, whatever stands in a path or a setting.
fn refuse(err: &BadInput) -> ExitCode {
    // Where the error stream is closed too, the exit code still says it.
    let _ = writeln!(io::stderr(), "ppo: {}", one_line(&err.to_string()));
    ExitCode::from(2)
}
