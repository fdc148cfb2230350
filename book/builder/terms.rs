//! Equations as a page shows them: a card with the formula, its label, and the files that hold it.

use crate::{
    code::Links,
    math::{Maths, anchor},
};
use conformance::terms::{Equation, TERMS, Term};

/// `{{#terms}}`: one card for each equation, in the order of the step.
pub(crate) fn all(maths: &Maths, code: &Links<'_>) -> Result<String, String> {
    let mut table = order();
    for term in TERMS {
        table.push_str(&section(term, maths, code)?);
    }
    Ok(table)
}

/// `{{#equation eq:gae}}`: the card of one.
pub(crate) fn one(label: &str, maths: &Maths, code: &Links<'_>) -> Result<String, String> {
    let with = |term: &'static Term| {
        term.equations.iter().find(|equation| equation.label == label).map(|equation| (term, equation))
    };
    let found = TERMS.iter().find_map(with);
    let (term, equation) = found.ok_or(format!("the table of terms has no label `{label}`"))?;
    card(term, equation, maths, code)
}

/// Every term as a link to its card.
fn order() -> String {
    let link = |term: &Term| format!("<li><a href=\"#{}\">{}</a></li>\n", id(term), escape(term.title));
    format!("<ol class=\"step\">\n{}</ol>\n\n", TERMS.iter().map(link).collect::<String>())
}

fn section(term: &Term, maths: &Maths, code: &Links<'_>) -> Result<String, String> {
    let mut html = format!("## {} {{#{}}}\n\n<div class=\"term\">\n", escape(term.title), id(term));
    for equation in term.equations {
        html.push_str(&card(term, equation, maths, code)?);
    }
    let chapter = chapter(term, code)
        .map_or(String::new(), |page| format!(" · <a href=\"{page}.html\">The chapter</a>"));
    html.push_str(&format!("<p class=\"source\">{}{chapter}</p>\n</div>\n\n", escape(term.source)));
    Ok(html)
}

/// The page that the reference's file points to, such as `gae`, once it is written.
fn chapter(term: &Term, code: &Links<'_>) -> Option<String> {
    let source = code.text(&format!("reference/src/{}.rs", term.stem))?;
    let page = source.split("/// Book: `").nth(1)?.split(".md`").next()?.to_string();
    code.has(&format!("book/src/{page}.md")).then_some(page)
}

/// One equation: what it says, its label, the function that is it, its fast path and its tests.
fn card(term: &Term, equation: &Equation, maths: &Maths, code: &Links<'_>) -> Result<String, String> {
    let &Equation { label, tex, function, .. } = equation;
    let mathml = maths.display(tex).map_err(|bad| format!("{label} cannot be set: {}", bad.what))?;
    let id = anchor(label);
    let links: String =
        files(term, equation, code).iter().map(|(what, links)| files_row(what, links)).collect();
    Ok(format!(
        "<figure class=\"equation\" id=\"{id}\">\n<div class=\"formula\">{mathml}</div>\n\
         <figcaption><a class=\"label\" href=\"#{id}\">{label}</a>\n\
         <span class=\"function\"><code>reference::{function}</code></span>\n\
         <dl>\n{links}</dl></figcaption>\n</figure>\n"
    ))
}

fn files_row(what: &str, links: &[(String, String)]) -> String {
    let link = |(text, to): &(String, String)| format!("<a href=\"{to}\" class=\"file\">{text}</a>");
    let links = links.iter().map(link).collect::<Vec<_>>().join(" ");
    format!("<div><dt>{what}</dt><dd>{links}</dd></div>\n")
}

/// Where the equation is code: what it is there, and links as text and address.
fn files(term: &Term, equation: &Equation, code: &Links<'_>) -> Vec<(&'static str, Vec<(String, String)>)> {
    let link = |file: String, function: Option<&str>| (escape(&file), code.to(&file, function));
    let (module, name) = equation.function.rsplit_once("::").unwrap_or(("lib", equation.function));
    let mut rows = vec![("code", vec![link(format!("reference/src/{module}.rs"), Some(name))])];
    if let Some(fast) = equation.fast {
        let kernels = kernels(fast.file, code).into_iter().map(|kernel| link(kernel, None));
        rows.push((
            "fast",
            [link(fast.file.into(), Some(fast.function))].into_iter().chain(kernels).collect(),
        ));
    }
    rows.push(("tests", term.tests.iter().map(|test| link(format!("tests/{test}"), None)).collect()));
    rows
}

/// The kernels of a fast path, for vectors and for a GPU: in its own folder, or in that of the pass that it calls.
fn kernels(fast: &str, code: &Links<'_>) -> Vec<String> {
    const PASS: &str = "token_pass";
    let calls = code.text(fast).is_some_and(|text| text.contains(&format!("{PASS}::{{")));
    let own = fast.trim_end_matches("/mod.rs").trim_end_matches(".rs");
    let folder = if calls { format!("optimized/src/{PASS}") } else { own.into() };
    let kernels = ["lanes.rs", "kernel.cu"].map(|name| format!("{folder}/{name}"));
    kernels.into_iter().filter(|kernel| code.has(kernel)).collect()
}

fn id(term: &Term) -> String {
    term.stem.replace('_', "-")
}

/// The first heading of a page.
pub(crate) fn title_of(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or("a page").trim()
}

/// Text as HTML shows it.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
