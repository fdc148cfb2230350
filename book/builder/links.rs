//! Every link of a built page leads somewhere inside the book: to a page, to an id on a page, or to a file beside it.
//! A Markdown link to a file of the repository has become one to its page by now, see `code.rs`; one that still leaves
//! the book would lead nowhere once the book is somewhere else.

use crate::{
    address,
    html::{Scan, scan},
    page::Page,
    problem::{Problem, line_of},
};
use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
};

/// Looks up links, and remembers the ids of the pages that it has read.
pub(crate) struct Links<'a> {
    out: &'a Path,
    ids: HashMap<PathBuf, HashSet<String>>,
}

impl<'a> Links<'a> {
    pub(crate) fn of(out: &'a Path) -> Self {
        Links { out, ids: HashMap::new() }
    }

    /// The dead links of a page, and the ids that it gives twice.
    pub(crate) fn check(&mut self, page: &Page, found: &Scan) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut seen = HashSet::new();
        for id in found.ids.iter().filter(|id| !seen.insert(*id)) {
            problems.push(Problem::new(
                &page.source,
                None,
                format!("the id `{id}` stands twice on this page"),
            ));
        }
        for reference in found.references.iter().filter(|reference| !address::is_outside(&reference.to)) {
            if let Err(why) = self.look_up(&reference.to, page) {
                let line = line_of_link(&page.text, &reference.to);
                problems.push(Problem::new(
                    &page.source,
                    line,
                    format!("dead link `{}`: {why}", reference.to),
                ));
            }
        }
        problems
    }

    fn look_up(&mut self, link: &str, page: &Page) -> Result<(), String> {
        if address::scheme(link).is_some() {
            return Ok(());
        }
        let (file, fragment) = address::split(link);
        let here = page.html.parent().unwrap_or(Path::new(""));
        let target = if file.is_empty() { page.html.clone() } else { here.join(&file) };
        let Some(target) = address::within(&target) else {
            let from = page.source.parent().unwrap_or(Path::new(""));
            return if from.join(&file).exists() {
                Err("only a Markdown link to a file can leave the book".into())
            } else {
                Err("no such file in the repository".into())
            };
        };
        let target = if self.out.join(&target).is_dir() { target.join("index.html") } else { target };
        if !self.out.join(&target).is_file() {
            return Err("no such page or file".into());
        }
        match fragment {
            Some(id) if !id.is_empty() && !self.has(&target, &id) => {
                Err(format!("no `#{id}` on {}", target.display()))
            }
            _ => Ok(()),
        }
    }

    fn has(&mut self, html: &Path, id: &str) -> bool {
        let read = || {
            let text = fs::read_to_string(self.out.join(html)).unwrap_or_default();
            scan(&text).ids.into_iter().collect()
        };
        self.ids.entry(html.to_path_buf()).or_insert_with(read).contains(id)
    }
}

/// mdBook has made `.html` of `.md`, so a link is looked for as it was and as it is.
fn line_of_link(text: &str, link: &str) -> Option<usize> {
    let (was, is) = (link.replacen(".html", ".md", 1), link);
    let forms = [format!("({was})"), format!("({is})"), format!("\"{was}\""), was, is.into()];
    line_of(text, &forms.each_ref().map(String::as_str))
}
