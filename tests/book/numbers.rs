//! A number in prose was printed by a listing, stands in a record, or is declared with its source.

use crate::tiny::Tiny;

/// A book with one transcript.
fn with_listing() -> Tiny {
    let tiny = Tiny::new();
    tiny.write("book/listings/gae.txt", "── deltas ──\nδ   0.500   -0.125\n\n── far ──\n5.6e-23\n");
    tiny
}

const OUTPUT: &str = "{{#output gae deltas}}\n";

#[test]
fn a_number_that_nothing_prints_is_named() {
    for text in ["It is 0.25.", "It is $x = 0.25$.", "It is `0.25`.", "| a |\n|---|\n| 0.25 |"] {
        let problems = with_listing().problems_with(&format!("{OUTPUT}\n{text}\n"));
        let what = "no listing of this page prints 0.25: show it, or declare it as cited";
        assert!(problems.len() == 1 && problems[0].ends_with(what), "{text}: {problems:?}");
    }
}

#[test]
fn a_number_of_any_section_counts_without_sign_and_closing_zeros() {
    let text =
        format!("{OUTPUT}\nIt is $0.5$, −0.125 or 5.6e-23; 12 is no decimal and v0.7 none, 1.2.3 neither.\n");
    assert_eq!(with_listing().problems_with(&text), [""; 0]);
}

#[test]
fn a_number_of_another_page_does_not_count() {
    let tiny = with_listing();
    tiny.write("book/src/two.md", "# Two\n\nIt is 0.5.\n");
    let what = "src/two.md:3: no listing of this page prints 0.5: show it, or declare it as cited";
    assert_eq!(tiny.problems_with(OUTPUT), [what]);
}

#[test]
fn what_is_declared_needs_a_source_and_a_use() {
    let tiny = Tiny::new();
    let page = |head: &str| {
        tiny.write("book/src/two.md", &format!("<!-- cited\n{head}\n-->\n# Two\n\nIt is 0.95.\n"));
        tiny.problems()
    };
    assert_eq!(page("0.95: the default of someone"), [""; 0]);
    let idle = "src/two.md:1: 0.2 is declared as cited, and no text of this page needs that";
    assert_eq!(page("0.95 0.2: defaults"), [idle]);
    let problems = page("0.95");
    assert!(
        problems.iter().any(|each| each.contains("must be numbers, a colon and their source")),
        "{problems:?}"
    );
    assert!(problems.iter().any(|each| each.contains("no listing of this page prints 0.95")), "{problems:?}");
}
