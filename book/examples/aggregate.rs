//! What the chapter on aggregation shows: `cargo run -p ppo-book --example aggregate`.

use book::Transcript;
use nalgebra::{DMatrix, dmatrix};
use optimized::Backend;
use reference::{
    Agg, CountRows, Mask,
    aggregate::{aggregate, aggregate_grad},
};

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    by_hand(&mut page);
    weights(&mut page);
    empty(&mut page);
    micro(&mut page);
    padding(&mut page);
    fast(&mut page);
    page
}

/// The six modes; S is the width of the batch.
const MODES: [(&str, Agg); 6] = {
    let rows = CountRows::WithTokens;
    [
        ("token-mean", Agg::TokenMean),
        ("token-sum", Agg::TokenSum),
        ("seq-mean-token-sum", Agg::SeqMeanTokenSum { rows }),
        ("seq-mean-token-mean", Agg::SeqMeanTokenMean { rows }),
        ("seq-mean-token-sum-norm", Agg::SeqMeanTokenSumNorm { rows, scale: 4.0 }),
        ("the same, January 2026", Agg::TokenSumNorm { scale: 4.0 }),
    ]
};

/// A response of four tokens and one of a single token.
fn losses() -> (DMatrix<f64>, Mask) {
    let nan = f64::NAN;
    (dmatrix![1.0, 2.0, 3.0, 4.0; 9.0, nan, nan, nan], Mask::from_rows(&[[1, 1, 1, 1], [1, 0, 0, 0]]))
}

// ANCHOR: by_hand
fn by_hand(page: &mut Transcript) {
    let (q, mask) = losses();
    page.section("by-hand");
    for row in 0..2 {
        page.row(&format!("q, row {row}"), q.row(row).iter(), 1);
    }
    page.section("modes");
    for (name, agg) in MODES {
        page.line(format!("{name:<25}{:>8.4}", aggregate(&q, &mask, agg)));
    }
}
// ANCHOR_END: by_hand

/// What a token of either row counts.
fn weights(page: &mut Transcript) {
    let (_, mask) = losses();
    page.section("weights");
    page.line(format!("{:<25}{:>8}{:>8}{:>8}", "weight of a token", "row 0", "row 1", "ratio"));
    for (name, agg) in MODES {
        let weight = aggregate_grad(&mask, agg);
        let (long, short) = (weight[(0, 0)], weight[(1, 0)]);
        page.line(format!("{name:<25}{long:>8.4}{short:>8.4}{:>8.4}", short / long));
    }
}

/// A third row without a token: whether a mean over rows counts it.
fn empty(page: &mut Transcript) {
    let (q, _) = losses();
    let q = q.insert_row(2, 0.0);
    let mask = Mask::from_rows(&[[1, 1, 1, 1], [1, 0, 0, 0], [0, 0, 0, 0]]);
    page.section("empty");
    for rows in [CountRows::WithTokens, CountRows::All] {
        let sums = aggregate(&q, &mask, Agg::SeqMeanTokenSum { rows });
        let means = aggregate(&q, &mask, Agg::SeqMeanTokenMean { rows });
        page.line(format!("{rows:<12?} seq-mean-token-sum {sums:.4}   seq-mean-token-mean {means:.4}"));
    }
}

/// Policy losses −Â of a first update: one token with Â = 1 and three with Â = −1, in one batch or in two parts.
fn micro(page: &mut Transcript) {
    let (q, mask) = (dmatrix![-1.0, 0.0, 0.0; 1.0, 1.0, 1.0], Mask::from_rows(&[[1, 0, 0], [1, 1, 1]]));
    let part = |row: usize| {
        let of_row = Mask::new(DMatrix::from_fn(1, 3, |_, t| mask.has((row, t))));
        aggregate(&q.rows(row, 1).into_owned(), &of_row, Agg::TokenMean)
    };
    page.section("micro");
    page.line(format!("one batch:                   {:.4}", aggregate(&q, &mask, Agg::TokenMean)));
    page.line(format!("the mean of two parts' means: {:.4}", (part(0) + part(1)) / 2.0));
    // Each part divided by the whole batch's tokens, added up: right. Divided by the number of parts once more: wrong.
    let share = |row: usize| part(row) * if row == 0 { 1.0 } else { 3.0 } / 4.0;
    page.line(format!("the sum of two parts' shares: {:.4}", share(0) + share(1)));
    page.line(format!("their mean:                   {:.4}", (share(0) + share(1)) / 2.0));
}

fn padding(page: &mut Transcript) {
    let (q, mask) = losses();
    let zeroed = q.map(|q| if q.is_nan() { 0.0 } else { q });
    page.section("padding");
    page.line(format!("mean over the tokens:     {:.4}", aggregate(&q, &mask, Agg::TokenMean)));
    page.line(format!("mean over all slots:      {:.4}", zeroed.mean()));
    let wider = zeroed.insert_columns(4, 4, 0.0);
    page.line(format!("the same, twice as wide:  {:.4}", wider.mean()));
    let m = DMatrix::from_fn(2, 4, |row, t| f64::from(mask.has((row, t))));
    page.line(format!("Σ m q / Σ m with NaN at a masked slot: {}", q.component_mul(&m).sum() / m.sum()));
}

/// In f32: on every backend, and as parts that are merged.
fn fast(page: &mut Transcript) {
    let (q, valid) = ([1.0_f32, 2.0, 3.0, 4.0, 9.0, 0.0, 0.0, 0.0], [1, 1, 1, 1, 1, 0, 0, 0].map(|m| m == 1));
    let mask = optimized::Mask::padded(&valid, 2, 4).expect("two rows of four");
    let agg = optimized::Agg::TokenMean;
    let on = |backend: Backend| optimized::aggregate(backend, &q, &mask, agg).expect("the arguments fit");
    page.section("fast");
    let made = on(Backend::best());
    page.line(format!("token-mean in f32: {made}"));
    let other = Backend::available().into_iter().filter(|backend| on(*backend).to_bits() != made.to_bits());
    page.line(format!("backends of this machine with other bits: {}", other.count()));
    let part = |row: usize| {
        let (q, valid) = (&q[4 * row..4 * row + 4], &valid[4 * row..4 * row + 4]);
        let of_row = optimized::Mask::padded(valid, 1, 4).expect("one row of four");
        let of_row = of_row.part_of(row as u64, mask.counts());
        optimized::aggregate_sums(Backend::best(), q, &of_row, agg).expect("the arguments fit")
    };
    let merged = part(0).merge(part(1)).expect("they follow").finish(agg).expect("there are tokens");
    page.line(format!(
        "two parts, merged, with other bits: {}",
        usize::from(merged.to_bits() != made.to_bits())
    ));
}
