//! The workspace as text.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A path from the root of the workspace.
pub(crate) fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(path)
}

/// The text of a file.
pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|err| panic!("{path}: {err}"))
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root(folder)).unwrap_or_else(|err| panic!("{folder}: {err}"));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every Rust file of a folder and its folders, with its text.
pub(crate) fn sources(folder: &str) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for name in names(folder) {
        let path = format!("{folder}/{name}");
        if root(&path).is_dir() {
            all.extend(sources(&path));
        } else if name.ends_with(".rs") {
            all.push((path.clone(), text(&path)));
        }
    }
    all
}
