//! A symbol has one meaning, and no formula has a symbol of its own.

use crate::files::{sources, text};
use std::collections::BTreeSet;

/// The first column of every table that is headed `symbol`, in a page or in the lines of a comment.
fn symbols(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut in_table = false;
    for line in text.lines().map(|line| line.trim_start_matches(['/', '!', ' '])) {
        let first = line.split('|').nth(1).unwrap_or("").trim();
        if first == "symbol" {
            in_table = true;
        } else if !line.starts_with('|') {
            in_table = false;
        } else if in_table && !first.starts_with('-') {
            all.extend(first.split(", ").filter(|symbol| !symbol.is_empty()));
        }
    }
    all
}

#[test]
fn no_symbol_stands_in_two_rows_of_the_notation() {
    let notation = text("reference/src/notation.md");
    let mut seen = BTreeSet::new();
    for symbol in symbols(&notation) {
        assert!(seen.insert(symbol), "notation.md has two meanings for {symbol}");
    }
    assert!(seen.contains("Â"), "notation.md has no table of symbols: {seen:?}");
}

#[test]
fn every_symbol_of_a_function_stands_in_the_notation() {
    let notation = text("reference/src/notation.md");
    let known: BTreeSet<&str> = symbols(&notation).into_iter().collect();
    for (path, source) in sources("reference/src") {
        for symbol in symbols(&source) {
            assert!(known.contains(symbol), "{path} has the symbol {symbol}, notation.md has not");
        }
    }
}
