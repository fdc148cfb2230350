//! Every promise of the command `ppo`, on the real binary.
//!
//! | file | holds |
//! |---|---|
//! | `main_job` | no argument: the training, its charts, the last step, the next three commands |
//! | `sample_job` | `sample`: the tables beside PyTorch's numbers, the departures, exit code 1 |
//! | `claims` | `claims`: what the post claims, measured |
//! | `check` | a dump's own outputs judged: what is said, exit codes 0, 1 and 2 |
//! | `action` | the GitHub Action's steps: exit codes, summary, report |
//! | `dump` | `dump --python`: its lines write a dump in real PyTorch |
//! | `step` | the terms of a dump beside its own outputs; names, dtypes, settings |
//! | `backend` | `step --backend`: the fast path, alike on every backend; what it refuses |
//! | `json`, `out` | `--json`, `--out` |
//! | `partial` | what a smaller dump lacks, and the sentence for it |
//! | `refusals` | bad input: one line, exit code 2, little memory |
//! | `memory` | README's bound on memory, under a limit of address space |
//! | `shell` | what a shell does to it: pipes, unknown words, versions |

mod action;
mod backend;
mod check;
mod claims;
mod dump;
mod dumps;
mod json;
mod main_job;
mod memory;
mod out;
mod partial;
mod refusals;
mod sample_job;
mod shell;
mod step;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// What a run of the command did.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn from(output: Output) -> Ran {
        let text = |bytes| String::from_utf8(bytes).expect("ppo prints UTF-8");
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Its output, after holding that all went well.
    #[track_caller]
    fn fine(self) -> String {
        assert_eq!((self.code, self.err.as_str()), (Some(0), ""), "{}", self.out);
        self.out
    }

    /// Its sentence, after holding that it was refused as promised.
    #[track_caller]
    fn refused(self) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(2), ""), "{}", self.err);
        let line = self.err.strip_suffix('\n').expect("a line ends");
        assert!(line.starts_with("ppo: ") && !line.contains(['\n', '\r', '\u{1b}']), "{line:?}");
        assert!(!line.contains("panicked"), "{line}");
        line.to_owned()
    }
}

/// Runs it in the repository's root, with an end: a command that waits for input has failed.
fn run(mut command: Command) -> Ran {
    const PATIENCE: Duration = Duration::from_secs(60);
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.current_dir(root()).spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |from: &mut dyn std::io::Read| {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).unwrap();
        bytes
    };
    std::thread::scope(|scope| {
        let (stdout, stderr) = (scope.spawn(|| read(&mut out)), scope.spawn(|| read(&mut err)));
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if start.elapsed() > PATIENCE {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{command:?} does not end");
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        Ran::from(Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() })
    })
}

fn ppo(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ppo"));
    command.args(args);
    run(command)
}

/// `ppo step FILE` with more flags.
fn step(file: &Path, flags: &[&str]) -> Ran {
    ppo([OsStr::new("step"), file.as_os_str()].into_iter().chain(flags.iter().map(OsStr::new)))
}

/// The same under a limit of address space, which is never less than the memory it uses.
fn step_within(bytes: u64, file: &Path, flags: &[&str]) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v \"$1\" || exit 99; shift; exec \"$@\"", "sh"]);
    command.arg((bytes / 1024).to_string()).arg(env!("CARGO_BIN_EXE_ppo")).arg("step").arg(file).args(flags);
    run(command)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn sample(name: &str) -> PathBuf {
    root().join("tests/samples").join(name)
}
