//! `aggregate`: one number a token in, one out.

use crate::work::{Work, normal, ragged, tokens};
use optimized::{Agg, CountRows, Mask, aggregate};

/// The mean over sequences of means over tokens, which asks the most of a row.
pub(crate) fn mean(size: (usize, usize)) -> Work<f32> {
    let valid = ragged(size);
    let reads = vec![normal(1, valid.len(), 0.0, 1.0)];
    let agg = Agg::SeqMeanTokenMean { rows: CountRows::WithTokens };
    let call = move |on, reads: &[Vec<f32>], _: &mut [Vec<f32>]| {
        let mask = Mask::padded(&valid, size.0, size.1)?;
        Ok(vec![aggregate(on, &reads[0], &mask, agg)?])
    };
    Work::new("aggregate", size, tokens(&ragged(size)), reads, 0, Box::new(call))
}
