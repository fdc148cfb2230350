//! Every directive of a page must find what it asks for. mdBook leaves a missing file as raw text and a missing
//! anchor as an empty block, and succeeds both times.

use crate::{
    blocks::Blocks,
    directive::{Directive, KNOWN, block, directives},
    page::Page,
    problem::{Problem, line_at},
};
use std::{fs, ops::Range, path::Path};

/// What is wrong with the directives of a page.
pub(crate) fn check(page: &Page, blocks: &Blocks<'_>) -> Vec<Problem> {
    let wrong = |directive: &Directive<'_>| {
        let what = unfit(directive, page, blocks).err()?;
        Some(Problem::new(&page.source, Some(line_at(&page.text, directive.at)), what))
    };
    directives(&page.text).iter().filter_map(wrong).collect()
}

fn unfit(directive: &Directive<'_>, page: &Page, blocks: &Blocks<'_>) -> Result<(), String> {
    let text = directive.text;
    if page.text[..directive.at].ends_with('\\') {
        return Err(format!("`{text}` is escaped, so it would be printed as it stands"));
    }
    if !KNOWN.contains(&directive.name) {
        return Err(format!("`{text}` is left over: this book knows {} only", KNOWN.join(", ")));
    }
    if directive.is_include() {
        return included(directive.args, &page.source).map_err(|why| format!("`{text}`: {why}"));
    }
    let line = page.text.lines().nth(line_at(&page.text, directive.at) - 1).unwrap_or_default();
    if block(line).is_none() {
        return Err(format!("`{text}` must be the whole of its line"));
    }
    blocks.expand(*directive, page.depth()).map(drop).map_err(|why| format!("`{text}`: {why}"))
}

/// The text that `file`, `file:anchor` or `file:line:range` asks for must be there, and must not ask for more.
fn included(args: &str, source: &Path) -> Result<(), String> {
    let (file, part) = args.split_once(':').unwrap_or((args, ""));
    if file.is_empty() || file.contains(char::is_whitespace) {
        return Err("it must name one file".into());
    }
    let path = source.parent().unwrap_or(Path::new("")).join(file);
    let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {file}: {}", error.kind()))?;
    let taken = if part.starts_with(|first: char| first.is_ascii_digit() || first == ':') {
        lines(&text, part)?
    } else if part.is_empty() {
        text
    } else {
        anchored(&text, part)?
    };
    if taken.trim().is_empty() {
        return Err("nothing stands there".into());
    }
    match directives(&taken).first() {
        Some(inner) => Err(format!("the included text holds `{}`, which nobody checks", inner.text)),
        None => Ok(()),
    }
}

/// What stands between `ANCHOR: name` and `ANCHOR_END: name`.
fn anchored(text: &str, name: &str) -> Result<String, String> {
    let has =
        |line: &str, mark: &str| line.split_once(mark).is_some_and(|(_, rest)| first_word(rest) == name);
    let mut after = text.lines().skip_while(|line| !has(line, "ANCHOR:"));
    after.next().ok_or(format!("no anchor {name} in that file"))?;
    let mut inside = Vec::new();
    for line in after {
        if has(line, "ANCHOR_END:") {
            return Ok(inside.join("\n"));
        }
        if !line.contains("ANCHOR:") && !line.contains("ANCHOR_END:") {
            inside.push(line);
        }
    }
    Err(format!("anchor {name} is never closed"))
}

fn first_word(text: &str) -> &str {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(text.len());
    &text[..end]
}

/// The lines of `3`, `3:`, `3:5` or `:5`, counted from 1; mdBook cuts silently at the end of the file.
fn lines(text: &str, part: &str) -> Result<String, String> {
    let count = text.lines().count();
    let Range { start, end } = range(part, count).ok_or(format!("{part} is not a range of lines"))?;
    if start < 1 || end < start || count < end {
        return Err(format!("lines {start} to {end} of a file of {count}"));
    }
    Ok(text.lines().skip(start - 1).take(end + 1 - start).collect::<Vec<_>>().join("\n"))
}

/// First and last line, both taken.
fn range(part: &str, count: usize) -> Option<Range<usize>> {
    let number = |text: &str, otherwise| if text.is_empty() { Some(otherwise) } else { text.parse().ok() };
    match part.split_once(':') {
        None => part.parse().ok().map(|line| line..line),
        Some((start, end)) => Some(number(start, 1)?..number(end, count)?),
    }
}
