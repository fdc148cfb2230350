//! The step between mdBook's includes and its HTML: formulas are set and the table of terms is put in.

use crate::{
    math::Maths,
    problem::{Problem, line_of},
    terms,
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
        let (page, bad) = maths.page(&chapter.content);
        let (page, wrong) = terms::expand(&page, maths);
        chapter.content = page;
        let mut problems = self.problems.borrow_mut();
        problems.extend(wrong);
        problems.extend(bad.into_iter().map(|bad| {
            let what = format!("formula `{}`: {}", bad.tex.trim(), bad.what);
            Problem::new(&source, formula_line(&source, &bad.tex), what)
        }));
    }
}

/// The formula is looked for in the page as written: includes have moved the lines.
fn formula_line(source: &Path, tex: &str) -> Option<usize> {
    let text = fs::read_to_string(source).ok()?;
    line_of(&text, &[&format!("${tex}$"), tex])
}
