//! `ppo terms`: the table of terms, for a person and for README, and whether the backends of this machine give
//! the same bits.

use super::{Outcome, table};
use clap::{Arg, ArgMatches, Command, value_parser};
use conformance::{
    dump::BadInput,
    fast::{self, bits_equal},
    terms::markdown,
};
use optimized::Backend;
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
        .about("Print the table of terms: each equation, its functions and its place; then the bits of each backend")
        .arg(write)
}

/// Runs the subcommand and gives what it prints; it has failed where two backends differ.
pub(crate) fn run(matches: &ArgMatches) -> Result<Outcome, BadInput> {
    let Some(path) = matches.get_one::<PathBuf>("write") else { return Ok(shown()) };
    let failed = |err: &dyn std::fmt::Display| BadInput::new(format!("{}: {err}", path.display()));
    let text = fs::read_to_string(path).map_err(|err| failed(&err))?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let Some((before, after)) = parts else { return Err(failed(&"has no markers of the table of terms")) };
    let text = format!("{before}{BEGIN}{}{END}{after}", markdown());
    fs::write(path, text).map_err(|err| failed(&err))?;
    Ok(Outcome { text: String::new(), failed: false })
}

/// The table, and under it one line a fast term: each backend beside the fallback, on that term's cases.
fn shown() -> Outcome {
    let names = Backend::NAMES;
    let mut rows = vec![["term"].iter().chain(names).map(|name| (*name).to_owned()).collect::<Vec<_>>()];
    let mut failed = false;
    for term in fast::TERMS {
        let bits = bits_equal(term);
        failed |= bits.iter().any(|(_, equal)| !equal);
        let here = |name: &str| Backend::available().iter().any(|on| on.name() == name);
        let of = |name: &&str| match bits.iter().find(|(on, _)| on.name() == *name) {
            None if here(name) => "not there",
            None => "absent",
            Some((_, true)) => "equal",
            Some((_, false)) => "DIFFERENT",
        };
        let cells = names.iter().map(|name| of(name).to_owned());
        rows.push([term.stem.to_owned()].into_iter().chain(cells).collect());
    }
    let levels = table::aligned(&rows, |_| true);
    let text = format!(
        "{}\nThe fast path on this machine, bit for bit against its fallback, on the small cases of its suites:\n\n{levels}",
        markdown()
    );
    Outcome { text, failed }
}
