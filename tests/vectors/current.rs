//! The files are what `ppo bless` writes.

use crate::file::folder;
use conformance::vectors::{file, terms::TERMS};
use std::{collections::BTreeSet, fs};

#[test]
fn every_file_is_current() {
    for term in TERMS {
        let path = folder().join(format!("{}.json", term.stem));
        let old = fs::read_to_string(&path).unwrap_or_default();
        // Not `assert_eq`: it would print both files whole.
        assert!(old == file(term).unwrap(), "{}.json is old: cargo run --release -- bless", term.stem);
    }
}

#[test]
fn no_file_is_of_another_term() {
    let known: BTreeSet<String> = TERMS.iter().map(|term| format!("{}.json", term.stem)).collect();
    let names =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for name in names.filter(|name| name.ends_with(".json") && name != "schema.json") {
        assert!(known.contains(&name), "{name} is written by no term");
    }
}
