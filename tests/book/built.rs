//! What a build gives, says and leaves alone.

use crate::tiny::Tiny;
use std::fs;

#[test]
fn a_sound_book_is_built_and_its_pages_are_counted() {
    let tiny = Tiny::new();
    let built = book::build(&tiny.folder.path().join("book"), &tiny.out()).unwrap();
    assert_eq!((built.pages, built.out), (2, tiny.out()));
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
