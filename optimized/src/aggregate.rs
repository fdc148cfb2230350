//! From one number per token to one number: `eq:aggregate`, and its gradient.

#[cfg(kernels)]
#[path = "aggregate/cuda.rs"]
pub(crate) mod device;
mod divisors;
#[cfg(test)]
mod tests;

#[cfg(kernels)]
pub(crate) use device::launch as tile_sums;
pub(crate) use divisors::Divisors;

#[cfg(kernels)]
use crate::cuda::Device;
use crate::{
    Agg, Apart, Backend, Counts, Error, Mask, Sum, check,
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
/// If a length is not the mask's, a `scale` is not > 0, a mean has nothing to count, or the mask is a part of a batch
/// (see [`aggregate_sums`]).
#[doc(alias = "eq:aggregate")]
pub fn aggregate(on: Backend, x: &[f32], mask: &Mask<'_>, agg: Agg) -> Result<f32, Error> {
    const OP: &str = "aggregate";
    mask.refuse_part(OP)?;
    aggregate_sums(on, x, mask, agg).map_err(|error| error.by(OP))?.finish(agg)
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
    // ANCHOR: merge
    pub fn merge(self, next: AggregateSums) -> Result<AggregateSums, Apart> {
        Ok(AggregateSums { sum: self.sum.merge(next.sum)?, counts: self.counts.merge(next.counts) })
    }
    // ANCHOR_END: merge

    /// The aggregate of the rows that were merged, by the mode that the sums were made with: the batch's once all of
    /// it is in, a lone part's own before.
    ///
    /// # Errors
    ///
    /// If a mean has nothing to count.
    pub fn finish(&self, agg: Agg) -> Result<f32, Error> {
        Ok(Divisors::new("aggregate_sums", agg, self.counts)?.finish(self.sum.finish()))
    }
}

/// [`aggregate`] of rows that may be a part of a batch ([`Mask::part_of`]): sums instead of means.
///
/// # Errors
///
/// As [`aggregate`], but for parts; and if the *whole* batch has nothing to count.
pub fn aggregate_sums(on: Backend, x: &[f32], mask: &Mask<'_>, agg: Agg) -> Result<AggregateSums, Error> {
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        return device_sums("aggregate_sums", device, x, mask, agg, None);
    }
    sums_of(
        "aggregate_sums",
        on,
        x,
        mask,
        agg,
        #[inline(always)]
        |x| x,
    )
}

/// The same on a device; of (x − mean)² where there is a mean.
#[cfg(kernels)]
pub(crate) fn device_sums(
    op: &'static str,
    on: Device,
    x: &[f32],
    mask: &Mask<'_>,
    agg: Agg,
    mean: Option<f32>,
) -> Result<AggregateSums, Error> {
    check::lengths(op, mask, &[("x", x.len())])?;
    let divisors = Divisors::new(op, agg, mask.whole())?;
    let sum = device::sum(on, x, mask, &divisors, mean).map_err(|err| err.by(op))?;
    Ok(AggregateSums { sum, counts: mask.counts() })
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
    let Passed { sums: [sum], counted: [], counts } = pass(
        on.level(op)?,
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
            []
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
