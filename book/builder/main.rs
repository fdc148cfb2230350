//! The command `ppo-book`: builds the book and shows it in a browser, or only writes it and says all that is wrong.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

const USAGE: &str = "usage: ppo-book [--out DIR]";

fn main() -> ExitCode {
    let root = shown_from_here(Path::new(env!("CARGO_MANIFEST_DIR")));
    match out_of(env::args_os().skip(1)) {
        Ok(Some(out)) => write(&root, &out),
        Ok(None) => serve(&root),
        Err(sentence) => refuse(&sentence),
    }
}

fn write(root: &Path, out: &Path) -> ExitCode {
    match book::build(root, out) {
        Ok(built) => {
            let pages = if built.pages == 1 { "page" } else { "pages" };
            println!("{} {pages} in {}", built.pages, built.out.display());
            ExitCode::SUCCESS
        }
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            ExitCode::from(1)
        }
    }
}

fn serve(root: &Path) -> ExitCode {
    let out = root.join("out");
    if let Err(problem) = book::check_out(&out) {
        return refuse(&problem.to_string());
    }
    match book::serve(root, &out, |line| println!("{line}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(&format!("cannot listen on 127.0.0.1: {error}")),
    }
}

fn refuse(sentence: &str) -> ExitCode {
    eprintln!("ppo-book: {sentence}");
    ExitCode::from(2)
}

/// The folder to write to if the arguments name one, or a sentence about them.
fn out_of(mut args: impl Iterator<Item = OsString>) -> Result<Option<PathBuf>, String> {
    let out: PathBuf = match args.next() {
        None => return Ok(None),
        Some(flag) if flag == "--out" => {
            let dir = args.next().filter(|dir| !dir.is_empty());
            dir.ok_or(format!("--out needs a folder; {USAGE}"))?.into()
        }
        Some(other) => return Err(format!("{} is not an argument; {USAGE}", other.display())),
    };
    if let Some(more) = args.next() {
        return Err(format!("{} is one argument too many; {USAGE}", more.display()));
    }
    book::check_out(&out).map_err(|problem| problem.to_string())?;
    Ok(Some(out))
}

/// The path as seen from the working folder, so that problems are printed with short paths.
fn shown_from_here(path: &Path) -> PathBuf {
    let here = env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(short) if !short.as_os_str().is_empty() => short.to_path_buf(),
        _ => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_name_one_folder_or_are_refused_in_a_sentence() {
        let out = |args: &[&str]| out_of(args.iter().map(OsString::from));
        assert_eq!(out(&[]), Ok(None));
        assert_eq!(out(&["--out", "/no/where"]), Ok(Some("/no/where".into())));
        for (args, start) in [
            (&["--out"][..], "--out needs a folder"),
            (&["--out", ""], "--out needs a folder"),
            (&["/no/where"], "/no/where is not an argument"),
            (&["--out", "/no/where", "x"], "x is one argument too many"),
            (&["--out", env!("CARGO_MANIFEST_DIR")], env!("CARGO_MANIFEST_DIR")),
        ] {
            let sentence = out(args).unwrap_err();
            assert!(sentence.starts_with(start), "{sentence}");
        }
    }
}
