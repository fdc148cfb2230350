//! The table of terms as a page shows it: `{{#terms}}` becomes one card for each equation, in the order of the step.

use crate::{
    math::{Maths, anchor},
    problem::Problem,
};
use conformance::terms::{Equation, TERMS, Term};
use std::path::Path;

/// Where the table is written, from the root of the repository.
const TABLE: &str = "tests/src/terms.rs";

/// The page with its table, and what is wrong with the formulas of that.
pub(crate) fn expand(page: &str, maths: &Maths) -> (String, Vec<Problem>) {
    if !page.contains("{{#terms}}") {
        return (page.into(), Vec::new());
    }
    let (mut table, mut problems) = (order(), Vec::new());
    for term in TERMS {
        table.push_str(&card(term, maths, &mut problems));
    }
    (page.replace("{{#terms}}", &table), problems)
}

/// Every term as a link to its card.
fn order() -> String {
    let link = |term: &Term| format!("<li><a href=\"#{}\">{}</a></li>\n", id(term), escape(term.title));
    format!("<ol class=\"step\">\n{}</ol>\n\n", TERMS.iter().map(link).collect::<String>())
}

fn card(term: &Term, maths: &Maths, problems: &mut Vec<Problem>) -> String {
    let mut html = format!("## {} {{#{}}}\n\n<div class=\"term\">\n", escape(term.title), id(term));
    for equation in term.equations {
        match figure(equation, maths) {
            Ok(figure) => html.push_str(&figure),
            Err(problem) => problems.push(problem),
        }
    }
    html.push_str(&format!("<p class=\"source\">{}</p>\n</div>\n\n", escape(term.source)));
    html
}

/// One equation: what it says, its label, and the function that is it.
fn figure(equation: &Equation, maths: &Maths) -> Result<String, Problem> {
    let &Equation { label, tex, function, .. } = equation;
    let mathml = maths.display(tex).map_err(|bad| {
        Problem::new(Path::new(TABLE), None, format!("the formula of {label} cannot be set: {}", bad.what))
    })?;
    let (id, file) = (anchor(label), file_of(function));
    Ok(format!(
        "<figure class=\"equation\" id=\"{id}\">\n\
         <div class=\"formula\">{mathml}</div>\n\
         <figcaption><a class=\"label\" href=\"#{id}\">{label}</a>\n\
         <span class=\"code\"><code>reference::{function}</code> <code class=\"file\">{file}</code></span>\
         </figcaption>\n</figure>\n"
    ))
}

/// `reference/src/gae.rs` for `gae::gae`.
fn file_of(function: &str) -> String {
    let module = function.rsplit_once("::").map_or("lib", |(module, _)| module);
    format!("reference/src/{}.rs", module.replace("::", "/"))
}

fn id(term: &Term) -> String {
    term.stem.replace('_', "-")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
