//! The command `ppo-book`: builds the book and says where it is, or all that is wrong with it.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
};

const USAGE: &str = "usage: ppo-book [--out DIR]";

fn main() -> ExitCode {
    let root = shown_from_here(Path::new(env!("CARGO_MANIFEST_DIR")));
    let out = match out_of(env::args_os().skip(1), &root) {
        Ok(out) => out,
        Err(sentence) => {
            eprintln!("ppo-book: {sentence}");
            return ExitCode::from(2);
        }
    };
    match book::build(&root, &out) {
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

/// The folder that the arguments name, or a sentence about them.
fn out_of(mut args: impl Iterator<Item = OsString>, root: &Path) -> Result<PathBuf, String> {
    let out = match args.next() {
        None => root.join("out"),
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
    Ok(out)
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
        let out = |args: &[&str]| out_of(args.iter().map(OsString::from), Path::new("/no/book"));
        assert_eq!(out(&[]), Ok("/no/book/out".into()));
        assert_eq!(out(&["--out", "/no/where"]), Ok("/no/where".into()));
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
