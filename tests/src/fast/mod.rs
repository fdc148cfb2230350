//! The table of fast terms: how each runs on a backend, on which inputs, and what the reference says of them.
//!
//! A term stands here once, and every suite of `tests/differential/fast` runs over all of them: the same bits
//! on every backend and thread count, the budget against the reference, poison, sentinels, layouts, parts
//! and golden hashes.

mod aggregate;
mod batch;
mod case;
mod entropy;
mod gae;
mod kl;
mod laid;
mod log_prob;
mod logits;
mod outputs;
mod policy_loss;
mod returns;
mod reward;
mod room;
mod step;
mod token_pass;
mod total_loss;
mod truth;
mod value_loss;
mod whiten;

pub use batch::Batch;
pub use case::{Case, Got, in_parts};
pub use laid::{Laid, Layout};
pub use outputs::{Outputs, Value};
pub use room::Room;
pub use truth::{Judged, Want, judge};

use optimized::Backend;
use reference::{Agg, CountRows};

/// One term of the fast path.
#[derive(Debug, Clone, Copy)]
pub struct Term {
    /// Its name in every crate.
    pub stem: &'static str,
    /// Its cases: every option in one of them, every edge of a block too.
    pub cases: fn() -> Vec<Case>,
    /// Whether a token's result depends on later tokens of its row, as that of a recursion does.
    pub looks_ahead: bool,
    /// Whether a token's result depends on other rows by more than their counts.
    pub across_rows: bool,
}

impl Term {
    /// The backends of this machine that have it.
    pub fn backends(&self) -> Vec<Backend> {
        Backend::with(self.stem)
    }

    /// The fallback, the best level of the CPU, and what is no level: where every one would be many times the same.
    pub fn unlike(&self) -> Vec<Backend> {
        let (fallback, best) = (Backend::available()[0], Backend::best());
        self.backends().into_iter().filter(|on| *on == fallback || *on == best || on.is_device()).collect()
    }

    /// What lacks it, for the end of a line: ` (not on cuda)`.
    pub fn lacking(&self) -> String {
        let lack = Backend::available().into_iter().filter(|on| !on.has(self.stem));
        lack.map(|on| format!(" (not on {on} yet)")).collect()
    }
}

/// Every way to aggregate, for the losses to go through. Neither scale is a power of two.
pub(crate) const AGGS: [Agg; 9] = [
    Agg::TokenMean,
    Agg::SeqMeanTokenMean { rows: CountRows::WithTokens },
    Agg::TokenSumNorm { scale: 1000.0 },
    Agg::SeqMeanTokenSum { rows: CountRows::WithTokens },
    Agg::SeqMeanTokenMean { rows: CountRows::All },
    Agg::SeqMeanTokenSumNorm { rows: CountRows::WithTokens, scale: 300.1 },
    Agg::TokenSum,
    Agg::SeqMeanTokenSum { rows: CountRows::All },
    Agg::SeqMeanTokenSumNorm { rows: CountRows::All, scale: 70.3 },
];

/// Every fast term, in the order of the step.
pub const TERMS: &[Term] = &[
    log_prob::TERM,
    kl::TERM,
    reward::TERM,
    gae::TERM,
    whiten::TERM,
    returns::TERM,
    policy_loss::TERM,
    value_loss::TERM,
    entropy::TERM,
    token_pass::TERM,
    aggregate::TERM,
    total_loss::TERM,
    step::TERM,
];

/// Whether each backend of this machine that has the term gives the bits of the fallback: on the term's small cases, so that a
/// command can ask.
///
/// # Panics
///
/// If the fast path refuses a case.
pub fn bits_equal(term: &Term) -> Vec<(Backend, bool)> {
    let cases: Vec<Case> = (term.cases)().into_iter().filter(|case| case.batch.size() <= 10_000).collect();
    let all = |on: Backend| -> Vec<Outputs> { cases.iter().map(|case| case.plain(on)).collect() };
    let backends = term.backends();
    let wanted = all(backends[0]);
    let equal = |on: Backend| all(on).iter().zip(&wanted).all(|(got, want)| got.difference(want).is_none());
    backends.into_iter().map(|on| (on, equal(on))).collect()
}
