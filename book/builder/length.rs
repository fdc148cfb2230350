//! A chapter is one sitting.

use crate::markdown;
use pulldown_cmark::{Event, Tag, TagEnd};
use std::{fs, path::Path};

/// The most words of running text that a chapter may have.
const SITTING: usize = 1200;

/// Pages that are looked up and not read through.
const LOOKED_UP: [&str; 3] = ["exercises.md", "glossary.md", "references.md"];

/// Words of running text: not those of tables, listings and formulas, nor what directives put there.
fn words(text: &str) -> usize {
    let (mut count, mut skipped) = (0, 0);
    for event in markdown::parser(text) {
        match event {
            Event::Start(Tag::Table(_) | Tag::CodeBlock(_)) => skipped += 1,
            Event::End(TagEnd::Table | TagEnd::CodeBlock) => skipped -= 1,
            Event::Text(text) | Event::Code(text) if skipped == 0 && !text.starts_with("{{#") => {
                count += text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
            }
            _ => {}
        }
    }
    count
}

#[test]
fn words_are_those_that_are_read_through() {
    let page = "# One two\n\nThree *four* $x + y$, `five` – [six](x.md).\n\n{{#output gae deltas}}\n\n\
                | no | no |\n|---|---|\n| no | no |\n\n```text\nno no\n```\n\n<!-- no -->\n\n$$ x $$\n";
    assert_eq!(words(page), 6);
}

#[test]
fn a_chapter_is_one_sitting() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut pages = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.extension().is_some_and(|found| found == "md") && !LOOKED_UP.contains(&name.as_str()) {
            let count = words(&fs::read_to_string(&path).unwrap());
            assert!(count <= SITTING, "{name} has {count} words, more than {SITTING}");
            pages += 1;
        }
    }
    assert!(pages > 20);
}
