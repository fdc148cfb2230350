//! Rust that a reader sees is Rust that cargo compiles: a ```rust block holds includes of source files and no text
//! of its own.

use crate::{
    directive::directives,
    markdown,
    page::Page,
    problem::{Problem, line_at},
};
use pulldown_cmark::{CodeBlockKind, Event, Tag, TagEnd};

/// The Rust blocks of a page that are written out by hand.
pub(crate) fn check(page: &Page) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (event, range) in markdown::parser(&page.text).into_offset_iter() {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) if is_rust(&info) => {
                open = Some((range.start, String::new()));
            }
            Event::Text(text) => {
                if let Some((_, code)) = &mut open {
                    code.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                if let Some((at, code)) = open.take().filter(|(_, code)| !code.lines().all(is_from_source)) {
                    let line = code.lines().find(|line| !is_from_source(line)).unwrap_or_default().trim();
                    let what =
                        format!("a rust block with `{line}`: include it from a file that cargo compiles");
                    problems.push(Problem::new(&page.source, Some(line_at(&page.text, at)), what));
                }
            }
            _ => {}
        }
    }
    problems
}

fn is_rust(info: &str) -> bool {
    let language = info.split([',', ' ', '\t', '{']).next().unwrap_or_default();
    matches!(language, "rust" | "rs")
}

fn is_from_source(line: &str) -> bool {
    let line = line.trim();
    let whole =
        |directive: &crate::directive::Directive<'_>| directive.text == line && directive.is_include();
    let rust = |args: &str| args.split(':').next().is_some_and(|file| file.ends_with(".rs"));
    line.is_empty() || directives(line).first().is_some_and(|found| whole(found) && rust(found.args))
}
