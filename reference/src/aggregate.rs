//! From one number per token to one number: `eq:aggregate`, in six modes.

use crate::{
    Mask, check,
    written::{number, sum},
};
use nalgebra::DMatrix;

/// Which rows a mean over sequences counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountRows {
    /// Rows with at least one valid token.
    WithTokens,
    /// Every row, also a fully masked one (its sum is 0).
    All,
}

/// The six modes. S is an argument wherever it occurs: the padded width is never taken for it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Agg {
    /// Σ_b Σ_t q / n: each token counts the same. The post, TRL, verl's default.
    TokenMean,
    /// Σ_b Σ_t q.
    TokenSum,
    /// Σ_b Σ_t q / N_seq.
    SeqMeanTokenSum {
        /// What N_seq counts.
        rows: CountRows,
    },
    /// Σ_b (Σ_t q / n_b) / N_seq: each sequence counts the same. verl adds 1e-8 to n_b.
    SeqMeanTokenMean {
        /// What N_seq counts.
        rows: CountRows,
    },
    /// Σ_b Σ_t q / (N_seq · S): verl's seq-mean-token-sum-norm of August 2026.
    SeqMeanTokenSumNorm {
        /// What N_seq counts.
        rows: CountRows,
        /// S > 0, tokens.
        scale: f64,
    },
    /// Σ_b Σ_t q / S: what verl called so in January 2026, when its page was written.
    TokenSumNorm {
        /// S > 0, tokens.
        scale: f64,
    },
}

/// One number from one per token.
///
/// ```text
/// agg_t q_t = Σ_b Σ_t m q / Σ_b Σ_t m      (token-mean; the others at `Agg`)   eq:aggregate
/// ```
///
/// | symbol    | argument | shape     | is                                                             |
/// |-----------|----------|-----------|----------------------------------------------------------------|
/// | q         | `x`      | b × t_len | any quantity per token; masked slots are not read              |
/// | m, n, n_b | `mask`   | b × t_len | 1 where a response token is; n of them, n_b in sequence b      |
/// |           | `agg`    |           | the mode, with N_seq and S: [`Agg`]                            |
/// | agg       | result   | 1         | unit of q; times tokens where a sum over tokens is not divided |
///
/// The post takes `.mean()` over every slot, padding included.
///
/// Source: Roy, "The Full PPO Training Step", § One iteration, in code; verl, `agg_loss`, for the modes.
/// Book: `aggregate.md`. Fast: `optimized::aggregate`.
///
/// # Panics
///
/// If the shapes differ, a mean has nothing to count, or S is not > 0.
#[doc(alias = "eq:aggregate")]
// ANCHOR: aggregate
pub fn aggregate(x: &DMatrix<f64>, mask: &Mask, agg: Agg) -> f64 {
    check_inputs(x, mask, agg);
    let tokens = mask.count();
    let row_sum = |row: usize| sum(mask.tokens_of(row).into_iter().map(|t| x[(row, t)]));
    let row_mean = |row: usize| match mask.tokens_of(row).len() {
        0 => 0.0,
        n => row_sum(row) / number(n),
    };
    let rows = || 0..mask.shape().0;
    match agg {
        Agg::TokenMean => sum(rows().map(row_sum)) / number(tokens),
        Agg::TokenSum => sum(rows().map(row_sum)),
        Agg::SeqMeanTokenSum { rows: count } => sum(rows().map(row_sum)) / n_seq(mask, count),
        Agg::SeqMeanTokenMean { rows: count } => sum(rows().map(row_mean)) / n_seq(mask, count),
        Agg::SeqMeanTokenSumNorm { rows: count, scale } => {
            sum(rows().map(row_sum)) / (n_seq(mask, count) * scale)
        }
        Agg::TokenSumNorm { scale } => sum(rows().map(row_sum)) / scale,
    }
}
// ANCHOR_END: aggregate

/// The weight of each token in [`aggregate`], which is its gradient in x; b × t_len.
///
/// # Panics
///
/// As [`aggregate`].
// ANCHOR: aggregate_grad
pub fn aggregate_grad(mask: &Mask, agg: Agg) -> DMatrix<f64> {
    check_inputs(&DMatrix::zeros(mask.shape().0, mask.shape().1), mask, agg);
    let tokens = number(mask.count());
    let in_row: Vec<f64> = (0..mask.shape().0).map(|row| number(mask.tokens_of(row).len())).collect();
    let weight: Vec<f64> = in_row
        .iter()
        .map(|n_b| match agg {
            Agg::TokenMean => 1.0 / tokens,
            Agg::TokenSum => 1.0,
            Agg::SeqMeanTokenSum { rows } => 1.0 / n_seq(mask, rows),
            Agg::SeqMeanTokenMean { rows } => 1.0 / n_b / n_seq(mask, rows),
            Agg::SeqMeanTokenSumNorm { rows, scale } => 1.0 / (n_seq(mask, rows) * scale),
            Agg::TokenSumNorm { scale } => 1.0 / scale,
        })
        .collect();
    mask.each(|(row, _)| weight[row])
}
// ANCHOR_END: aggregate_grad

/// N_seq.
fn n_seq(mask: &Mask, rows: CountRows) -> f64 {
    let b = mask.shape().0;
    match rows {
        CountRows::All => number(b),
        CountRows::WithTokens => number((0..b).filter(|row| mask.end(*row) > 0).count()),
    }
}

fn check_inputs(x: &DMatrix<f64>, mask: &Mask, agg: Agg) {
    check::shapes("aggregate", mask.shape(), &[("x", x.shape())]);
    match agg {
        Agg::TokenMean => {
            assert!(mask.count() > 0, "aggregate: `mask` has no valid token to take a mean over");
        }
        Agg::SeqMeanTokenSum { rows }
        | Agg::SeqMeanTokenMean { rows }
        | Agg::SeqMeanTokenSumNorm { rows, .. } => {
            assert!(n_seq(mask, rows) > 0.0, "aggregate: `mask` has no row to take a mean over");
        }
        Agg::TokenSum | Agg::TokenSumNorm { .. } => {}
    }
    if let Agg::SeqMeanTokenSumNorm { scale, .. } | Agg::TokenSumNorm { scale } = agg {
        check::positive("aggregate", "scale", scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    /// Rows of 2 and 1 tokens and an empty one, sums 3 and 8, means 1.5 and 8.
    #[test]
    fn worked_example() {
        let x = dmatrix![1.0, 2.0; 8.0, f64::NAN; f64::INFINITY, 1e30];
        let mask = Mask::from_rows(&[[1, 1], [1, 0], [0, 0]]);
        let rows = CountRows::WithTokens;
        let expected = [
            (Agg::TokenMean, 11.0 / 3.0),
            (Agg::TokenSum, 11.0),
            (Agg::SeqMeanTokenSum { rows }, 11.0 / 2.0),
            (Agg::SeqMeanTokenSum { rows: CountRows::All }, 11.0 / 3.0),
            (Agg::SeqMeanTokenMean { rows }, 9.5 / 2.0),
            (Agg::SeqMeanTokenSumNorm { rows, scale: 5.0 }, 11.0 / 10.0),
            (Agg::TokenSumNorm { scale: 5.0 }, 11.0 / 5.0),
        ];
        for (agg, want) in expected {
            assert_eq!(aggregate(&x, &mask, agg), want, "{agg:?}");
        }
    }

    #[test]
    #[should_panic(expected = "aggregate: `mask` has no valid token to take a mean over")]
    fn a_mean_of_nothing_is_refused() {
        aggregate(&dmatrix![1.0], &Mask::from_rows(&[[0]]), Agg::TokenMean);
    }

    #[test]
    fn a_sum_of_nothing_is_zero() {
        assert_eq!(aggregate(&dmatrix![1.0], &Mask::from_rows(&[[0]]), Agg::TokenSum), 0.0);
    }
}
