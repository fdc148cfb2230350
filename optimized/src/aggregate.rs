//! From one number per token to one number: `eq:aggregate`, and its gradient.

use crate::{
    Agg, Apart, Backend, CountRows, Counts, Error, Mask, Sum, check,
    lanes::one_nan,
    mask::count,
    parallel::over_rows,
    tiles::{Passed, Put, pass},
};
use core::ops::Range;
use serde::{Deserialize, Serialize};

/// One number from one per token: the mean or sum that `agg` names, over the valid slots of `x`.
///
/// A NaN in a valid slot is the result; masked slots are never used. Modes are those of
/// `reference::aggregate`; the order of operations is ORDER.md's.
///
/// # Errors
///
/// If a length is not the mask's, S is not > 0, a mean has nothing to count, or the mask is a part of a batch
/// (see [`aggregate_sums`]).
#[doc(alias = "eq:aggregate")]
pub fn aggregate(on: Backend, x: &[f32], mask: &Mask<'_>, agg: Agg) -> Result<f32, Error> {
    mask.refuse_part("aggregate")?;
    aggregate_sums(on, x, mask, agg)?.finish(agg)
}

/// The sum behind an aggregate of some rows of a batch. Merged over the whole batch they finish to the bits of
/// the batch that was never cut.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AggregateSums {
    pub(crate) sum: Sum,
    pub(crate) counts: Counts,
}

impl AggregateSums {
    /// These rows and those that follow.
    ///
    /// # Errors
    ///
    /// If they do not follow.
    pub fn merge(self, next: AggregateSums) -> Result<AggregateSums, Apart> {
        Ok(AggregateSums { sum: self.sum.merge(next.sum)?, counts: self.counts.merge(next.counts) })
    }

    /// The aggregate of the whole batch, by the mode that the sums were made with.
    ///
    /// # Errors
    ///
    /// If a mean has nothing to count.
    pub fn finish(&self, agg: Agg) -> Result<f32, Error> {
        Ok(Divisors::new("aggregate", agg, self.counts)?.finish(self.sum.finish()))
    }
}

/// [`aggregate`] of rows that may be a part of a batch ([`Mask::part_of`]): sums instead of means.
///
/// # Errors
///
/// As [`aggregate`], but for parts; and if the *whole* batch has nothing to count.
pub fn aggregate_sums(on: Backend, x: &[f32], mask: &Mask<'_>, agg: Agg) -> Result<AggregateSums, Error> {
    sums_of(
        "aggregate",
        on,
        x,
        mask,
        agg,
        #[inline(always)]
        |x| x,
    )
}

/// The same of `f`(x); `f` must be marked `#[inline(always)]`.
pub(crate) fn sums_of(
    op: &'static str,
    on: Backend,
    x: &[f32],
    mask: &Mask<'_>,
    agg: Agg,
    f: impl Fn(f32) -> f32 + Copy + Sync,
) -> Result<AggregateSums, Error> {
    check::lengths(op, mask, &[("x", x.len())])?;
    let divisors = Divisors::new(op, agg, mask.whole())?;
    let Passed { sums: [sum], counts, .. } = pass(
        on,
        mask,
        &divisors,
        [None],
        Put::Replace,
        #[inline(always)]
        |piece, [staged]| {
            // A copy on the stack: what it holds is then seen not to change between the stores.
            let own = f;
            let (x, valid) = (&x[piece.slots.clone()], &mask.valid()[piece.slots]);
            for ((to, x), valid) in staged.iter_mut().zip(x).zip(valid) {
                *to = if *valid { own(*x) } else { 0.0 };
            }
            [0, 0]
        },
    );
    Ok(AggregateSums { sum, counts })
}

/// c times the weight of each token in [`aggregate`], which is c · ∂agg/∂x; +0 in masked slots, and everywhere
/// where c is 0. For a part of a batch it is that of the whole.
///
/// # Errors
///
/// As [`aggregate`], but for parts; and if c is not finite.
pub fn aggregate_grad(mask: &Mask<'_>, agg: Agg, c: f64, out: &mut [f32]) -> Result<(), Error> {
    const OP: &str = "aggregate_grad";
    check::lengths(OP, mask, &[("out", out.len())])?;
    let c = check::coefficient(OP, "c", c)?;
    let divisors = Divisors::new(OP, agg, mask.whole())?;
    let block = |rows: Range<usize>, out: &mut [f32]| {
        let start = mask.start(rows.start);
        for row in rows {
            let slots = mask.row(row);
            let valid = &mask.valid()[slots.clone()];
            let weight = if c == 0.0 { 0.0 } else { divisors.weight(count(valid)) * c };
            let out = &mut out[slots.start - start..slots.end - start];
            out.iter_mut().zip(valid).for_each(|(out, valid)| *out = if *valid { weight } else { 0.0 });
        }
    };
    over_rows(mask, out, &block, &|(), ()| ());
    Ok(())
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        spec::{AGGS, Batch, coarse, cut},
        testing::{Random, SENTINEL, assert_rows, everywhere, same},
    };

    #[test]
    fn every_backend_follows_the_order() {
        for (i, batch) in Batch::all().iter().enumerate() {
            let mut random = Random(i as u64);
            let x = batch.rows(|| if i % 2 == 0 { random.uniform() } else { coarse(&mut random) });
            let (laid, mask) = (batch.lay(&x), batch.mask());
            for agg in AGGS {
                let want = batch.aggregate(&x, agg);
                everywhere(|on| {
                    let got = aggregate(on, &laid, &mask, agg).unwrap();
                    assert!(same(got, want), "{on}, batch {i}, {agg:?}: {got} for {want}");
                });
                let mut grad = vec![SENTINEL; mask.valid().len()];
                aggregate_grad(&mask, agg, -0.3, &mut grad).unwrap();
                let weights = batch.each([&x[..]], |row, _| batch.weight(row, agg) * -0.3);
                assert_rows(&format!("batch {i}, {agg:?}"), &mask, &grad, &weights);
            }
        }
    }

    #[test]
    fn a_part_that_does_not_fit_its_batch_is_refused() {
        let mask = Mask::padded(&[true, true], 2, 1).unwrap();
        let whole = mask.counts();
        let says = |first, whole| {
            aggregate_sums(Backend::best(), &[1.0; 2], &mask.part_of(first, whole), Agg::TokenSum)
                .map_err(|error| error.to_string())
        };
        assert!(says(0, whole).is_ok());
        let of = "of a batch of 2 rows, 2 of them with 2 tokens";
        for first in [1, u64::MAX] {
            let wanted =
                format!("aggregate: `mask` holds 2 rows from row {first}, 2 of them with 2 tokens, {of}");
            assert_eq!(says(first, whole).unwrap_err(), wanted);
        }
        assert!(says(0, Counts { tokens: 1, ..whole }).is_err());
    }

    #[test]
    fn a_nan_in_a_valid_slot_is_the_result() {
        let valid = vec![true; 300];
        let mask = Mask::padded(&valid, 1, 300).unwrap();
        let mut x = vec![1.0; 300];
        x[299] = -f32::NAN;
        everywhere(|on| {
            let got = aggregate(on, &x, &mask, Agg::TokenMean).unwrap();
            assert_eq!(got.to_bits(), 0x7fc0_0000, "{on}");
        });
    }

    #[test]
    fn a_batch_cut_into_parts_gives_the_bits_of_the_whole() {
        let (b, t_len) = (19, 150);
        let mut random = Random(5);
        let valid: Vec<bool> = (0..b * t_len).map(|_| !random.flag(3)).collect();
        let x: Vec<f32> = (0..b * t_len).map(|_| random.uniform()).collect();
        let whole = Mask::padded(&valid, b, t_len).unwrap();
        for agg in AGGS {
            let want = aggregate(Backend::best(), &x, &whole, agg).unwrap();
            for parts in [1, 2, 3, 8] {
                let sums = cut(b, parts).into_iter().map(|rows| {
                    let at = rows.start * t_len..rows.end * t_len;
                    let part = Mask::padded(&valid[at.clone()], rows.len(), t_len).unwrap();
                    let part = part.part_of(rows.start as u64, whole.counts());
                    aggregate_sums(Backend::best(), &x[at], &part, agg).unwrap()
                });
                let sums = sums.reduce(|sums, next| sums.merge(next).unwrap()).unwrap();
                assert_eq!(sums.finish(agg), Ok(want), "{agg:?} in {parts} parts");
            }
        }
    }

    #[test]
    fn a_mean_of_nothing_is_refused_and_a_sum_of_nothing_is_zero() {
        let mask = Mask::padded(&[false], 1, 1).unwrap();
        let of = |agg| aggregate(Backend::best(), &[f32::NAN], &mask, agg);
        let says = of(Agg::TokenMean).unwrap_err().to_string();
        assert_eq!(says, "aggregate: `mask` has no valid token to take a mean over");
        assert_eq!(of(Agg::TokenSum).map(f32::to_bits), Ok(0));
    }

    #[test]
    fn a_coefficient_of_0_leaves_plus_0() {
        let mask = Mask::padded(&[true], 1, 1).unwrap();
        let mut out = [SENTINEL];
        aggregate_grad(&mask, Agg::TokenMean, -0.0, &mut out).unwrap();
        assert_eq!(out[0].to_bits(), 0);
    }
}
