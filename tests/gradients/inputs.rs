//! What the files of this suite share: the mask, the modes of aggregation, and numbers on the grid.

use crate::differences::U;
use conformance::cases::{Rng, mask, on_grid};
use nalgebra::DMatrix;
use reference::{Agg, CountRows, Mask};

/// Rows of three, two, no and four tokens, with a gap inside, one in front, and nothing: every mode of
/// aggregation gives another weight, and b ≠ L.
pub(crate) fn ragged() -> Mask {
    mask("10110/01100/00000/11110")
}

/// All six modes, each that counts rows with both ways to count them.
pub(crate) fn modes() -> Vec<Agg> {
    let mut all = vec![Agg::TokenMean, Agg::TokenSum, Agg::TokenSumNorm { scale: 5.0 }];
    for rows in [CountRows::WithTokens, CountRows::All] {
        all.push(Agg::SeqMeanTokenSum { rows });
        all.push(Agg::SeqMeanTokenMean { rows });
        all.push(Agg::SeqMeanTokenSumNorm { rows, scale: 5.0 });
    }
    all
}

/// What a token of this row weighs, from the words of each mode and not from the code.
pub(crate) fn weight(mask: &Mask, agg: Agg, row: usize) -> f64 {
    let filled = (0..mask.shape().0).filter(|row| !mask.tokens_of(*row).is_empty()).count();
    let n_seq = |rows| match rows {
        CountRows::WithTokens => filled as f64,
        CountRows::All => mask.shape().0 as f64,
    };
    let n_b = mask.tokens_of(row).len() as f64;
    match agg {
        Agg::TokenMean => 1.0 / mask.count() as f64,
        Agg::TokenSum => 1.0,
        Agg::SeqMeanTokenSum { rows } => 1.0 / n_seq(rows),
        Agg::SeqMeanTokenMean { rows } => 1.0 / (n_seq(rows) * n_b),
        Agg::SeqMeanTokenSumNorm { rows, scale } => 1.0 / (n_seq(rows) * scale),
        Agg::TokenSumNorm { scale } => 1.0 / scale,
    }
}

/// What an aggregate may be off by: each token's error times its weight, and for the token itself the
/// roundings it passes through, at most t_len + b additions, two divisions and one product.
pub(crate) fn aggregate_err(
    mask: &Mask,
    agg: Agg,
    size: impl Fn((usize, usize)) -> f64,
    err: impl Fn((usize, usize)) -> f64,
) -> f64 {
    let (b, t_len) = mask.shape();
    let roundings = (t_len + b + 3) as f64 * U;
    tokens(mask)
        .into_iter()
        .map(|slot| weight(mask, agg, slot.0) * (err(slot) + roundings * size(slot)))
        .sum()
}

/// The valid slots, row by row.
pub(crate) fn tokens(mask: &Mask) -> Vec<(usize, usize)> {
    (0..mask.shape().0).flat_map(|row| mask.tokens_of(row).into_iter().map(move |t| (row, t))).collect()
}

/// One number on the grid per valid slot, NaN in the masked ones.
pub(crate) fn per_token(mask: &Mask, mut draw: impl FnMut((usize, usize)) -> f64) -> DMatrix<f64> {
    let (b, t_len) = mask.shape();
    let mut x = DMatrix::from_element(b, t_len, f64::NAN);
    for slot in tokens(mask) {
        x[slot] = on_grid(draw(slot));
    }
    x
}

/// b matrices of t_len × width on the grid, NaN in the rows of masked slots.
pub(crate) fn per_row(mask: &Mask, width: usize, rng: &mut Rng, size: f64) -> Vec<DMatrix<f64>> {
    let (b, t_len) = mask.shape();
    let mut one = |row: usize| {
        let x = rng.matrix(t_len, width, size);
        DMatrix::from_fn(t_len, width, |t, v| if mask.has((row, t)) { on_grid(x[(t, v)]) } else { f64::NAN })
    };
    (0..b).map(&mut one).collect()
}

/// What log π of one row may be off by, X being the largest |z|/τ: z/τ and the shift by the maximum cost
/// 4 X u, which enters once directly and once through every exp; an exp 2 u, the sum vocab u, ln and the
/// last subtraction 3 ln(vocab) u and 2 X u.
pub(crate) fn log_softmax_err(logits: &[f64], tau: f64) -> f64 {
    let x = logits.iter().filter(|z| z.is_finite()).fold(0.0, |so_far: f64, z| so_far.max((z / tau).abs()));
    let vocab = logits.len() as f64;
    U * (10.0 * x + vocab + 3.0 * vocab.ln() + 2.0)
}

/// What H of one row may be off by: each π log π carries the error of log π once as it stands and once
/// through π, so (1 + H) times it in all; exp, product and sum are vocab + 4 roundings of H.
pub(crate) fn entropy_err(logits: &[f64], tau: f64) -> f64 {
    let (vocab, most) = (logits.len() as f64, (logits.len() as f64).ln());
    (1.0 + most) * log_softmax_err(logits, tau) + (vocab + 4.0) * U * most
}
