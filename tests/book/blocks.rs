//! What stands in the place of a directive, and what a directive that asks for nothing is told.

use crate::tiny::Tiny;
use std::fs;

#[test]
fn an_output_is_one_section_of_a_transcript() {
    let tiny = Tiny::new();
    tiny.write("book/listings/gae.txt", "── one ──\na < b\n\n── two ──\nc\n");
    let page = tiny.built("{{#output gae one}}\n");
    assert!(page.contains("a &lt; b\n</code>") && !page.contains("── "), "{page}");
}

#[test]
fn what_is_not_there_is_named() {
    let tiny = Tiny::new();
    tiny.write("book/listings/gae.txt", "── one ──\na\n");
    for (directive, why) in [
        ("output gae three", "no section three in listings/gae.txt"),
        ("output gone one", "cannot read listings/gone.txt: entity not found"),
        ("output gae", "it must name an example and a section"),
        ("equation eq:gone", "the table of terms has no label `eq:gone`"),
        ("record gone work", "cannot read benches/results/gone.md: entity not found"),
    ] {
        let problems = tiny.problems_with(&format!("{{{{#{directive}}}}}\n"));
        assert_eq!(problems, [format!("src/one.md:3: `{{{{#{directive}}}}}`: {why}")]);
    }
    let problems = tiny.problems_with("{{#figure gone}}\n");
    assert!(problems.len() == 1 && problems[0].contains("the figures are "), "{problems:?}");
}

#[test]
fn a_record_says_its_machine_and_command() {
    let tiny = Tiny::new();
    let text =
        "| CPU | a CPU |\n| command | `bench` |\n\n### gae, 1 × 2\n\n| a |\n|---|\n| 0.25 |\n\n### other\n";
    tiny.write("benches/results/ladder.md", text);
    let page = tiny.built("{{#record ladder gae}}\n\nIt took 0.25.\n");
    for part in [
        "<td>0.25</td>",
        "a CPU; medians, recorded by <code>bench</code>",
        "code/benches/results/ladder-md.html",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let problems = tiny.problems_with("{{#record ladder gone}}\n");
    assert!(
        problems.len() == 1 && problems[0].ends_with("benches/results/ladder has no work `gone`"),
        "{problems:?}"
    );
}

#[test]
fn a_link_to_a_source_file_leads_to_its_page_in_the_book() {
    let tiny = Tiny::new();
    tiny.write("book/src/deep/three.md", "# Three\n\n[code](../../../code/gae.rs)\n");
    tiny.write(
        "book/src/SUMMARY.md",
        "# Summary\n\n- [One](one.md)\n- [Two](two.md)\n- [Three](deep/three.md)\n",
    );
    let page = tiny.built("[the sum](../../code/gae.rs#L3)\n");
    assert!(page.contains("href=\"code/code/gae.rs.html#L3\""), "{page}");
    let page = fs::read_to_string(tiny.out().join("deep/three.html")).unwrap();
    assert!(page.contains("href=\"../code/code/gae.rs.html\""), "{page}");
    let code = fs::read_to_string(tiny.out().join("code/code/gae.rs.html")).unwrap();
    for part in
        ["let a = 1;", "href=\"../../code/code.css\"", "<a href=\"../../one.html\">One</a>", "Three</a>"]
    {
        assert!(code.contains(part), "{part}: {code}");
    }
    assert!(tiny.out().join("code/code.css").is_file());
    let dead = tiny.problems_with("[the sum](../../code/gae.rs#gone)\n");
    assert!(dead.len() == 1 && dead[0].contains("no `#gone` on code/code/gae.rs.html"), "{dead:?}");
}

#[test]
fn what_leaves_the_book_in_another_way_is_named() {
    let why = "only a Markdown link to a file can leave the book";
    for text in ["<a href=\"../../code/gae.rs\">x</a>", "[x](../../code)"] {
        let problems = Tiny::new().problems_with(text);
        assert!(problems.len() == 1 && problems[0].ends_with(why), "{problems:?}");
    }
}
