//! Markdown as mdBook reads it, with maths.

use pulldown_cmark::{Options, Parser};

/// mdBook's own options and `ENABLE_MATH`, so that what is maths here is text there and the other way round.
pub(crate) fn parser(text: &str) -> Parser<'_> {
    let options = Options::ENABLE_MATH
        | Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_GFM;
    Parser::new_ext(text, options)
}
