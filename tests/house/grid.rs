//! Rows are terms, columns are crates: what a fast term still lacks is said at once, by file.

use crate::files::{sources, text};
use conformance::terms::{Equation, TERMS, Term};

/// A file, and how the stem of a fast term stands in it.
type Place = (&'static str, fn(&str) -> String);

const BY_STEM: [Place; 7] = [
    ("tests/src/fast/mod.rs", |stem| format!("\n    {stem}::TERM,")),
    ("tests/differential/golden.txt", |stem| format!(" {stem}: ")),
    ("optimized/src/lib.rs", |stem| format!("\nmod {stem};")),
    ("optimized/src/cuda/mod.rs", |stem| format!("\n    \"{stem}\",")),
    ("benches/ladder/main.rs", |stem| format!("\n    (\"{stem}\", ")),
    ("tests/src/vectors/terms/mod.rs", |stem| format!("stem: \"{stem}\",")),
    ("tests/vectors/plain_ppo.py", |stem| format!("\ndef {stem}(")),
];

/// A term that a file has under another stem.
const WITHIN: [(&str, &str, &str); 2] = [
    // One pass over the logits gives both.
    ("log_prob", "benches/ladder/main.rs", "token_pass"),
    ("entropy", "benches/ladder/main.rs", "token_pass"),
];

/// Every Rust file of a folder as one text.
fn whole(folder: &str) -> String {
    sources(folder).into_iter().map(|(_, source)| source).collect()
}

/// Whether a function of exactly this name is called, or defined.
fn calls(text: &str, name: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(&format!("{name}(")).any(|(at, _)| !text[..at].ends_with(inside))
}

/// The name of the function that is an equation.
fn name(equation: &Equation) -> &str {
    equation.function.rsplit("::").next().unwrap_or(equation.function)
}

/// What a fast term lacks.
fn lacks(term: &Term, by_label: &[(&str, String)], by_function: &[(&str, String)]) -> Vec<String> {
    let mut all = Vec::new();
    for (file, mark) in BY_STEM {
        let within = WITHIN.iter().find(|(stem, place, _)| (*stem, *place) == (term.stem, file));
        let mark = mark(within.map_or(term.stem, |(_, _, stem)| stem));
        if !text(file).contains(&mark) {
            all.push(format!("{file} has no `{}`", mark.trim()));
        }
    }
    for (place, text) in by_label {
        if !term.equations.iter().any(|equation| text.contains(&format!("`{}`", equation.label))) {
            all.push(format!("{place} names none of its labels"));
        }
    }
    for (place, text) in by_function {
        if !term.equations.iter().any(|equation| calls(text, name(equation))) {
            all.push(format!("{place} calls none of its functions"));
        }
    }
    all
}

#[test]
fn a_fast_term_stands_in_every_column() {
    let by_label =
        [("optimized/ORDER.md", text("optimized/ORDER.md")), ("tests/src/budget", whole("tests/src/budget"))];
    let by_function = ["tests/properties/poison", "tests/properties/refusals"].map(|at| (at, whole(at)));
    let mut missing = String::new();
    for term in TERMS.iter().filter(|term| term.equations.iter().any(|equation| equation.fast.is_some())) {
        for what in lacks(term, &by_label, &by_function) {
            missing.push_str(&format!("\n{}: {what}", term.stem));
        }
    }
    assert!(missing.is_empty(), "CONTRIBUTING.md says what belongs there{missing}");
}
