//! No reader's browser fetches anything from outside the book.

use crate::tiny::{Tiny, listing};

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
