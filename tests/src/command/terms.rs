//! `ppo terms`: the table of terms, for a person and for README.

use clap::{Arg, ArgMatches, Command, value_parser};
use conformance::{dump::BadInput, terms::markdown};
use std::{fs, path::PathBuf};

const BEGIN: &str = "<!-- terms: written by `cargo run --release -- terms --write README.md` -->\n";
const END: &str = "<!-- /terms -->";

/// The subcommand.
pub(crate) fn command() -> Command {
    let write = Arg::new("write")
        .long("write")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Put the table between its markers in this file");
    Command::new("terms")
        .about("Print the table of terms: each equation, its function and its place")
        .arg(write)
}

/// Runs the subcommand and gives what it prints.
pub(crate) fn run(matches: &ArgMatches) -> Result<String, BadInput> {
    let Some(path) = matches.get_one::<PathBuf>("write") else { return Ok(markdown()) };
    let failed = |err: &dyn std::fmt::Display| BadInput::new(format!("{}: {err}", path.display()));
    let text = fs::read_to_string(path).map_err(|err| failed(&err))?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else { return Err(failed(&"has no markers of the table of terms")) };
    let text = format!("{before}{BEGIN}{}{END}{after}", markdown());
    fs::write(path, text).map_err(|err| failed(&err))?;
    Ok(String::new())
}
