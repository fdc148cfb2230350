//! Maths as MathML: each `$…$` and `$$…$$` of a page is set when the book is built, and no browser runs a script
//! for it.

use crate::{markdown, problem::line_at};
use conformance::terms::TERMS;
use math_core::{LatexToMathML, MathDisplay};
use pulldown_cmark::{Event, Tag, TagEnd};
use std::ops::Range;

/// Turns LaTeX into MathML.
#[derive(Default)]
pub(crate) struct Maths {
    latex: LatexToMathML,
}

/// A formula that cannot be set, or that carries a label nobody knows.
pub(crate) struct BadFormula {
    pub(crate) tex: String,
    pub(crate) what: String,
}

impl Maths {
    /// One formula on a line of its own.
    pub(crate) fn display(&self, tex: &str) -> Result<String, BadFormula> {
        self.set(tex, MathDisplay::Block)
    }

    /// The text with every formula set, and what is wrong with those that were left as they stood.
    pub(crate) fn page(&self, text: &str) -> (String, Vec<BadFormula>) {
        let (mut page, mut bad, mut done) = (String::with_capacity(2 * text.len()), Vec::new(), 0);
        let mut in_code = false;
        for (event, range) in markdown::parser(text).into_offset_iter() {
            let (tex, display) = match event {
                Event::Start(Tag::CodeBlock(_)) | Event::End(TagEnd::CodeBlock) => {
                    in_code = !in_code;
                    continue;
                }
                Event::Text(_) if !in_code => {
                    bad.extend(stray_dollar(text, range));
                    continue;
                }
                Event::InlineMath(tex) => (tex, MathDisplay::Inline),
                Event::DisplayMath(tex) => (tex, MathDisplay::Block),
                _ => continue,
            };
            page.push_str(&text[done..range.start]);
            done = range.end;
            match self.labelled(&tex, display) {
                Ok(mathml) if display == MathDisplay::Inline => {
                    let mark = closing_mark(&text[done..]);
                    done += mark.len();
                    page.push_str(&kept_together(&mathml, mark));
                }
                Ok(mathml) => page.push_str(&mathml),
                Err(formula) => {
                    page.push_str(&text[range]);
                    bad.push(formula);
                }
            }
        }
        page.push_str(&text[done..]);
        (page, bad)
    }

    /// A formula shielded from Markdown, behind one anchor for each of its labels.
    fn labelled(&self, tex: &str, display: MathDisplay) -> Result<String, BadFormula> {
        let mut marked = String::new();
        for label in labels(tex) {
            if !is_known(label) {
                let what = format!("the table of terms has no label `{label}`");
                return Err(BadFormula { tex: tex.into(), what });
            }
            marked.push_str(&format!(r#"<span id="{}"></span>"#, anchor(label)));
        }
        marked.push_str(&shield(&self.set(tex, display)?));
        Ok(marked)
    }

    fn set(&self, tex: &str, display: MathDisplay) -> Result<String, BadFormula> {
        let set = self.latex.convert_with_local_state(tex, display);
        let set = set.map_err(|error| BadFormula { tex: tex.into(), what: error.error_message() })?;
        Ok(set.mathml)
    }
}

/// What closes a clause right behind a formula.
fn closing_mark(text: &str) -> &str {
    let end = text.find(|c| !",.;:?!)".contains(c)).unwrap_or(text.len());
    &text[..end]
}

/// A browser may break a line between a formula and its full stop.
fn kept_together(mathml: &str, mark: &str) -> String {
    if mark.is_empty() { mathml.into() } else { format!(r#"<span class="nobr">{mathml}{mark}</span>"#) }
}

/// A dollar sign left in the prose. What has unbalanced braces is no formula to the parser, but it was meant as one.
fn stray_dollar(text: &str, range: Range<usize>) -> Option<BadFormula> {
    let stray = |at: &usize| !text[..*at].ends_with('\\');
    let at = text[range.clone()].match_indices('$').map(|(at, _)| range.start + at).find(stray)?;
    let line = text.lines().nth(line_at(text, at) - 1).unwrap_or_default();
    let what = "this is no formula: balance its braces, put no blank inside single dollars, or write \\$ for the sign";
    Some(BadFormula { tex: line.trim().into(), what: what.into() })
}

/// What stands after `#` in the address of an equation: `eq-gae` for `eq:gae`.
pub(crate) fn anchor(label: &str) -> String {
    label.replace(':', "-")
}

/// What the `\tag`s of a formula hold.
fn labels(tex: &str) -> impl Iterator<Item = &str> {
    tex.split(r"\tag{").skip(1).filter_map(|rest| rest.split('}').next())
}

fn is_known(label: &str) -> bool {
    TERMS.iter().flat_map(|term| term.equations).any(|equation| equation.label == label)
}

/// MathML goes back into Markdown as inline HTML, so its own `*`, `_`, `|`, quotes, … must not be read as Markdown,
/// nor made typographic.
fn shield(mathml: &str) -> String {
    let (mut shielded, mut in_tag) = (String::with_capacity(mathml.len()), false);
    for c in mathml.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                shielded.push(c);
                continue;
            }
            _ => {}
        }
        match c {
            '\n' => shielded.push(' '),
            '&' | '#' | ';' => shielded.push(c),
            c if !in_tag && c.is_ascii_punctuation() => shielded.push_str(&format!("&#{};", u32::from(c))),
            c => shielded.push(c),
        }
    }
    shielded
}
