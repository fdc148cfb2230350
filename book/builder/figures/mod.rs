//! Figures, drawn when the book is built and set into the page as SVG that takes its colours from the theme.
//!
//! To add one: write `figures/<name>.rs` with a `pub(super) const FIGURE: Figure` (copy `gae_weights.rs`), name its module
//! below, put it into [`ALL`], and write `{{#figure its-name}}` on a line of the page. Its numbers come from the reference
//! crate, called here and now, or from a recorded file that says how it was recorded; never from a literal. The caption
//! says what to see, and may hold `$maths$`; `text` says the same to who cannot see it, in plain words and without markup.

mod ablations;
mod bias_variance;
mod chart;
mod dots;
mod gae_lambda;
mod gae_weights;
mod kl;
mod labels;
mod ladder;
mod policy_clip;
mod reach;
mod recorded;
mod roofline;
mod training;
mod value_clip;
mod whiten;

use crate::{math::Maths, terms::escape};
pub(crate) use chart::{Chart, Curve};

/// Panels that stand side by side, or one under the other where the page is narrow.
pub(crate) struct Figure {
    /// As pages ask for it, such as `gae-weights`.
    name: &'static str,
    /// What to see, with `$maths$`.
    caption: &'static str,
    /// What is to be seen, for who cannot see it.
    text: &'static str,
    panels: fn() -> Vec<Chart>,
}

/// Every figure of the book.
const ALL: &[Figure] = &[
    kl::FIGURE,
    gae_weights::FIGURE,
    gae_lambda::FIGURE,
    bias_variance::FIGURE,
    training::CRITIC_LEVEL,
    whiten::FIGURE,
    policy_clip::FIGURE,
    value_clip::FIGURE,
    training::ENTROPY_BONUS,
    ablations::FIGURE,
];

/// `{{#figure name}}`.
pub(crate) fn html(name: &str, maths: &Maths) -> Result<String, String> {
    match name {
        reach::NAME => return reach::html(),
        roofline::NAME => return roofline::html(),
        _ => {}
    }
    let names = || ALL.iter().map(|figure| figure.name).collect::<Vec<_>>().join(", ");
    let figure = ALL.iter().find(|figure| figure.name == name);
    let Figure { caption, text, panels, .. } =
        figure.ok_or_else(|| format!("the figures are {}", names()))?;
    let (caption, bad) = maths.page(&caption.replace('\'', "’"));
    if let Some(bad) = bad.first() {
        return Err(format!("formula `{}` of its caption: {}", bad.tex, bad.what));
    }
    let panels = panels().into_iter().enumerate().map(|(k, chart)| chart.html(&format!("{name}-{k}")));
    let panels: String = panels.collect();
    Ok(format!(
        "<figure class=\"plot\" id=\"figure-{name}\">\n<div class=\"panels\" role=\"img\" aria-label=\"{}\">\n{panels}</div>\n\
         <figcaption>{caption}</figcaption>\n</figure>\n",
        escape(text).replace('"', "&quot;"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_is_drawn_with_a_caption_and_its_text() {
        for figure in ALL {
            let html = html(figure.name, &Maths::default()).unwrap();
            assert!(html.contains("<svg") && !html.contains("\n\n"), "{}", figure.name);
            assert!(figure.text.len() > 80 && figure.caption.len() > 40, "{} says too little", figure.name);
            assert!(!figure.text.contains('$'), "{}: markup in its text", figure.name);
            let ids: Vec<_> =
                html.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            assert!(ids.iter().all(|id| id.contains(figure.name)), "{}: {ids:?}", figure.name);
        }
    }

    #[test]
    fn a_name_that_is_none_is_answered_with_those_that_are() {
        let error = html("gone", &Maths::default()).unwrap_err();
        assert!(error.contains("gae-weights"), "{error}");
    }
}
