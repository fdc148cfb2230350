//! The flags of the settings, made from the table of keys.

use clap::{Arg, ArgMatches, Command};
use conformance::dump::{BadInput, KEYS, Key};
use optimized::Backend;

/// Adds one flag per setting to a command.
pub(crate) fn with_settings(command: Command) -> Command {
    with(command, "Settings (over the file's metadata)", |key| Some(key.default.to_string()))
}

/// Adds one flag to a command for each setting that has a default there.
pub(crate) fn with(
    command: Command,
    heading: &'static str,
    default: impl Fn(&Key) -> Option<String>,
) -> Command {
    let wanted = KEYS.iter().filter_map(|key| Some((key, default(key)?)));
    command.args(wanted.map(|(key, default)| {
        let snake_and_kebab = |name: &'static str| [name.to_owned(), name.replace('_', "-")];
        let long = key.name.replace('_', "-");
        let aliases = key.spellings().flat_map(snake_and_kebab).filter(|alias| *alias != long);
        let mut aliases: Vec<String> = aliases.collect();
        aliases.sort();
        aliases.dedup();
        Arg::new(key.name)
            .long(long)
            .aliases(aliases)
            .value_name("VALUE")
            .allow_hyphen_values(true)
            .help(format!("{} [{}; default: {}]", key.meaning, key.legal, default))
            .help_heading(heading)
    }))
}

/// The settings that were given as flags.
pub(crate) fn settings(matches: &ArgMatches) -> Vec<(String, String)> {
    given(matches, |_| true)
}

/// Those given of the settings that the command has.
pub(crate) fn given(matches: &ArgMatches, has: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let given = |name: &'static str| {
        let value = matches.get_one::<String>(name)?;
        Some((name.to_owned(), value.clone()))
    };
    KEYS.iter().filter(|key| has(key.name)).filter_map(|key| given(key.name)).collect()
}

/// `--backend NAME`.
pub(crate) fn backend(help: &'static str) -> Arg {
    let names = format!("{help} [{}, best]", Backend::NAMES.join(", "));
    Arg::new("backend").long("backend").value_name("NAME").help(names)
}

/// The backend that was asked for, if one was.
pub(crate) fn chosen_backend(matches: &ArgMatches) -> Result<Option<Backend>, BadInput> {
    match matches.get_one::<String>("backend").map(String::as_str) {
        None => Ok(None),
        Some("best") => Ok(Some(Backend::best())),
        Some(name) => Backend::named(name).map(Some).map_err(|err| BadInput::new(format!("--{err}"))),
    }
}
