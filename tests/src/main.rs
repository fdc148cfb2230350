//! The command `ppo`.
//!
//! Exit codes: 0; 1 for a failed comparison; 2 for bad input, with one sentence.
#![forbid(unsafe_code)]

mod command;

use clap::Command;
use command::{main_job, step, terms};
use conformance::dump::BadInput;
use std::{
    io::{self, Write},
    process::ExitCode,
};

fn cli() -> Command {
    Command::new("ppo")
        .version(env!("CARGO_PKG_VERSION"))
        .about("The PPO training step by its equations. Without a subcommand: on the shipped rollout.")
        .subcommands([step::command(), terms::command()])
}

fn main() -> ExitCode {
    let matches = cli().get_matches();
    let printed = match matches.subcommand() {
        None => main_job::run().map(|outcome| (outcome.text, outcome.failed)),
        Some(("step", matches)) => step::run(matches).map(|text| (text, false)),
        Some(("terms", matches)) => terms::run(matches).map(|text| (text, false)),
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

/// Prints everything at once. A reader that has read enough and left, such as `head`, is no error.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(err) if err.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn refuse(err: &BadInput) -> ExitCode {
    // Where the error stream is closed too, the exit code still says it.
    let _ = writeln!(io::stderr(), "ppo: {err}");
    ExitCode::from(2)
}
