//! The step between mdBook's includes and its HTML: links to source files find their pages, formulas are set, and
//! what a directive asks for is put in its place.

use crate::{
    blocks::Blocks,
    code,
    directive::block,
    markdown::dedented,
    math::Maths,
    page::depth,
    problem::{Problem, line_of},
    transcript, widgets,
};
use mdbook_core::book::{Book, Chapter};
use mdbook_preprocessor::{Preprocessor, PreprocessorContext};
use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

/// Sets each page, and gathers what is wrong instead of stopping at the first formula.
pub(crate) struct Setter {
    pub(crate) root: PathBuf,
    pub(crate) src: PathBuf,
    pub(crate) problems: Rc<RefCell<Vec<Problem>>>,
}

impl Preprocessor for Setter {
    fn name(&self) -> &str {
        "ppo-book"
    }

    fn run(&self, _: &PreprocessorContext, mut book: Book) -> anyhow::Result<Book> {
        let maths = Maths::default();
        book.for_each_chapter_mut(|chapter| self.set(chapter, &maths));
        Ok(book)
    }
}

impl Setter {
    fn set(&self, chapter: &mut Chapter, maths: &Maths) {
        let Some(path) = &chapter.source_path else { return };
        let source = self.src.join(path);
        let page = dedented(&chapter.content);
        let page = code::relink(&page, &code::Links { root: &self.root, depth: depth(path) });
        let (page, bad) = maths.page(&page);
        chapter.content = self.filled(&page, maths, path);
        chapter.content.push_str(&widgets::scripts(&chapter.content, depth(path)));
        let mut problems = self.problems.borrow_mut();
        problems.extend(bad.into_iter().map(|bad| {
            let what = format!("formula `{}`: {}", bad.tex.trim(), bad.what);
            Problem::new(&source, formula_line(&source, &bad.tex), what)
        }));
    }

    /// The page with each directive's block in its place. One that has none is left as it stands: `includes::check` has
    /// said why.
    fn filled(&self, page: &str, maths: &Maths, path: &Path) -> String {
        let (blocks, depth) = (Blocks { root: &self.root, maths }, depth(path));
        let mut printed = transcript::printed_by(path, &code::Links { root: &self.root, depth });
        let mut filled = String::with_capacity(2 * page.len());
        for line in page.lines() {
            let expanded = block(line).and_then(|directive| blocks.expand(directive, depth).ok());
            filled.push_str(&expanded.unwrap_or_else(|| line.into()));
            filled.push('\n');
            // Once, under the first of its outputs.
            if block(line).is_some_and(|directive| directive.name == "output") {
                filled.push_str(&printed.take().unwrap_or_default());
            }
        }
        filled
    }
}

/// The formula is looked for in the page as written: includes have moved the lines.
fn formula_line(source: &Path, tex: &str) -> Option<usize> {
    let text = fs::read_to_string(source).ok()?;
    line_of(&text, &[&format!("${tex}$"), tex])
}
