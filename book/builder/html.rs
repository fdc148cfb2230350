//! What built HTML says about itself and about other files: ids, references, styles.

use html5ever::{
    Attribute, TokenizerResult,
    tendril::StrTendril,
    tokenizer::{
        BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::RawKind,
    },
};
use std::cell::{Cell, RefCell};

/// An attribute that names a file or an address.
pub(crate) struct Reference {
    /// `a`, `img`, `script`, …
    pub(crate) tag: String,
    /// What it names.
    pub(crate) to: String,
}

impl Reference {
    /// Whether a browser asks for it without a click.
    pub(crate) fn is_fetched(&self) -> bool {
        !matches!(self.tag.as_str(), "a" | "area")
    }
}

/// All that the checks need of one page.
#[derive(Default)]
pub(crate) struct Scan {
    pub(crate) ids: Vec<String>,
    pub(crate) references: Vec<Reference>,
    /// The text of `<style>` and of `style="…"`.
    pub(crate) styles: Vec<String>,
    /// The classes of `<pre>`, where mdBook marks code that can be sent away to be run.
    pub(crate) pre_classes: Vec<String>,
}

/// Reads a page.
pub(crate) fn scan(html: &str) -> Scan {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let tokenizer = Tokenizer::new(Sink::default(), TokenizerOpts::default());
    while !matches!(tokenizer.feed(&input), TokenizerResult::Done) {}
    tokenizer.end();
    tokenizer.sink.scan.take()
}

#[derive(Default)]
struct Sink {
    scan: RefCell<Scan>,
    in_style: Cell<bool>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) => return self.tag(&tag),
            Token::CharacterTokens(text) if self.in_style.get() => {
                self.scan.borrow_mut().styles.push(text.to_string());
            }
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl Sink {
    /// What stands in a script or a style is not HTML.
    fn tag(&self, tag: &Tag) -> TokenSinkResult<()> {
        let (name, opens) = (&*tag.name, tag.kind == TagKind::StartTag);
        self.in_style.set(opens && name == "style");
        if opens {
            tag.attrs.iter().for_each(|attribute| self.attribute(name, attribute));
        }
        match name {
            "script" if opens => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" if opens => TokenSinkResult::RawData(RawKind::Rawtext),
            _ => TokenSinkResult::Continue,
        }
    }

    fn attribute(&self, tag: &str, attribute: &Attribute) {
        let (value, mut scan) = (attribute.value.to_string(), self.scan.borrow_mut());
        let mut refer = |to: &str| scan.references.push(Reference { tag: tag.into(), to: to.trim().into() });
        match &*attribute.name.local {
            "href" | "xlink:href" | "src" | "poster" => refer(&value),
            "data" if tag == "object" => refer(&value),
            "srcset" => value.split(',').filter_map(|each| each.split_whitespace().next()).for_each(refer),
            "id" => scan.ids.push(value),
            "style" => scan.styles.push(value),
            "class" if tag == "pre" => scan.pre_classes.push(value),
            _ => {}
        }
    }
}
