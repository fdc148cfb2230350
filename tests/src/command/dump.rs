//! `ppo dump --python`: the lines that write a dump out of a PyTorch trainer.

use clap::{Arg, ArgAction, Command};

/// What it prints, and README shows.
const PYTHON: &str = include_str!("dump.py");

/// The subcommand.
pub(crate) fn command() -> Command {
    let python = Arg::new("python")
        .long("python")
        .required(true)
        .action(ArgAction::SetTrue)
        .help("Lines for a PyTorch trainer, which need its tensors and pip install safetensors");
    Command::new("dump").about("Print the lines that write a dump from your own trainer").arg(python)
}

/// Gives what the subcommand prints.
pub(crate) fn run() -> String {
    PYTHON.to_owned()
}
