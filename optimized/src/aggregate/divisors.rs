//! What each mode divides by: its sums, and the weight of a token in them.

use crate::{Agg, CountRows, Counts, Error, check, lanes::one_nan};

/// The divisors of a mode, as f32: each is a count rounded once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Divisors {
    agg: Agg,
    tokens: f32,
    sequences: f32,
    scale: f32,
}

impl Divisors {
    /// Of the whole batch, by its counts.
    pub(crate) fn new(op: &'static str, agg: Agg, whole: Counts) -> Result<Divisors, Error> {
        let sequences = |rows| match rows {
            CountRows::All => whole.rows,
            CountRows::WithTokens => whole.rows_with_tokens,
        };
        let (count, what) = match agg {
            Agg::TokenMean => (whole.tokens, "valid token"),
            Agg::SeqMeanTokenSum { rows }
            | Agg::SeqMeanTokenMean { rows }
            | Agg::SeqMeanTokenSumNorm { rows, .. } => (sequences(rows), "row"),
            Agg::TokenSum | Agg::TokenSumNorm { .. } => (1, ""),
        };
        if count == 0 {
            return Err(Error::Nothing { op, what });
        }
        let scale = match agg {
            Agg::SeqMeanTokenSumNorm { scale, .. } | Agg::TokenSumNorm { scale } => {
                check::positive(op, "scale", scale)?
            }
            _ => 1.0,
        };
        Ok(Divisors { agg, tokens: whole.tokens as f32, sequences: count as f32, scale })
    }

    /// What a row hands to the tree, from the sum over its tokens.
    #[inline(always)]
    pub(crate) fn of_row(&self, sum: f32, tokens: u64) -> f32 {
        match self.agg {
            Agg::SeqMeanTokenMean { .. } if tokens > 0 => sum / tokens as f32,
            _ => sum,
        }
    }

    /// The aggregate, from the tree of all rows.
    pub(crate) fn finish(&self, tree: f32) -> f32 {
        one_nan(match self.agg {
            Agg::TokenMean => tree / self.tokens,
            Agg::TokenSum => tree,
            Agg::SeqMeanTokenSum { .. } | Agg::SeqMeanTokenMean { .. } => tree / self.sequences,
            Agg::SeqMeanTokenSumNorm { .. } => (tree / self.sequences) / self.scale,
            Agg::TokenSumNorm { .. } => tree / self.scale,
        })
    }

    /// What the tree is divided by, one after the other.
    #[cfg(kernels)]
    pub(crate) fn all(&self) -> [f32; 2] {
        match self.agg {
            Agg::TokenMean => [self.tokens, 1.0],
            Agg::TokenSum => [1.0, 1.0],
            Agg::SeqMeanTokenSum { .. } | Agg::SeqMeanTokenMean { .. } => [self.sequences, 1.0],
            Agg::SeqMeanTokenSumNorm { .. } => [self.sequences, self.scale],
            Agg::TokenSumNorm { .. } => [self.scale, 1.0],
        }
    }

    /// The rows that a mean over rows' means counts; none in the other modes, where all tokens weigh the same.
    #[cfg(kernels)]
    pub(crate) fn by_row(&self) -> Option<f32> {
        matches!(self.agg, Agg::SeqMeanTokenMean { .. }).then_some(self.sequences)
    }

    /// The weight of each token of a row in the aggregate.
    #[inline(always)]
    pub(crate) fn weight(&self, tokens_of_row: u64) -> f32 {
        match self.agg {
            Agg::TokenMean => 1.0 / self.tokens,
            Agg::TokenSum => 1.0,
            Agg::SeqMeanTokenSum { .. } => 1.0 / self.sequences,
            Agg::SeqMeanTokenMean { .. } => (1.0 / tokens_of_row as f32) / self.sequences,
            Agg::SeqMeanTokenSumNorm { .. } => (1.0 / self.sequences) / self.scale,
            Agg::TokenSumNorm { .. } => 1.0 / self.scale,
        }
    }
}
