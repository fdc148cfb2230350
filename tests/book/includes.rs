//! Code comes from files that cargo compiles, by directives that are all understood.

use crate::tiny::{Tiny, listing};

#[test]
fn a_missing_include_file_is_named() {
    let problems = Tiny::new().problems_with(&listing("{{#include ../../code/gone.rs:sum}}"));
    let want = "src/one.md:4: `{{#include ../../code/gone.rs:sum}}`: cannot read ../../code/gone.rs: entity not found";
    assert_eq!(problems, [want]);
}

#[test]
fn a_missing_anchor_is_named_for_both_directives() {
    for directive in ["include", "rustdoc_include"] {
        let problems =
            Tiny::new().problems_with(&listing(&format!("{{{{#{directive} ../../code/gae.rs:gone}}}}")));
        let what = format!("`{{{{#{directive} ../../code/gae.rs:gone}}}}`: no anchor gone in that file");
        assert_eq!(problems, [format!("src/one.md:4: {what}")]);
    }
}

#[test]
fn an_anchor_that_is_never_closed_is_named() {
    let problems = Tiny::new().problems_with(&listing("{{#include ../../code/gae.rs:open}}"));
    assert_eq!(
        problems,
        ["src/one.md:4: `{{#include ../../code/gae.rs:open}}`: anchor open is never closed"]
    );
}

#[test]
fn a_range_of_lines_must_lie_in_the_file() {
    let sound = ["1", "3:4", "4:", ":5", "5:5"];
    let unsound =
        [("6", "6 to 6"), ("3:9", "3 to 9"), ("4:3", "4 to 3"), ("0:2", "0 to 2"), (":6", "1 to 6")];
    let tiny = Tiny::new();
    for range in sound {
        assert_eq!(
            tiny.problems_with(&listing(&format!("{{{{#include ../../code/gae.rs:{range}}}}}"))),
            [""; 0]
        );
    }
    for (range, shown) in unsound {
        let directive = format!("{{{{#include ../../code/gae.rs:{range}}}}}");
        let want = format!("src/one.md:4: `{directive}`: lines {shown} of a file of 5");
        assert_eq!(tiny.problems_with(&listing(&directive)), [want]);
    }
}

#[test]
fn an_included_text_may_not_include_more() {
    let tiny = Tiny::new();
    tiny.write("code/notes.txt", "{{#include gone.txt}}\n");
    let problems = tiny.problems_with("{{#include ../../code/notes.txt}}\n");
    let what = "the included text holds `{{#include gone.txt}}`, which nobody checks";
    assert_eq!(problems, [format!("src/one.md:3: `{{{{#include ../../code/notes.txt}}}}`: {what}")]);
}

#[test]
fn a_directive_that_would_be_printed_is_left_over() {
    let left_over = "is left over: this book knows include, rustdoc_include, map, terms, equation, output, figure, record, choices, dialects, widget only";
    let cases = [
        ("{{#inlcude ../../code/gae.rs}}\n", format!("`{{{{#inlcude ../../code/gae.rs}}}}` {left_over}")),
        ("{{#playground x.rs}}\n", format!("`{{{{#playground x.rs}}}}` {left_over}")),
        ("so {{#terms}}\n", "`{{#terms}}` must be the whole of its line".into()),
        ("\\{{#include x}}\n", "`{{#include x}}` is escaped, so it would be printed as it stands".into()),
    ];
    for (text, what) in cases {
        assert_eq!(Tiny::new().problems_with(text), [format!("src/one.md:3: {what}")]);
    }
}

#[test]
fn rust_in_the_page_must_come_from_a_compiled_file() {
    let tiny = Tiny::new();
    let what = "include it from a file that cargo compiles";
    for line in ["let a = 1;", "{{#include ../../code/gae.txt}}"] {
        tiny.write("code/gae.txt", "let a = 1;\n");
        let problems =
            tiny.problems_with(&format!("- in a list\n\n  {}", listing(line).replace('\n', "\n  ")));
        assert_eq!(problems, [format!("src/one.md:5: a rust block with `{line}`: {what}")]);
    }
    assert_eq!(tiny.problems_with("```text\nlet a = 1;\n```\n"), [""; 0]);
}
