//! What the fuzz targets share: an input as a command line and a file, what the command may print, and a mutator that
//! knows where a header ends.

#[path = "../../src/command/mod.rs"]
#[allow(dead_code, reason = "the subcommands that read no dump are not fuzzed")]
mod command;
pub mod made;
pub mod mutate;

use command::table::one_line;
use conformance::dump::{BadInput, Key};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

/// A folder of this process; it goes away with the system's temporary files.
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| tempfile::tempdir().expect("a temporary folder").keep());

/// How the lines begin that are flags of `ppo check` and no settings.
const OF_CHECK: [&str; 2] = ["rows=", "compute-dtype="];

/// An input of the targets that read bytes: settings, one `key=value` a line, an empty line, then the dump.
#[derive(Debug)]
pub struct Input<'a> {
    /// The settings, as flags of the command.
    pub flags: Vec<String>,
    /// Flags that `ppo check` alone has.
    pub of_check: Vec<String>,
    /// The bytes of the file.
    pub dump: &'a [u8],
}

impl<'a> Input<'a> {
    /// Where no empty line comes, there are no settings.
    pub fn of(bytes: &'a [u8]) -> Input<'a> {
        let end = bytes.windows(2).position(|pair| pair == b"\n\n");
        let text = end.and_then(|end| std::str::from_utf8(&bytes[..end]).ok());
        let (flags, of_check) = (Vec::new(), Vec::new());
        let (Some(end), Some(text)) = (end, text) else { return Input { flags, of_check, dump: bytes } };
        let of_check = text.lines().filter(|line| OF_CHECK.iter().any(|flag| line.starts_with(flag)));
        Input {
            flags: text.lines().filter_map(flag).collect(),
            of_check: of_check.map(|line| format!("--{line}")).collect(),
            dump: &bytes[end + 2..],
        }
    }
}

/// `key=value` as a flag; none where it is no setting, so that no text of an input names a file.
pub fn flag(line: &str) -> Option<String> {
    let (key, value) = line.split_once('=')?;
    let key = Key::find(&key.replace('-', "_"))?.name.replace('_', "-");
    Some(format!("--{key}={value}"))
}

/// The file of this process with that name, and these bytes.
pub fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = FOLDER.join(name);
    fs::write(&path, bytes).expect("the dump of a fuzz target");
    path
}

/// An empty folder of this process.
pub fn folder() -> PathBuf {
    let path = FOLDER.join("folder");
    match fs::remove_dir_all(&path) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => panic!("{}: {err}", path.display()),
        _ => fs::create_dir(&path).expect("the folder of a fuzz target"),
    }
    path
}

/// `ppo step` on a file: what it prints, or the one sentence of its refusal.
pub fn step(file: &Path, flags: &[String]) -> Result<String, String> {
    let Ok(matches) = command::step::command().try_get_matches_from(line("step", &[file], flags)) else {
        return Err("a flag of the command".to_owned());
    };
    said(command::step::run(&matches))
}

/// `ppo check` on the files of one batch, in one of its formats, which must be well formed, whatever they call their tensors.
pub fn check(files: &[&Path], flags: &[String], which: usize) {
    let format = ["text", "json", "junit", "markdown"][which % 4];
    let flags = [flags, &[format!("--format={format}")]].concat();
    let Ok(matches) = command::check::command().try_get_matches_from(line("check", files, &flags)) else {
        return;
    };
    let Ok(said) = said(command::check::run(&matches).map(|outcome| outcome.text)) else { return };
    match format {
        "json" => drop(serde_json::from_str::<serde_json::Value>(&said).expect("JSON")),
        "junit" => drop(roxmltree::Document::parse(&said).expect("XML")),
        _ => {}
    }
}

/// A command line.
fn line(subcommand: &str, files: &[&Path], flags: &[String]) -> Vec<OsString> {
    let files = files.iter().map(|file| file.as_os_str().to_owned());
    [subcommand.into()].into_iter().chain(files).chain(flags.iter().map(Into::into)).collect()
}

/// Text that a terminal may be sent: no control character but the ends of lines, in a refusal not even those.
fn said(result: Result<String, BadInput>) -> Result<String, String> {
    let printable = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n');
    match result {
        Ok(text) => {
            assert!(!text.is_empty() && printable(&text), "{text:?}");
            Ok(text)
        }
        Err(err) => {
            let text = err.to_string();
            assert!(!text.is_empty() && one_line(&text).chars().count() < 2000, "{text:?}");
            Err(text)
        }
    }
}
