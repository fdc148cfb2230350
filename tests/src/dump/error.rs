//! What is said of bad input: one sentence, with the name and the numbers.

use std::fmt;

/// Why a file, a setting or a path was refused, in one sentence.
///
/// The path of the file is not in it: the command names that once, in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadInput(String);

impl BadInput {
    /// From its sentence.
    pub fn new(sentence: impl Into<String>) -> BadInput {
        BadInput(sentence.into())
    }
}

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadInput {}

/// A [`BadInput`] from a format string.
macro_rules! bad {
    ($($sentence:tt)*) => { $crate::dump::BadInput::new(format!($($sentence)*)) };
}
pub(crate) use bad;

/// Text out of a file as it may stand in a sentence: control characters escaped, long text cut.
pub(crate) fn plain(text: &str) -> String {
    const LONGEST: usize = 120;
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let mut shown: String = text.chars().take(LONGEST).map(escape).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_file_cannot_break_the_line_or_fill_the_screen() {
        assert_eq!(plain("a\nb\u{1b}[2J"), "a\\nb\\u{1b}[2J");
        assert_eq!(plain(&"x".repeat(4000)).chars().count(), 121);
    }
}
