//! Formulas are set, and what cannot be is named.

use crate::tiny::Tiny;
use conformance::terms::TERMS;

#[test]
fn a_formula_that_cannot_be_set_is_named() {
    let problems = Tiny::new().problems_with("Good $x$.\n\n$$ \\frac{1} $$\n");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("src/one.md:5: formula `\\frac{1}`: "), "{problems:?}");
}

#[test]
fn a_dollar_that_begins_no_formula_is_named() {
    for text in ["$$ \\frac{1}{ $$", "one $x", "spaced $ x $ out"] {
        let problems = Tiny::new().problems_with(&format!("Good $x$, \\$5, `$`.\n\n{text}\n"));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].starts_with(&format!("src/one.md:5: formula `{text}`: this is no formula: ")),
            "{problems:?}"
        );
    }
}

#[test]
fn a_label_that_the_table_of_terms_lacks_is_named() {
    let tag = |label: &str| format!("$$ \\begin{{equation}} x \\tag{{{label}}} \\end{{equation}} $$\n");
    let problems = Tiny::new().problems_with(&tag("eq:gone"));
    let what = "the table of terms has no label `eq:gone`";
    assert_eq!(
        problems,
        [format!("src/one.md:3: formula `{}`: {what}", tag("eq:gone").trim().trim_matches('$').trim())]
    );

    let known = TERMS[0].equations[0].label;
    let id = known.replace(':', "-");
    assert!(Tiny::new().built(&tag(known)).contains(&format!("<span id=\"{id}\"></span><math")));
}

#[test]
fn formulas_are_set_in_paragraphs_lists_and_tables_and_left_alone_in_code() {
    let text = "A $a$ b.\n\n- $x|y$\n\n| h |\n|---|\n| $x_1$ |\n\n$$ z $$\n\n`$code$`\n\n```text\n$$ block $$\n```\n";
    let page = Tiny::new().built(text);
    let main = page.split("<main>").nth(1).unwrap();
    assert_eq!(main.matches("<math").count(), 4);
    assert!(main.contains("<math display=\"block\">"));
    assert!(main.contains("<code>$code$</code>") && main.contains("$$ block $$"));
}

#[test]
fn no_markdown_is_read_in_a_formula() {
    let text = "| h | k |\n|---|---|\n| $\\text{*a*, \\_c\\_, [e](f)}$ | $\\lvert x \\rvert$ |\n";
    let page = Tiny::new().built(text).replace('\u{a0}', " ");
    assert!(page.contains("<mtext>*a*, _c_, [e](f)</mtext>"), "{page}");
    assert!(page.contains("<td><math><mo") && page.contains("<mi>x</mi>"), "{page}");
}
