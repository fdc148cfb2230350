//! `aggregate`: one number a token in, one out.

use crate::work::{Work, normals};
use optimized::{Agg, CountRows, aggregate};

/// The mean over sequences of means over tokens, which asks the most of a row.
pub(crate) fn mean(size: (usize, usize)) -> Work<f32> {
    const AGG: Agg = Agg::SeqMeanTokenMean { rows: CountRows::WithTokens };
    Work::of_tokens("aggregate", 1, size, normals(1, size, 1.0), 0, |on, mask, reads, _| {
        Ok(vec![aggregate(on, &reads[0], mask, AGG)?])
    })
}
