//! A page of the book: where it is written, where it is built, and what stands in it.

use crate::problem::Problem;
use mdbook_core::book::{Book, Chapter};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// One listed page.
pub(crate) struct Page {
    /// Its Markdown file.
    pub(crate) source: PathBuf,
    /// Its built file, relative to the output folder.
    pub(crate) html: PathBuf,
    /// Its Markdown as written.
    pub(crate) text: String,
}

impl Page {
    /// How many folders deep it is.
    pub(crate) fn depth(&self) -> usize {
        depth(&self.html)
    }
}

/// How many folders deep a file is.
pub(crate) fn depth(file: &Path) -> usize {
    file.components().count().saturating_sub(1)
}

/// The pages that SUMMARY.md lists; drafts have none.
pub(crate) fn listed(book: &Book, src: &Path) -> Vec<Page> {
    book.chapters().filter_map(|chapter| page(chapter, src)).collect()
}

fn page(chapter: &Chapter, src: &Path) -> Option<Page> {
    let path = chapter.source_path.as_ref()?;
    let readme = path.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case("readme"));
    let html = if readme { path.with_file_name("index.html") } else { path.with_extension("html") };
    Some(Page { source: src.join(path), html, text: chapter.content.clone() })
}

/// A page that nobody listed is a page that nobody finds.
pub(crate) fn unlisted(pages: &[Page], src: &Path) -> Vec<Problem> {
    let known = |file: &Path| file == src.join("SUMMARY.md") || pages.iter().any(|page| page.source == file);
    files_under(src, "md")
        .into_iter()
        .filter(|file| !known(file))
        .map(|file| Problem::new(&file, None, "SUMMARY.md does not list this page"))
        .collect()
}

/// Every file below a folder with this extension, in order; a folder that cannot be read has none.
pub(crate) fn files_under(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_under(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    files
}
