//! Something to play with: `{{#widget gae gamma=0.5 r=0,0,1}}` becomes a figure that is alive where scripts run, and a
//! table of the same numbers where they do not. Both come from the reference: the table here and now, the figure
//! through its compiled file in `js/wasm.js`.
//!
//! What follows the name replaces what the widget starts with; [`kinds::KINDS`] says what each can be given.
//! `agrees=gae` says that the results which the figure first shows in bold stand in the transcript of that example;
//! the browser suite looks.

mod kinds;
mod still;

use crate::{page::files_under, problem::Problem};
use kinds::{KINDS, Kind, Start};
use std::{fs, path::Path};

/// What every widget stands on, before its own script.
const SHARED: [&str; 4] = ["wasm", "ppo", "controls", "plot"];

/// The figure of a directive's arguments, or what is wrong with them.
pub(crate) fn html(args: &str) -> Result<String, String> {
    let (name, rest) = args.split_once(' ').unwrap_or((args, ""));
    let kind = KINDS.iter().find(|kind| kind.name == name).ok_or_else(|| {
        let known: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        format!("there is no widget `{name}`, but {}", known.join(", "))
    })?;
    let mut start = Start::of(kind);
    let mut agrees = String::new();
    for pair in rest.split_whitespace() {
        match pair.split_once('=') {
            Some(("agrees", stem)) => agrees = format!(" data-agrees=\"{stem}\""),
            Some((key, value)) => start.set(key, value)?,
            None => return Err(format!("`{pair}` is no `key=value`")),
        }
    }
    let Kind { label, caption, still, .. } = kind;
    let still = still(&start)?;
    Ok(format!(
        "<figure class=\"widget\" data-widget=\"{name}\" data-start=\"{start}\"{agrees} aria-label=\"{label}\">\n\
         <div class=\"widget-still\">\n{still}</div>\n<figcaption>{caption}</figcaption>\n</figure>\n"
    ))
}

/// The scripts that a page with these figures loads, once each; nothing for a page without.
pub(crate) fn scripts(page: &str, depth: usize) -> String {
    let own =
        KINDS.iter().map(|kind| kind.name).filter(|name| page.contains(&format!("data-widget=\"{name}\"")));
    let own: Vec<&str> = own.collect();
    if own.is_empty() {
        return String::new();
    }
    let tag = |name: &str| format!("<script defer src=\"{}js/{name}.js\"></script>\n", "../".repeat(depth));
    SHARED.into_iter().chain(own).fold("\n".into(), |so_far, name| so_far + &tag(name))
}

/// Puts the scripts beside the pages. A book without a `js` folder has none.
pub(crate) fn write_scripts(root: &Path, out: &Path) -> Vec<Problem> {
    let from = root.join("js");
    let known = |path: &Path| {
        let name = path.file_stem().unwrap_or_default();
        SHARED.iter().any(|shared| name == *shared) || KINDS.iter().any(|kind| name == kind.name)
    };
    let copy = |path: &Path| {
        let to = out.join("js").join(path.file_name().unwrap_or_default());
        let copied = fs::create_dir_all(out.join("js")).and_then(|()| fs::copy(path, to));
        copied.err().map(|error| Problem::new(path, None, format!("this script cannot be copied: {error}")))
    };
    files_under(&from, "js").iter().filter(|path| known(path)).filter_map(|path| copy(path)).collect()
}

#[cfg(test)]
mod tests {
    use super::scripts;

    #[test]
    fn a_page_loads_the_scripts_of_its_widgets_once_and_no_other() {
        let page = "<figure data-widget=\"gae\"></figure>\n<figure data-widget=\"gae\"></figure>\n";
        let of = |name: &str| format!("<script defer src=\"../js/{name}.js\"></script>\n");
        let want: String = ["wasm", "ppo", "controls", "plot", "gae"].map(of).concat();
        assert_eq!(scripts(page, 1), format!("\n{want}"));
        assert_eq!(scripts("No widget: data-widget", 0), "");
    }
}
