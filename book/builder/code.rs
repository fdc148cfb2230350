//! Source files as pages of the book, so that a link from a formula to its code needs neither a repository beside the
//! book nor a network. A file that a page links to is written under `code/`; the search and the printed
//! book leave these out.

use crate::{
    address, html, markdown,
    page::Page,
    problem::Problem,
    terms::{escape, title_of},
};
use pulldown_cmark::{Event, Tag};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Their style; it knows nothing of mdBook's.
const CSS: &str = include_str!("../css/code.css");

/// Makes links to source files.
pub(crate) struct Links<'a> {
    /// The folder with `book.toml`, inside the repository.
    pub(crate) root: &'a Path,
    /// How many folders deep the page with the link is.
    pub(crate) depth: usize,
}

impl Links<'_> {
    /// The address of a file given from the root of the repository, at a function of it if one is named.
    pub(crate) fn to(&self, file: &str, function: Option<&str>) -> String {
        let at = function.map_or(String::new(), |name| format!("#{name}"));
        format!("{}code/{}{at}", "../".repeat(self.depth), page_of(file))
    }

    /// Whether the repository holds the file.
    pub(crate) fn has(&self, file: &str) -> bool {
        self.root.join("..").join(file).is_file()
    }

    /// The text of a file, if the repository holds it.
    pub(crate) fn text(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.root.join("..").join(file)).ok()
    }

    /// What a link from a page to a source file becomes; none for any other link.
    pub(crate) fn instead_of(&self, link: &str) -> Option<String> {
        let (file, fragment) = address::split(link);
        let climb = "../".repeat(self.depth + 2);
        let inside = file.strip_prefix(&climb).filter(|inside| self.has(inside))?;
        Some(self.to(inside, fragment.as_deref()))
    }
}

/// `reference/src/gae.rs.html`; mdBook would make `ORDER.html` of a link to `ORDER.md.html`.
fn page_of(file: &str) -> String {
    file.strip_suffix(".md").map_or_else(|| format!("{file}.html"), |stem| format!("{stem}-md.html"))
}

/// The file of such a page.
fn file_of(page: &str) -> String {
    let file = page.trim_end_matches(".html");
    file.strip_suffix("-md").map_or_else(|| file.into(), |stem| format!("{stem}.md"))
}

/// The page with every Markdown link to a source file leading to that file's page.
pub(crate) fn relink(text: &str, links: &Links<'_>) -> String {
    let (mut page, mut done) = (String::with_capacity(text.len()), 0);
    for (event, range) in markdown::parser(text).into_offset_iter() {
        let Event::Start(Tag::Link { dest_url, .. }) = event else { continue };
        let Some(to) = links.instead_of(&dest_url) else { continue };
        let Some(at) = text[range.clone()].rfind(&*dest_url).map(|at| range.start + at) else { continue };
        page.push_str(&text[done..at]);
        page.push_str(&to);
        done = at + dest_url.len();
    }
    page.push_str(&text[done..]);
    page
}

/// Writes the source pages that the built pages link to. A file that is not there is left to the check of links.
pub(crate) fn write(root: &Path, pages: &[Page], out: &Path) -> Vec<Problem> {
    let mut linked: BTreeMap<PathBuf, Vec<&Page>> = BTreeMap::new();
    for page in pages {
        let text = fs::read_to_string(out.join(&page.html)).unwrap_or_default();
        let here = page.html.parent().unwrap_or(Path::new(""));
        let targets =
            html::scan(&text).references.into_iter().map(|reference| address::split(&reference.to).0);
        for target in targets.filter_map(|target| address::within(&here.join(target))) {
            let from = linked.entry(target).or_default();
            if !from.iter().any(|seen| seen.html == page.html) {
                from.push(page);
            }
        }
    }
    linked.retain(|target, _| target.starts_with("code"));
    let mut problems: Vec<Problem> =
        linked.iter().filter_map(|(target, from)| write_one(root, target, from, out).err()).collect();
    if !linked.is_empty() {
        let css = out.join("code/code.css");
        problems.extend(fs::write(&css, CSS).err().map(|error| Problem::new(&css, None, error.to_string())));
    }
    problems
}

fn write_one(root: &Path, target: &Path, from: &[&Page], out: &Path) -> Result<(), Problem> {
    let file = file_of(&target.strip_prefix("code").unwrap_or(target).to_string_lossy());
    let source = root.join("..").join(&file);
    let Ok(text) = fs::read_to_string(&source) else { return Ok(()) };
    let path = out.join(target);
    let up = "../".repeat(target.components().count() - 1);
    let wrong = |error: std::io::Error| Problem::new(&path, None, error.to_string());
    fs::create_dir_all(path.parent().unwrap_or(out)).map_err(wrong)?;
    fs::write(&path, page(&file, &text, from, &up)).map_err(wrong)
}

fn page(file: &str, text: &str, from: &[&Page], up: &str) -> String {
    let name = escape(file);
    let links = from
        .iter()
        .map(|page| format!("<a href=\"{up}{}\">{}</a>", page.html.display(), escape(title_of(&page.text))));
    let links = links.collect::<Vec<_>>().join(", ");
    let mut seen = Vec::new();
    let lines: String =
        text.lines().enumerate().map(|(k, line)| self::line(k + 1, line, &mut seen)).collect();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{name}</title>\n\
         <link rel=\"stylesheet\" href=\"{up}code/code.css\">\n</head>\n<body>\n\
         <header><h1>{name}</h1><nav>Linked from {links}</nav></header>\n\
         <main><pre tabindex=\"0\"><code>{lines}</code></pre></main>\n</body>\n</html>\n"
    )
}

/// A line with its number; the first of a function can be linked to by the function's name.
fn line(number: usize, text: &str, seen: &mut Vec<String>) -> String {
    let id = function(text).filter(|name| !seen.contains(name));
    let id = id.map_or(format!("L{number}"), |name| {
        seen.push(name.clone());
        name
    });
    let comment = text.find("//").filter(|at| text[..*at].trim().is_empty() || text[..*at].ends_with(' '));
    let (code, rest) = text.split_at(comment.unwrap_or(text.len()));
    let rest = if rest.is_empty() { String::new() } else { format!("<i>{}</i>", escape(rest)) };
    format!("<span id=\"{id}\" data-line=\"{number}\">{}{rest}\n</span>", escape(code))
}

/// `gae` of `pub fn gae(`.
fn function(line: &str) -> Option<String> {
    let at = line.find("fn ").filter(|at| {
        line[..*at]
            .split_whitespace()
            .all(|word| word.starts_with("pub") || word == "const" || word == "unsafe")
    })?;
    let name: String = line[at + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_its_name() {
        for (line, name) in [
            ("pub fn gae(", Some("gae")),
            ("    fn row<S: Simd>(", Some("row")),
            ("pub(crate) const fn x()", Some("x")),
            ("// a fn of", None),
            ("let fn_name = 1;", None),
        ] {
            assert_eq!(function(line).as_deref(), name, "{line}");
        }
    }

    #[test]
    fn a_line_is_escaped_and_its_comment_set_apart() {
        let html = line(3, "let a = b < c; // <d>", &mut Vec::new());
        assert_eq!(html, "<span id=\"L3\" data-line=\"3\">let a = b &lt; c; <i>// &lt;d&gt;</i>\n</span>");
        assert!(line(1, "\"https://x\"", &mut Vec::new()).contains("\"https://x\""));
    }
}
