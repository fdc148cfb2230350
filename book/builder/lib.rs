//! Builds the book in process: no installed mdbook, no network, and no silent gap.
//!
//! mdBook succeeds on a missing include, an empty anchor, a dead link and a page that nobody listed. [`build`] looks
//! for each of these, sets the maths as MathML, puts figures, outputs and cards where a page asks for them, carries the
//! source files that pages link to, and answers with every [`Problem`] it saw.

mod address;
mod blocks;
mod choices;
mod code;
mod directive;
mod figures;
mod html;
mod includes;
#[cfg(test)]
mod length;
mod links;
mod listings;
mod map;
mod markdown;
mod math;
mod numbers;
mod offline;
mod page;
mod preprocessor;
mod problem;
mod records;
mod serve;
mod terms;
mod transcript;
mod widgets;

use blocks::Blocks;
use links::Links;
use math::Maths;
use mdbook_core::config::Config;
use mdbook_driver::MDBook;
use page::Page;
use preprocessor::Setter;
pub use problem::Problem;
pub use serve::serve;
use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};
pub use transcript::{Transcript, number};

/// A book that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// How many pages SUMMARY.md lists.
    pub pages: usize,
    /// The folder that holds them.
    pub out: PathBuf,
}

/// Builds the book of the folder `root`, the one with `book.toml`, into the folder `out`.
///
/// What `out` held before is removed, so it must be new, empty or an earlier book: see [`check_out`].
///
/// # Errors
///
/// Every problem of the book, by file and line. What mdBook made of it is left in `out` to be looked at.
pub fn build(root: &Path, out: &Path) -> Result<Built, Vec<Problem>> {
    check_out(out).map_err(|problem| vec![problem])?;
    let mut book = load(root, out).map_err(|problem| vec![problem])?;
    let src = root.join(&book.config.book.src);
    let pages = page::listed(&book.book, &src);

    let mut problems = page::unlisted(&pages, &src);
    let blocks = Blocks { root, maths: &Maths::default() };
    problems.extend(pages.iter().flat_map(|page| includes::check(page, &blocks)));
    problems.extend(pages.iter().flat_map(|page| numbers::check(page, &blocks)));
    problems.extend(pages.iter().flat_map(listings::check));
    problems.extend(render(&mut book, root, &src));
    problems.extend(code::write(root, &pages, out));
    problems.extend(widgets::write_scripts(root, out));
    problems.extend(check_built(&pages, out));

    problems.sort();
    problems.dedup();
    if problems.is_empty() { Ok(Built { pages: pages.len(), out: out.to_path_buf() }) } else { Err(problems) }
}

/// Building empties its folder first, so a folder that holds anything but an earlier book is refused.
///
/// # Errors
///
/// If `out` is a file, or a folder with something in it that mdBook did not put there.
pub fn check_out(out: &Path) -> Result<(), Problem> {
    let is_book = || fs::read_to_string(out.join(".nojekyll")).is_ok_and(|text| text.contains("mdBook"));
    let is_empty = || fs::read_dir(out).is_ok_and(|mut entries| entries.next().is_none());
    if !out.exists() || is_empty() || is_book() {
        return Ok(());
    }
    Err(Problem::new(
        out,
        None,
        "this is neither an empty folder nor an earlier book, so it is not overwritten",
    ))
}

/// The book as `book.toml` and SUMMARY.md describe it, with no variable of the environment having a say.
fn load(root: &Path, out: &Path) -> Result<MDBook, Problem> {
    let toml = root.join("book.toml");
    let wrong = |file: &Path, error: anyhow::Error| Problem::new(file, None, format!("{error:#}"));
    let mut config = Config::from_disk(&toml).map_err(|error| wrong(&toml, error))?;
    config.build.create_missing = false;
    config.build.build_dir = std::path::absolute(out).map_err(|error| wrong(out, error.into()))?;
    let summary = root.join(&config.book.src).join("SUMMARY.md");
    MDBook::load_with_config(root, config).map_err(|error| wrong(&summary, error))
}

/// Runs mdBook with our step in it, and hands on what that step found.
fn render(book: &mut MDBook, root: &Path, src: &Path) -> Vec<Problem> {
    let problems = Rc::new(RefCell::new(Vec::new()));
    let setter = Setter { root: root.to_path_buf(), src: src.to_path_buf(), problems: Rc::clone(&problems) };
    book.with_preprocessor(setter);
    let built = book.build();
    let mut problems = problems.take();
    problems.extend(built.err().map(|error| Problem::new(&book.root, None, format!("{error:#}"))));
    problems
}

/// Looks at what mdBook wrote.
fn check_built(pages: &[Page], out: &Path) -> Vec<Problem> {
    let mut links = Links::of(out);
    let mut problems = offline::check_styles(out);
    problems.extend(offline::check_extras(pages, out));
    for page in pages {
        let file = out.join(&page.html);
        match fs::read_to_string(&file) {
            Ok(text) => {
                let found = html::scan(&text);
                problems.extend(links.check(page, &found));
                problems.extend(offline::check(page, &found));
            }
            Err(error) => {
                problems.push(Problem::new(&file, None, format!("this page was not built ({error})")))
            }
        }
    }
    problems
}
