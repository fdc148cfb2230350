//! The reference as the book's pages call it.
//!
//! A page computes nothing of its own: each widget hands numbers to one function here, which checks them, calls the
//! functions of `reference`, and answers with what those said. So a digit in the page is the crate's digit.
//!
//! | function | what it shows | equations |
//! |---|---|---|
//! | [`gae`] | δ and Â of one row, and how much of each δ is in each Â | `eq:td-residual`, `eq:gae`, `eq:return` |
//! | [`whiten`] | advantages before and after | `eq:whiten` |
//! | [`policy_clip`] | loss and gradient of one token, and along a range of ρ | `eq:ratio`, `eq:policy-loss` |
//! | [`value_clip`] | the same for a value, along a range of V | `eq:value-clip`, `eq:value-loss` |
//! | [`entropy`] | a distribution, its entropy, the gradient | `eq:log-prob`, `eq:entropy` |
//! | [`step`] | one iteration of a tiny actor-critic, epoch by epoch | all of them |
//! | [`level`] | a critic fitted round after round | `eq:return`, `eq:whiten` |
//!
//! Inputs and outputs are plain numbers: a list is its length and then its entries, a choice is its place in the
//! order of its enum, a flag is 0 or 1. Bad input is answered with one sentence; nothing panics, because a panic in a
//! page is a trap that ends the module.
#![deny(unsafe_code)]

mod border;
mod read;

pub mod entropy;
pub mod gae;
pub mod level;
pub mod policy_clip;
pub mod step;
pub mod value_clip;
pub mod whiten;

pub use read::Reader;

/// What a call answers: its outputs in order, each a list, or one sentence.
pub type Answer = Result<Vec<Vec<f64>>, String>;

/// A function that a page calls.
pub type Call = fn(Reader<'_>) -> Answer;

/// Every call by the name that a page uses.
pub const CALLS: [(&str, Call); 7] = [
    ("gae", gae::gae),
    ("whiten", whiten::whiten),
    ("policy_clip", policy_clip::policy_clip),
    ("value_clip", value_clip::value_clip),
    ("entropy", entropy::entropy),
    ("step", step::step),
    ("level", level::level),
];

/// Calls by name.
///
/// # Errors
///
/// If there is no such call, or its input is not what it takes.
pub fn call(name: &str, input: &[f64]) -> Answer {
    let found = CALLS.iter().find(|(known, _)| *known == name);
    let (known, call) = found.ok_or_else(|| format!("{name} is no call of the page"))?;
    call(Reader::new(known, input))
}

/// A number as the page writes it, with this many decimals; at most 17.
pub fn shown(x: f64, decimals: u32) -> String {
    format!("{x:.*}", decimals.min(17) as usize)
}
