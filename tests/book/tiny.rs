//! A book to break.

use std::{fs, path::PathBuf};
use tempfile::TempDir;

/// A sound book of two pages beside one source file, to be broken in one place by each test.
pub(crate) struct Tiny {
    pub(crate) folder: TempDir,
}

impl Tiny {
    pub(crate) fn new() -> Tiny {
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

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The first page, with this text from its third line on.
    pub(crate) fn one(&self, text: &str) {
        self.write("book/src/one.md", &format!("# One\n\n{text}"));
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.folder.path().join("book/out")
    }

    /// What is wrong, with paths as they are in the book.
    pub(crate) fn problems(&self) -> Vec<String> {
        let root = self.folder.path().join("book");
        let shown =
            |problem: &book::Problem| problem.to_string().replace(&format!("{}/", root.display()), "");
        let problems = book::build(&root, &self.out()).err().unwrap_or_default();
        problems.iter().map(shown).collect()
    }

    /// What is wrong when the first page has this text from its third line on.
    pub(crate) fn problems_with(&self, text: &str) -> Vec<String> {
        self.one(text);
        self.problems()
    }

    /// The first page as built.
    pub(crate) fn built(&self, text: &str) -> String {
        assert_eq!(self.problems_with(text), [""; 0]);
        fs::read_to_string(self.out().join("one.html")).unwrap()
    }
}

/// A Rust block of the page that holds this line.
pub(crate) fn listing(line: &str) -> String {
    format!("```rust,ignore\n{line}\n```\n")
}
