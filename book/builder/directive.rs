//! Where a page asks for something to be put in its place: `{{#include …}}` and the like.

/// The directives this book knows. mdBook prints an unknown one as it stands, and says nothing.
pub(crate) const KNOWN: [&str; 11] = [
    "include",
    "rustdoc_include",
    "map",
    "terms",
    "equation",
    "output",
    "figure",
    "record",
    "choices",
    "dialects",
    "widget",
];

/// One `{{#name args}}`.
#[derive(Clone, Copy)]
pub(crate) struct Directive<'a> {
    pub(crate) name: &'a str,
    pub(crate) args: &'a str,
    /// As written, braces and all.
    pub(crate) text: &'a str,
    /// Where it starts, in bytes.
    pub(crate) at: usize,
}

impl Directive<'_> {
    /// Whether a file stands in its place afterwards.
    pub(crate) fn is_include(&self) -> bool {
        self.name.ends_with("include") && KNOWN.contains(&self.name)
    }
}

/// Every directive of a text, known or not; one that is never closed ends with its line.
pub(crate) fn directives(text: &str) -> Vec<Directive<'_>> {
    let opened = text.match_indices("{{").filter(|(at, _)| text[at + 2..].trim_start().starts_with('#'));
    opened.map(|(at, _)| parse(text, at)).collect()
}

/// The directive that is the whole of a line, if it is one of ours: mdBook expands its own.
pub(crate) fn block(line: &str) -> Option<Directive<'_>> {
    let found = directives(line).into_iter().next()?;
    (found.text == line && KNOWN.contains(&found.name) && !found.is_include()).then_some(found)
}

fn parse(text: &str, at: usize) -> Directive<'_> {
    let rest = &text[at..];
    let line_end = rest.find('\n').unwrap_or(rest.len());
    let end = rest.find("}}").map_or(line_end, |close| close + 2);
    let body = rest[2..end].trim_end_matches("}}").trim_start().trim_start_matches('#');
    let (name, args) = body.split_once(char::is_whitespace).unwrap_or((body, ""));
    Directive { name, args: args.trim(), text: &rest[..end], at }
}
