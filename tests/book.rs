//! The book stands, and each way in which a book can be wrong is seen and named.

use conformance::terms::TERMS;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// A sound book of two pages beside one source file, to be broken in one place by each test.
struct Tiny {
    folder: TempDir,
}

impl Tiny {
    fn new() -> Tiny {
        let tiny = Tiny { folder: tempfile::tempdir().unwrap() };
        tiny.write(
            "code/gae.rs",
            "//! Two lines.\n// ANCHOR: sum\nlet a = 1;\n// ANCHOR_END: sum\n// ANCHOR: open\n",
        );
        tiny.write(
            "book/book.toml",
            "[book]\ntitle = \"Tiny\"\n[output.html.playground]\nrunnable = false\n",
        );
        tiny.write("book/src/SUMMARY.md", "# Summary\n\n- [One](one.md)\n- [Two](two.md)\n");
        tiny.write("book/src/two.md", "# Two\n");
        tiny.one("A formula $x$, [a page](two.md#two), [a file](../../code/gae.rs).\n");
        tiny
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The first page, with this text from its third line on.
    fn one(&self, text: &str) {
        self.write("book/src/one.md", &format!("# One\n\n{text}"));
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("book/out")
    }

    /// What is wrong, with paths as they are in the book.
    fn problems(&self) -> Vec<String> {
        let root = self.folder.path().join("book");
        let shown =
            |problem: &book::Problem| problem.to_string().replace(&format!("{}/", root.display()), "");
        let problems = book::build(&root, &self.out()).err().unwrap_or_default();
        problems.iter().map(shown).collect()
    }

    /// What is wrong when the first page has this text from its third line on.
    fn problems_with(&self, text: &str) -> Vec<String> {
        self.one(text);
        self.problems()
    }

    /// The first page as built.
    fn built(&self, text: &str) -> String {
        assert_eq!(self.problems_with(text), [""; 0]);
        fs::read_to_string(self.out().join("one.html")).unwrap()
    }
}

/// A Rust block of the page that holds this line.
fn listing(line: &str) -> String {
    format!("```rust,ignore\n{line}\n```\n")
}

fn real_book() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../book"))
}

#[test]
fn the_book_stands() {
    let out = tempfile::tempdir().unwrap();
    match book::build(real_book(), out.path()) {
        Ok(built) => assert!(built.pages > 0 && out.path().join("step.html").is_file()),
        Err(problems) => panic!("{}", problems.iter().map(|each| format!("{each}\n")).collect::<String>()),
    }
}

#[test]
fn the_first_page_shows_every_equation_with_its_label_formula_and_function() {
    let out = tempfile::tempdir().unwrap();
    book::build(real_book(), out.path()).unwrap();
    let page = fs::read_to_string(out.path().join("step.html")).unwrap();
    for term in TERMS {
        assert!(
            page.contains(&format!("id=\"{}\"", term.stem.replace('_', "-"))),
            "no card of {}",
            term.stem
        );
        for equation in term.equations {
            let (label, id) = (equation.label, equation.label.replace(':', "-"));
            let start = page.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no figure of {label}"));
            let figure = page[start..].split("</figure>").next().unwrap();
            for part in ["<math display=\"block\"", &format!(">{label}</a>"), equation.function] {
                assert!(figure.contains(part), "{label} lacks {part}: {figure}");
            }
            let file =
                figure.split("class=\"file\">").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
            assert!(
                real_book().join("..").join(file).is_file(),
                "{label} names {file}, which does not exist"
            );
        }
    }
}

#[test]
fn a_sound_book_is_built_and_its_pages_are_counted() {
    let tiny = Tiny::new();
    let built = book::build(&tiny.folder.path().join("book"), &tiny.out()).unwrap();
    assert_eq!((built.pages, built.out), (2, tiny.out()));
}

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
    let left_over = "is left over: this book knows include, rustdoc_include, terms only";
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
fn an_id_that_stands_twice_on_a_page_is_named() {
    let problems = Tiny::new().problems_with("<p id=\"x\">a</p>\n\n<p id=\"x\">b</p>\n");
    assert_eq!(problems, ["src/one.md: the id `x` stands twice on this page"]);
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

#[test]
fn no_page_makes_a_browser_fetch_from_outside() {
    let cases = [
        ("![x](https://example.org/x.png)\n", "https://example.org/x.png"),
        ("<img src=\"//example.org/x.png\">\n", "//example.org/x.png"),
        ("<img srcset=\"HTTP://example.org/x.png 2x\">\n", "HTTP://example.org/x.png"),
        ("<script src=\"https://example.org/x.js\"></script>\n", "https://example.org/x.js"),
        ("<link rel=\"stylesheet\" href=\"https://example.org/x.css\">\n", "https://example.org/x.css"),
        ("<p style=\"background: url('https://example.org/x.png')\">x</p>\n", "https://example.org/x.png"),
        ("<style>@import \"https://example.org/x.css\";</style>\n", "https://example.org/x.css"),
    ];
    for (text, address) in cases {
        let want = format!("src/one.md:3: a browser would fetch `{address}`");
        assert_eq!(Tiny::new().problems_with(text), [want]);
    }
}

#[test]
fn no_style_makes_a_browser_fetch_what_is_outside_or_missing() {
    let tiny = Tiny::new();
    tiny.write("book/src/x.css", "/* url(https://example.org/c) */\n@import \"https://example.org/a\";\n");
    tiny.write("book/src/y.css", "p { background: url(data:,x) }\np { background: url(\"gone.png\") }\n");
    let want = [
        "out/x.css:2: a browser would fetch `https://example.org/a`",
        "out/y.css:2: `gone.png` does not exist",
    ];
    assert_eq!(tiny.problems(), want);
}

#[test]
fn settings_that_load_from_outside_are_seen() {
    let tiny = Tiny::new();
    tiny.write("book/book.toml", "[output.html]\nmathjax-support = true\n");
    let problems = tiny.problems_with(&listing("{{#include ../../code/gae.rs:sum}}").replace(",ignore", ""));
    for address in ["cdnjs.cloudflare.com", "play.rust-lang.org"] {
        let named = problems.iter().any(|each| each.starts_with("src/one.md: ") && each.contains(address));
        assert!(named, "{address}: {problems:?}");
    }
    assert!(problems.iter().any(|each| each.starts_with("out/404.html: ")), "{problems:?}");
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

#[test]
fn every_problem_is_listed_at_once() {
    let tiny = Tiny::new();
    tiny.write("book/src/two.md", "# Two\n\n[x](gone.md)\n");
    let problems = tiny.problems_with("{{#gone}}\n\n$\\gone$\n\n```rust\nlet a = 1;\n```\n");
    let lines: Vec<_> = problems.iter().map(|each| each.split(": ").next().unwrap()).collect();
    assert_eq!(lines, ["src/one.md:3", "src/one.md:5", "src/one.md:7", "src/two.md:3"]);
}

#[test]
fn a_folder_that_holds_something_else_is_not_emptied() {
    let tiny = Tiny::new();
    tiny.write("book/out/thesis.txt", "years of work");
    let want = "out: this is neither an empty folder nor an earlier book, so it is not overwritten";
    assert!(tiny.problems()[0].ends_with(want));
    assert!(tiny.out().join("thesis.txt").exists());

    fs::remove_file(tiny.out().join("thesis.txt")).unwrap();
    assert_eq!(tiny.problems(), [""; 0]);
    assert_eq!(tiny.problems(), [""; 0], "a second build over the first");
}
