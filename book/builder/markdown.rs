//! Markdown as mdBook reads it, with maths.

use pulldown_cmark::{Options, Parser};

/// The text with the code of each fenced block moved to the left, as far as all of its lines go: an include of the middle
/// of a file stands as far to the right as it did there.
pub(crate) fn dedented(text: &str) -> String {
    let mut parts = text.split_inclusive("```");
    let mut page = String::with_capacity(text.len());
    // Outside, inside, outside, …: a block opens and closes with a fence at the start of a line.
    let mut inside = false;
    for part in parts.by_ref() {
        let fence =
            part.strip_suffix("```").is_some_and(|before| before.is_empty() || before.ends_with('\n'));
        page.push_str(&if inside { to_the_left(part) } else { part.into() });
        inside ^= fence;
    }
    page
}

/// The first line, which names the language, and the last, which closes, stay as they are.
fn to_the_left(block: &str) -> String {
    let blanks = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let mut lines: Vec<&str> = block.split('\n').collect();
    let (first, last) = (1.min(lines.len()), lines.len().saturating_sub(1));
    let code = lines.get_mut(first..last.max(first)).unwrap_or_default();
    let least =
        code.iter().filter(|line| !line.trim().is_empty()).map(|line| blanks(line)).min().unwrap_or(0);
    code.iter_mut().for_each(|line| *line = &line[least.min(blanks(line))..]);
    lines.join("\n")
}

/// mdBook's own options and `ENABLE_MATH`, so that what is maths here is text there and the other way round.
pub(crate) fn parser(text: &str) -> Parser<'_> {
    let options = Options::ENABLE_MATH
        | Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_GFM;
    Parser::new_ext(text, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_moves_to_the_left_and_nothing_else_moves() {
        let text = "    a\n\n```rust\n        if x {\n            y\n\n        }\n```\n\n    b ```c```\n\n```text\nd\n    e\n```\n";
        let want = "    a\n\n```rust\nif x {\n    y\n\n}\n```\n\n    b ```c```\n\n```text\nd\n    e\n```\n";
        assert_eq!(dedented(text), want);
    }
}
