//! What is wrong with a book, one line each.

use std::{
    fmt,
    path::{Path, PathBuf},
};

/// One reason why a book is not built, or not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file to open.
    pub file: PathBuf,
    /// The line in it, from 1, where it can be known.
    pub line: Option<usize>,
    /// What is wrong there.
    pub what: String,
}

impl Problem {
    pub(crate) fn new(file: &Path, line: Option<usize>, what: impl Into<String>) -> Self {
        Problem { file: file.to_path_buf(), line, what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file.display(), self.what),
            None => write!(f, "{}: {}", self.file.display(), self.what),
        }
    }
}

/// The line, from 1, of the byte `at` of a text.
pub(crate) fn line_at(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

/// The line of the first of `needles` that the text holds.
pub(crate) fn line_of(text: &str, needles: &[&str]) -> Option<usize> {
    needles.iter().find_map(|needle| text.find(needle)).map(|at| line_at(text, at))
}
