//! Every public function of the reference that takes a mask, with arguments that can be poisoned.
//!
//! Token ids and flags travel as numbers here, so that they can be poisoned too: a NaN is id 0, ∞ and 1e30
//! are ids past any vocabulary, and all four are a set flag.

use super::{Arg, Reach, losses, rollout, whole};
use crate::case::Case;
use nalgebra::{DMatrix, DVector, RowDVector};
use reference::{Agg, CountRows, Ends, EpsAt, Kl, ShiftMean, ValueClip, Variance, Whitening};

/// Named results, flattened.
pub(super) type Results = Vec<(&'static str, Vec<f64>)>;

/// From the arguments to everything that comes out.
pub(super) type Function = dyn Fn(&[DMatrix<f64>]) -> Results;

/// The results that are b × t_len, whose masked slots must hold +0.
pub(super) const PER_SLOT: [&str; 23] = [
    "keep",
    "v",
    "log π",
    "H",
    "r",
    "r without KL",
    "s",
    "δ",
    "sum",
    "recursion",
    "R",
    "adv",
    "per token",
    "ratio",
    "grad",
    "k",
    "slope",
    "own grad",
    "straight-through grad",
    "adv_raw",
    "grad V",
    "grad H",
    "grad log π",
];

/// One function or a pair of function and gradient.
pub(super) struct Term {
    pub(super) name: String,
    pub(super) args: Vec<Arg>,
    pub(super) results: Box<Function>,
    /// (argument, result) where the argument is no operand of the result; `*` is every result.
    pub(super) deaf: &'static [(&'static str, &'static str)],
}

pub(super) const WIDTH: usize = 3;

/// Every term on the mask of a case, in the order of the step.
pub(super) fn terms(case: &Case) -> Vec<Term> {
    let mut all = vec![
        rollout::mask_itself(case),
        rollout::head(case),
        rollout::log_probs(case),
        rollout::entropies(case),
        rollout::paid_per_token(case),
    ];
    all.extend([
        rollout::paid_per_row(case),
        rollout::credit(case),
        rollout::fit(case),
        whole::whole_step(case),
        whole::whole_iteration(case),
    ]);
    all.extend(whitenings().into_iter().map(|how| rollout::whitened(case, how)));
    for agg in modes() {
        all.push(losses::aggregated(case, agg));
        all.push(losses::actor(case, agg));
        all.extend(
            [ValueClip::Max, ValueClip::ClippedOnly, ValueClip::Off]
                .map(|form| losses::critic(case, form, agg)),
        );
        all.extend([Kl::K1, Kl::Abs, Kl::K2, Kl::K3].map(|kind| losses::anchor(case, kind, agg)));
    }
    all
}

fn modes() -> [Agg; 6] {
    let rows = CountRows::WithTokens;
    [
        Agg::TokenMean,
        Agg::TokenSum,
        Agg::SeqMeanTokenSum { rows },
        Agg::SeqMeanTokenMean { rows: CountRows::All },
        Agg::SeqMeanTokenSumNorm { rows, scale: 5.0 },
        Agg::TokenSumNorm { scale: 5.0 },
    ]
}

fn whitenings() -> [Whitening; 3] {
    let of = |variance, eps_at, shift_mean| Whitening { variance, eps_at, eps_w: 1e-8, shift_mean };
    [
        of(Variance::Sample, EpsAt::Std, ShiftMean::Yes),
        of(Variance::Population, EpsAt::UnderRoot, ShiftMean::No),
        of(Variance::Sample, EpsAt::VarFloor, ShiftMean::Yes),
    ]
}

/// b × t_len numbers, ordinary ones in masked slots too: that is the run to compare with.
pub(super) fn slots(case: &Case, name: &'static str, purpose: u64) -> Arg {
    Arg { name, reach: Reach::Slots, x: case.rng(purpose).matrix(case.b(), case.t_len(), 1.0) }
}

pub(super) fn flags(case: &Case, name: &'static str) -> Arg {
    Arg { name, reach: Reach::Slots, x: DMatrix::zeros(case.b(), case.t_len()) }
}

pub(super) fn ids(case: &Case) -> Arg {
    let ids = case.rng(90).ids(case.b(), case.t_len(), WIDTH);
    Arg { name: "actions", reach: Reach::Slots, x: ids.map(|id| id as f64) }
}

pub(super) fn rows(case: &Case, name: &'static str, purpose: u64) -> Arg {
    Arg { name, reach: Reach::Rows, x: case.rng(purpose).matrix(case.b(), 1, 1.0) }
}

/// One matrix of t_len × width for each sequence, which close the list of arguments.
pub(super) fn states(case: &Case, name: &'static str, mut before: Vec<Arg>) -> Vec<Arg> {
    let one = |row: usize| case.rng(70 + row as u64).matrix(case.t_len(), WIDTH, 1.0);
    before.extend((0..case.b()).map(|row| Arg { name, reach: Reach::States(row), x: one(row) }));
    before
}

pub(super) fn flat(x: &DMatrix<f64>) -> Vec<f64> {
    x.as_slice().to_vec()
}

pub(super) fn flat_all(x: &[DMatrix<f64>]) -> Vec<f64> {
    x.iter().flat_map(flat).collect()
}

pub(super) fn to_ids(x: &DMatrix<f64>) -> DMatrix<usize> {
    x.map(|id| id as usize)
}

pub(super) fn ends(
    v_last: &DMatrix<f64>,
    v_boot: &DMatrix<f64>,
    terminated: &DMatrix<f64>,
    truncated: &DMatrix<f64>,
) -> Ends {
    let set = |x: &DMatrix<f64>| x.map(|flag| flag != 0.0);
    Ends {
        v_last: DVector::from_column_slice(v_last.as_slice()),
        v_boot: v_boot.clone(),
        terminated: set(terminated),
        truncated: set(truncated),
    }
}

pub(super) fn weights() -> RowDVector<f64> {
    RowDVector::from_row_slice(&[0.5, -1.25, 0.75])
}
