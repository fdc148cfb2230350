//! What this book puts in the place of a directive that stands alone on its line.
//!
//! | directive | becomes |
//! |---|---|
//! | `{{#map}}` | the step as boxes that lead to their chapters |
//! | `{{#terms}}` | a card for each equation of the table of terms |
//! | `{{#equation eq:gae}}` | the card of one: formula, label, and the files that hold it |
//! | `{{#output gae deltas}}` | a section of `listings/gae.txt`, what an example printed |
//! | `{{#figure gae-weights}}` | a figure of `builder/figures/`, drawn now |
//! | `{{#record speed-avx2 value_loss}}` | measured times from `benches/results/`, with their machine |
//! | `{{#choices}}`, `{{#dialects}}` | every point of choice, every trainer, as `ppo check` knows them |
//! | `{{#widget gae}}` | something to play with |

use crate::{
    choices, code, directive::Directive, figures, map, math::Maths, records, terms, transcript, widgets,
};
use std::path::Path;

/// What the blocks are made from.
pub(crate) struct Blocks<'a> {
    /// The folder with `book.toml`.
    pub(crate) root: &'a Path,
    pub(crate) maths: &'a Maths,
}

impl Blocks<'_> {
    /// HTML or Markdown for the place of a directive on a page so many folders deep, or what is wrong with it.
    pub(crate) fn expand(&self, directive: Directive<'_>, depth: usize) -> Result<String, String> {
        let Directive { name, args, .. } = directive;
        let code = code::Links { root: self.root, depth };
        match name {
            "terms" if args.is_empty() => terms::all(self.maths, &code),
            "map" if args.is_empty() => Ok(map::html(self.root)),
            "equation" => terms::one(args, self.maths, &code),
            "output" => transcript::section_of(self.root, args).map(|text| format!("```text\n{text}\n```")),
            "figure" => figures::html(args, self.maths),
            "record" => records::table(self.root, args, &code),
            "choices" if args.is_empty() => Ok(choices::table()),
            "dialects" if args.is_empty() => Ok(choices::trainers()),
            "widget" => widgets::html(args),
            _ => Err(format!("`{args}` is nothing it takes")),
        }
    }
}
