//! A number in prose is one that a listing printed. Every number with a decimal point, in text or in a formula, must
//! stand in the transcript of an example that the page shows, or in a record that it shows; what is neither, such as a
//! trainer's default or a version, is declared at the head of the page with where it comes from:
//!
//! ```text
//! <!-- cited
//! 0.95 0.2: defaults of TRL, linked where they stand
//! -->
//! ```

use crate::{
    blocks::Blocks,
    directive::{block, directives},
    markdown,
    page::Page,
    problem::{Problem, line_at, line_of},
    transcript,
};
use pulldown_cmark::{Event, Tag, TagEnd};
use std::collections::BTreeSet;

/// The numbers of a page that come from nowhere, and declarations that nothing needs.
pub(crate) fn check(page: &Page, blocks: &Blocks<'_>) -> Vec<Problem> {
    let printed = printed(page, blocks);
    let (cited, mut problems) = cited(page);
    let mut used = BTreeSet::new();
    for (at, number) in in_prose(&page.text) {
        if printed.contains(&number) {
            continue;
        }
        if cited.contains(&number) {
            used.insert(number);
            continue;
        }
        let what = format!("no listing of this page prints {number}: show it, or declare it as cited");
        problems.push(Problem::new(&page.source, Some(line_at(&page.text, at)), what));
    }
    for idle in cited.difference(&used) {
        let what = format!("{idle} is declared as cited, and no text of this page needs that");
        problems.push(Problem::new(&page.source, line_of(&page.text, &["<!-- cited"]), what));
    }
    problems
}

/// What the examples and records of the page hold.
fn printed(page: &Page, blocks: &Blocks<'_>) -> BTreeSet<String> {
    let mut numbers = BTreeSet::new();
    for directive in directives(&page.text) {
        let text = match directive.name {
            "output" => {
                let stem = directive.args.split(' ').next().unwrap_or_default();
                transcript::recorded(blocks.root, stem).ok()
            }
            "record" => blocks.expand(directive, 0).ok(),
            _ => None,
        };
        numbers.extend(decimals(&text.unwrap_or_default()).map(|(_, number)| number));
    }
    numbers
}

/// The numbers of the declaration, and what is wrong with it.
fn cited(page: &Page) -> (BTreeSet<String>, Vec<Problem>) {
    let (mut numbers, mut problems) = (BTreeSet::new(), Vec::new());
    let declared = page.text.split_once("<!-- cited").and_then(|(_, rest)| rest.split_once("-->"));
    for line in declared.map_or("", |(inside, _)| inside).lines().filter(|line| !line.trim().is_empty()) {
        match line.split_once(": ") {
            Some((these, source)) if !source.trim().is_empty() => {
                numbers.extend(decimals(these).map(|(_, number)| number));
            }
            _ => {
                let what = format!("`{line}` must be numbers, a colon and their source");
                problems.push(Problem::new(&page.source, line_of(&page.text, &[line]), what));
            }
        }
    }
    (numbers, problems)
}

/// Where text and formulas hold a number, and which.
fn in_prose(text: &str) -> Vec<(usize, String)> {
    let (mut found, mut in_code) = (Vec::new(), false);
    for (event, range) in markdown::parser(text).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(_)) => in_code = true,
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Text(_) | Event::InlineMath(_) | Event::DisplayMath(_) | Event::Code(_) if !in_code => {
                let line = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
                let whole = text[line..].lines().next().unwrap_or_default();
                if block(whole).is_none() {
                    let here = decimals(&text[range.clone()]);
                    found.extend(here.map(|(at, number)| (range.start + at, number)));
                }
            }
            _ => {}
        }
    }
    found
}

/// Numbers with one decimal point, without sign and closing zeros: `0.5` for `−0.500`, `5.6e-23` as it is. Versions,
/// which have two points or touch a letter, are none.
fn decimals(text: &str) -> impl Iterator<Item = (usize, String)> {
    let part = |c: char| c.is_ascii_digit() || c == '.';
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(|c: char| c.is_ascii_digit()).map(|offset| at + offset) {
        let end = text[start..].find(|c| !part(c)).map_or(text.len(), |length| start + length);
        let run = text[start..end].trim_end_matches('.');
        let rest = &text[start + run.len()..];
        let exponent = exponent(rest);
        let after = rest[exponent.len()..].chars().next();
        let before = text[..start].chars().next_back();
        let touches = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '.');
        let in_word =
            touches(before) || after.is_some_and(|c| c.is_ascii_alphabetic() && c != 'e' || c == '_');
        if run.matches('.').count() == 1 && !in_word {
            let shortest = run.trim_end_matches('0').trim_end_matches('.');
            found.push((start, format!("{shortest}{exponent}")));
        }
        at = end.max(start + run.len() + exponent.len());
    }
    found.into_iter()
}

/// `e-23` at the start of a text.
fn exponent(text: &str) -> &str {
    let digits = |tail: &str| tail.chars().take_while(char::is_ascii_digit).count();
    let sign = text.strip_prefix('e').map_or(0, |tail| usize::from(tail.starts_with(['-', '+'])));
    let length = text.strip_prefix('e').map_or(0, |tail| digits(&tail[sign..]));
    if length == 0 { "" } else { &text[..1 + sign + length] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_what_has_one_decimal_point() {
        let of = |text: &str| decimals(text).map(|(_, number)| number).collect::<Vec<_>>();
        assert_eq!(of("−0.500, 12.0. Then 3, 1.2.3, v0.5, 1.3c, (.5)"), ["0.5", "12"]);
        assert_eq!(of("5.6e-23 and 1.5e and 0.25x"), ["5.6e-23", "1.5"]);
        assert_eq!(of("0.72^2 is 0.5184"), ["0.72", "0.5184"]);
    }

    #[test]
    fn code_is_not_prose_and_maths_is() {
        let of = |text: &str| in_prose(text).into_iter().map(|(_, number)| number).collect::<Vec<_>>();
        assert_eq!(of("a $0.25$ b\n\n```text\n0.5\n```\n\n$$ x = 0.75 $$\n"), ["0.25", "0.75"]);
        assert_eq!(of("{{#record speed 0.5}}\n"), [""; 0]);
    }
}
