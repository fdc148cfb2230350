//! What an example prints, in sections that a page shows by name.
//!
//! An example in `book/examples/` fills a [`Transcript`] and prints it; `book/listings/` holds what was printed, and
//! a test runs every example again and compares. A page shows a section by `{{#output gae deltas}}`. So each number
//! that a reader sees was printed by the code beside it.

use crate::code;
use std::{
    fmt::{Display, Write},
    fs,
    path::Path,
};

/// Lines under named headings.
#[derive(Debug, Default)]
pub struct Transcript(String);

impl Transcript {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a section; its name is one word, as pages write it.
    ///
    /// # Panics
    ///
    /// If the name has a blank in it.
    pub fn section(&mut self, name: &str) {
        assert!(!name.is_empty() && !name.contains(char::is_whitespace), "`{name}` is not one word");
        let blank = if self.0.is_empty() { "" } else { "\n" };
        self.line(format!("{blank}── {name} ──"));
    }

    /// One line of text.
    pub fn line(&mut self, text: impl Display) {
        writeln!(self.0, "{}", text.to_string().trim_end()).expect("a String takes every line");
    }

    /// A label and numbers with so many decimals, in columns; a NaN, which only masked slots hold, is shown as `·`.
    pub fn row<'a>(&mut self, label: &str, numbers: impl IntoIterator<Item = &'a f64>, decimals: usize) {
        let cells = numbers.into_iter().map(|x| number(*x, decimals));
        let cells: String = cells.map(|cell| format!("{cell:>10}")).collect();
        self.line(format!("{label:<18}{cells}"));
    }
}

/// A number with so many decimals, no minus before a zero, `·` for a NaN.
pub fn number(x: f64, decimals: usize) -> String {
    if x.is_nan() {
        return "·".into();
    }
    let text = format!("{x:.decimals$}");
    let is_zero = text.chars().all(|c| matches!(c, '-' | '0' | '.'));
    if is_zero { text.trim_start_matches('-').into() } else { text }
}

impl Display for Transcript {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The recorded transcript of an example.
pub(crate) fn recorded(root: &Path, stem: &str) -> Result<String, String> {
    let file = format!("listings/{stem}.txt");
    fs::read_to_string(root.join(&file)).map_err(|error| format!("cannot read {file}: {}", error.kind()))
}

/// `gae deltas`: the section `deltas` of `listings/gae.txt`.
pub(crate) fn section_of(root: &Path, args: &str) -> Result<String, String> {
    let (stem, name) = args.split_once(' ').ok_or("it must name an example and a section")?;
    let text = recorded(root, stem)?;
    let is_head = |line: &&str| line.starts_with("── ");
    let mut lines = text.lines().skip_while(|line| *line != format!("── {name} ──"));
    lines.next().ok_or(format!("no section {name} in listings/{stem}.txt"))?;
    let body: Vec<&str> = lines.take_while(|line| !is_head(line)).collect();
    Ok(body.join("\n").trim_end().to_string())
}

/// What says to a reader where the numbers of a page come from, if the page has an example.
pub(crate) fn printed_by(page: &Path, code: &code::Links<'_>) -> Option<String> {
    let stem = page.file_stem()?.to_str()?;
    let file = format!("book/examples/{stem}.rs");
    let link = code.to(&file, None);
    let told = || {
        format!(
            "\n<p class=\"measured\">Printed by <a href=\"{link}\">{file}</a>, like every block of numbers on this page: \
             <code>cargo run -p ppo-book --example {stem}</code>.</p>\n\n"
        )
    };
    code.has(&file).then(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_is_sections_of_lines() {
        let mut text = Transcript::new();
        text.section("one");
        text.row("δ", &[0.5, f64::NAN, -0.0], 2);
        text.section("two");
        text.line("x  ");
        assert_eq!(
            text.to_string(),
            "── one ──\nδ                       0.50         ·      0.00\n\n── two ──\nx\n"
        );
    }
}
