//! `ppo bless`: writes the test vectors anew.

use clap::{Arg, ArgMatches, Command, value_parser};
use conformance::{
    dump::BadInput,
    vectors::{file, terms::TERMS},
};
use std::{fs, path::PathBuf};

/// The subcommand.
pub(crate) fn command() -> Command {
    let folder = Arg::new("folder")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .default_value("tests/vectors")
        .help("Where the files go");
    Command::new("bless")
        .about("Write the test vectors: inputs as they stand in tests/src/vectors, all else computed anew")
        .arg(folder)
}

/// Runs the subcommand and gives what it prints: the files that it changed.
pub(crate) fn run(matches: &ArgMatches) -> Result<String, BadInput> {
    let folder = matches.get_one::<PathBuf>("folder").cloned().unwrap_or_default();
    let mut text = String::new();
    for term in TERMS {
        let path = folder.join(format!("{}.json", term.stem));
        let new = file(term)?;
        if fs::read_to_string(&path).is_ok_and(|old| old == new) {
            continue;
        }
        let failed = |err| BadInput::new(format!("{}: {err}", path.display()));
        fs::write(&path, new).map_err(failed)?;
        text += &format!("written: {}\n", path.display());
    }
    Ok(if text.is_empty() { format!("all {} files are current\n", TERMS.len()) } else { text })
}
