//! Nothing that a browser fetches by itself comes from outside, and every style finds its files. Scripts are not
//! read: of mdBook's own, one would ask play.rust-lang.org, and only for code that is marked as runnable.

use crate::{
    address,
    html::{Scan, scan},
    page::{Page, files_under},
    problem::{Problem, line_of},
};
use std::{fs, path::Path};

/// What a page of the book would fetch from outside.
pub(crate) fn check(page: &Page, found: &Scan) -> Vec<Problem> {
    let line = |to: &String| line_of(&page.text, &[to]);
    fetched_outside(found).iter().map(|to| would_fetch(&page.source, line(to), to)).collect()
}

/// The same for what mdBook adds to the pages. `index.html` and `print.html` are copies of pages.
pub(crate) fn check_extras(pages: &[Page], out: &Path) -> Vec<Problem> {
    let is_copy = |file: &Path| ["index.html", "print.html"].iter().any(|name| file == out.join(name));
    let is_page = |file: &Path| pages.iter().any(|page| file == out.join(&page.html));
    let mut problems = Vec::new();
    for file in files_under(out, "html").iter().filter(|file| !is_copy(file) && !is_page(file)) {
        let found = scan(&fs::read_to_string(file).unwrap_or_default());
        problems.extend(fetched_outside(&found).iter().map(|to| would_fetch(file, None, to)));
    }
    problems
}

fn would_fetch(file: &Path, line: Option<usize>, address: &str) -> Problem {
    Problem::new(file, line, format!("a browser would fetch `{address}`"))
}

fn fetched_outside(found: &Scan) -> Vec<String> {
    let mut outside: Vec<_> = found
        .references
        .iter()
        .filter(|reference| reference.is_fetched())
        .map(|reference| reference.to.clone())
        .chain(found.styles.iter().flat_map(|style| fetched_by(style)))
        .filter(|to| address::is_outside(to))
        .collect();
    if found.pre_classes.iter().any(|class| class.split(' ').any(|each| each == "playground")) {
        outside.push("https://play.rust-lang.org".into());
    }
    outside
}

/// What the style sheets of the built book fetch: nothing from outside, and nothing that is not there.
pub(crate) fn check_styles(out: &Path) -> Vec<Problem> {
    let sheets = files_under(out, "css").into_iter().map(|file| {
        let css = fs::read_to_string(&file).unwrap_or_default();
        (file, css)
    });
    sheets.flat_map(|(file, css)| check_style(&file, &css)).collect()
}

fn check_style(file: &Path, css: &str) -> Vec<Problem> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let wrong = |to: String| {
        if address::is_outside(&to) {
            Some(would_fetch(file, line_of(css, &[&to]), &to))
        } else if address::scheme(&to).is_some() || folder.join(address::split(&to).0).exists() {
            None
        } else {
            Some(Problem::new(file, line_of(css, &[&to]), format!("`{to}` does not exist")))
        }
    };
    fetched_by(css).into_iter().filter_map(wrong).collect()
}

/// What the `url(…)` and `@import "…"` of a style name.
fn fetched_by(css: &str) -> Vec<String> {
    let css = without_comments(css);
    let bare = |text: &str| text.trim().trim_matches(['"', '\'']).to_string();
    let urls = css.split("url(").skip(1).filter_map(|rest| rest.split(')').next()).map(bare);
    let imports = css.split("@import").skip(1).filter_map(|rest| rest.split(';').next());
    let imports = imports.filter(|rest| !rest.contains("url(")).map(bare);
    urls.chain(imports).collect()
}

fn without_comments(css: &str) -> String {
    let mut pieces = css.split("/*");
    let mut kept = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        kept.push_str(piece.split_once("*/").map_or("", |(_, after)| after));
    }
    kept
}
