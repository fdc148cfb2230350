//! Golden hashes: the order of operations as numbers in the repository. A change of order, of a coefficient or
//! of a case shows here, also on a machine nobody has seen.
//!
//! `PPO_GOLDEN=write cargo test -p ppo-conformance --test differential golden` writes the file anew, which is
//! right only together with a new version of `optimized/ORDER.md` or with new cases.

use conformance::fast::{TERMS, Term};
use optimized::Backend;
use std::{collections::BTreeMap, fs, path::Path};

/// One line a case: its hash and its name.
fn lines(terms: &[&Term], on: Backend) -> Vec<String> {
    let of_term = |term: &&Term| {
        let line = |case: conformance::fast::Case| {
            format!("{:016x} {}: {}", case.plain(on).hash(), term.stem, case.name)
        };
        (term.cases)().into_iter().map(line).collect::<Vec<_>>()
    };
    terms.iter().flat_map(of_term).collect()
}

#[test]
fn golden_hashes_are_those_of_the_file() {
    // As it was when this was compiled, since a program that was carried elsewhere has no file.
    let mut text = include_str!("../golden.txt").to_owned();
    if std::env::var_os("PPO_GOLDEN").is_some_and(|value| value == "write") {
        text = lines(&TERMS.iter().collect::<Vec<_>>(), Backend::available()[0]).join("\n") + "\n";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("differential/golden.txt");
        fs::write(path, &text).expect("golden.txt is writable");
    }
    let by_name: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once(' ')).map(|(a, b)| (b, a)).collect();
    for on in Backend::available() {
        let there: Vec<&Term> = TERMS.iter().filter(|term| on.has(term.stem)).collect();
        let lines = lines(&there, on);
        for line in &lines {
            let (hash, name) = line.split_once(' ').expect("a hash and a name");
            let golden = by_name.get(name).unwrap_or_else(|| panic!("golden.txt has no line for {name}"));
            assert_eq!(&hash, golden, "{on}, {name}");
        }
        let of_there = |line: &&str| {
            let stem = line.split_once(' ').and_then(|(_, name)| name.split_once(':'));
            stem.is_some_and(|(stem, _)| on.has(stem))
        };
        let golden = text.lines().filter(of_there).count();
        assert_eq!(lines.len(), golden, "golden.txt has lines of cases that are gone");
    }
}
