//! What goes into the built file: code, manifests and the versions of two crates; no comment and no test.

use sha2::{Digest, Sha256};
use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

/// The hash of the sources, in hexadecimal.
pub(crate) fn hash() -> String {
    let mut text = String::new();
    for file in files() {
        let source = fs::read_to_string(root().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        writeln!(text, "{file}\n{}", code(&file, &source)).expect("a String takes all");
    }
    let digest = Sha256::digest(text + &versions());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Paths from the root of the repository, in order.
fn files() -> Vec<String> {
    let mut all: Vec<String> =
        ["book/wasm/build.sh", "book/wasm/Cargo.toml", "reference/Cargo.toml"].map(String::from).to_vec();
    let mut folders = vec!["book/wasm/src".to_string(), "reference/src".to_string()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root().join(&folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
        for entry in entries {
            let entry = entry.expect("an entry of a folder that was just read");
            let path = format!("{folder}/{}", entry.file_name().display());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.ends_with(".rs") {
                all.push(path);
            }
        }
    }
    all.sort();
    all
}

/// A Rust file without its comments and its tests, which stand at its end.
pub(crate) fn code(file: &str, source: &str) -> String {
    if !file.ends_with(".rs") {
        return source.into();
    }
    let source = source.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = source.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code).trim_end());
    lines.filter(|line| !line.trim().is_empty()).map(|line| format!("{line}\n")).collect()
}

/// The versions of the two crates whose code is in the file.
fn versions() -> String {
    let lock = fs::read_to_string(root().join("Cargo.lock")).expect("the lock file");
    let entries = lock.split("\n\n").map(str::trim);
    let ours = |entry: &&str| {
        ["libm", "nalgebra"].iter().any(|name| entry.contains(&format!("\nname = \"{name}\"\n")))
    };
    let version = |entry: &str| entry.lines().take(3).map(|line| format!("{line}\n")).collect::<String>();
    entries.filter(ours).map(version).collect()
}
