//! Links, ids and the summary lead somewhere.

use crate::tiny::Tiny;
use std::fs;

#[test]
fn a_dead_link_is_named_whatever_it_points_at() {
    let cases = [
        ("[x](gone.md)", "`gone.html`: no such page or file"),
        ("[x](two.md#gone)", "`two.html#gone`: no `#gone` on two.html"),
        ("[x](#gone)", "`#gone`: no `#gone` on one.html"),
        ("[x](../../code/gone.rs)", "`../../code/gone.rs`: no such file in the repository"),
        ("<a href=\"gone.png\">x</a>", "`gone.png`: no such page or file"),
        ("![x](gone.png)", "`gone.png`: no such page or file"),
    ];
    for (text, what) in cases {
        assert_eq!(Tiny::new().problems_with(text), [format!("src/one.md:3: dead link {what}")]);
    }
}

#[test]
fn links_to_the_outside_are_not_followed() {
    let page = Tiny::new().built("[x](https://example.org/x) and [y](mailto:y@example.org)\n");
    assert!(page.contains("<a href=\"https://example.org/x\">"));
}

#[test]
fn an_id_that_stands_twice_on_a_page_is_named() {
    let problems = Tiny::new().problems_with("<p id=\"x\">a</p>\n\n<p id=\"x\">b</p>\n");
    assert_eq!(problems, ["src/one.md: the id `x` stands twice on this page"]);
}

#[test]
fn a_page_that_the_summary_forgets_is_named() {
    let tiny = Tiny::new();
    tiny.write("book/src/more/three.md", "# Three\n");
    assert_eq!(tiny.problems(), ["src/more/three.md: SUMMARY.md does not list this page"]);
}

#[test]
fn a_page_that_only_the_summary_knows_is_named_and_not_made() {
    let tiny = Tiny::new();
    fs::remove_file(tiny.folder.path().join("book/src/two.md")).unwrap();
    let problems = tiny.problems();
    assert!(problems.len() == 1 && problems[0].starts_with("src/SUMMARY.md: "), "{problems:?}");
    assert!(problems[0].contains("two.md"), "{problems:?}");
    assert!(!tiny.folder.path().join("book/src/two.md").exists());
}
