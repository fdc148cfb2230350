//! An equation has one label, and it stands wherever the equation does.

use crate::files::{root, sources, text};
use conformance::{
    outputs::{GRAD_LOGITS, OUTPUTS},
    terms::{TERMS, Term},
};
use std::collections::BTreeSet;

fn reference(term: &Term) -> String {
    text(&format!("reference/src/{}.rs", term.stem))
}

/// `gae::td_residual` is `td_residual` of `gae`.
fn split(function: &str) -> (&str, &str) {
    function.rsplit_once("::").unwrap_or_else(|| panic!("{function} names no file"))
}

/// The doc comment and attributes right before `pub fn name(`.
fn head<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    let at = source.find(&format!("\npub fn {name}("))?;
    let start = source[..at].rfind("\n\n").unwrap_or(0);
    Some(&source[start..at])
}

#[test]
fn every_label_stands_at_the_function_that_is_its_equation() {
    for term in TERMS {
        let source = reference(term);
        for equation in term.equations {
            let (stem, name) = split(equation.function);
            assert_eq!(stem, term.stem, "{} is in another file than its term", equation.label);
            let head = head(&source, name).unwrap_or_else(|| panic!("no `pub fn {name}` in {stem}.rs"));
            let alias = format!("#[doc(alias = \"{}\")]", equation.label);
            assert!(head.contains(&alias), "{name} of {stem}.rs lacks {alias}");
            let formula = head.lines().any(|line| line.starts_with("///") && line.ends_with(equation.label));
            assert!(formula, "no line of {name}'s formula ends with its label {}", equation.label);
        }
    }
}

#[test]
fn a_label_is_given_once_and_the_reference_has_no_other() {
    let labels: Vec<&str> =
        TERMS.iter().flat_map(|term| term.equations).map(|equation| equation.label).collect();
    let unique: BTreeSet<&str> = labels.iter().copied().collect();
    assert_eq!(labels.len(), unique.len(), "a label occurs twice in the table");
    for (path, source) in sources("reference/src") {
        for piece in source.split("doc(alias = \"").skip(1) {
            let label = piece.split('"').next().unwrap();
            assert!(unique.contains(label), "{path} has the alias {label}, the table has not");
        }
    }
}

#[test]
fn every_term_says_its_source_its_page_and_its_fast_path() {
    for term in TERMS {
        for equation in term.equations {
            let source = reference(term);
            let head = head(&source, split(equation.function).1).unwrap();
            for line in ["/// Source: ", "/// Book: `"] {
                assert!(head.contains(line), "{} lacks a line `{line}`", equation.function);
            }
            let pointer = head.split("Fast: ").nth(1).and_then(|rest| rest.lines().next());
            let fast = equation.fast.map(|fast| format!("`optimized::{}`", fast.function));
            let agree = match (pointer, &fast) {
                (Some(pointer), Some(fast)) => pointer.contains(fast),
                (pointer, fast) => pointer.is_none() && fast.is_none(),
            };
            assert!(agree, "{} points to {pointer:?}, the table to {fast:?}", equation.function);
        }
    }
}

#[test]
fn every_term_has_tests_that_name_its_function() {
    for term in TERMS {
        assert!(!term.tests.is_empty(), "{} has no tests", term.stem);
        for path in term.tests {
            assert!(root(&format!("tests/{path}")).is_file(), "{}: tests/{path} is missing", term.stem);
        }
        let all: String = term.tests.iter().map(|path| text(&format!("tests/{path}"))).collect();
        for equation in term.equations {
            let name = split(equation.function).1;
            assert!(all.contains(name), "no test of {} names `{name}`", term.stem);
        }
    }
}

#[test]
fn every_gradient_is_checked_in_the_file_of_its_term() {
    for (path, source) in sources("reference/src") {
        let stem = path.trim_start_matches("reference/src/").split(['/', '.']).next().unwrap();
        for piece in source.split("\npub fn ").skip(1) {
            // The one-row form is what the matrix form maps.
            let name = piece.split('(').next().unwrap().trim_end_matches("_row");
            if name.ends_with("_grad") {
                let checks = text(&format!("tests/gradients/{stem}.rs"));
                assert!(checks.contains(name), "tests/gradients/{stem}.rs does not name `{name}`");
            }
        }
    }
}

#[test]
fn every_output_of_a_dump_has_a_label_a_function_and_a_budget() {
    let labels: BTreeSet<&str> =
        TERMS.iter().flat_map(|term| term.equations).map(|equation| equation.label).collect();
    let budgets: String = sources("tests/src/budget").into_iter().map(|(_, source)| source).collect();
    for output in OUTPUTS.iter().chain([&GRAD_LOGITS]) {
        assert!(labels.contains(output.label), "{}: unknown label {}", output.name, output.label);
        let name = split(output.function).1;
        assert!(text(&output.file()).contains(&format!("pub fn {name}(")), "{} is missing", output.function);
        assert!(budgets.contains(&format!("`{}`", output.label)), "no budget names {}", output.label);
    }
}

#[test]
fn the_crate_page_lists_every_function_of_the_table() {
    let page = text("reference/src/lib.rs");
    for equation in TERMS.iter().flat_map(|term| term.equations) {
        assert!(page.contains(equation.function), "reference/src/lib.rs does not link {}", equation.function);
    }
}

#[test]
fn every_fast_term_carries_its_labels_and_stands_where_the_table_says() {
    for equation in TERMS.iter().flat_map(|term| term.equations) {
        let Some(fast) = equation.fast else { continue };
        let source = text(fast.file);
        let at = source.find(&format!("\npub fn {}", fast.function));
        let at = at.unwrap_or_else(|| panic!("no `pub fn {}` in {}", fast.function, fast.file));
        let head = &source[source[..at].rfind("\n\n").unwrap_or(0)..at];
        let alias = format!("#[doc(alias = \"{}\")]", equation.label);
        assert!(head.contains(&alias), "`{}` of {} lacks {alias}", fast.function, fast.file);
    }
}
