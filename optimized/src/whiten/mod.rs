//! Advantages on one scale: `eq:whiten`, in two passes for the statistics and one that applies them.

#[cfg(kernels)]
pub(crate) mod cuda;
#[cfg(test)]
mod tests;

#[cfg(kernels)]
use crate::aggregate::device_sums;
use crate::{
    Agg, AggregateSums, Apart, Backend, EpsAt, Error, Mask, ShiftMean, Variance, Whitening,
    aggregate::sums_of,
    aggregate_sums, check,
    each::each,
    lanes::{fma, greater, one_nan},
};
use serde::{Deserialize, Serialize};

/// The statistics that advantages were whitened with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Whitened {
    /// μ over the valid tokens.
    pub mean: f32,
    /// σ² over the valid tokens.
    pub var: f32,
}

/// Advantages with mean 0 and variance 1 over the valid tokens of the whole batch.
///
/// `adv` is Â per slot of the mask; `out` gets Âʷ, +0 in masked slots, and slots between rows are left alone. One
/// token by the sample variance is 0/0: NaN. A NaN or ∞ in a valid slot makes the whole batch NaN. Choices are
/// those of `reference::whiten`; the order of operations is ORDER.md's.
///
/// A batch in parts: [`aggregate_sums`] of each by `Agg::TokenMean`, merged and finished, is the mean; it goes to
/// [`square_sum`] of each, merged; both to [`whiten_by`]. That is this function.
///
/// # Errors
///
/// If a length is not the mask's, no token is valid, ε_w < 0, or the mask is a part of a batch.
#[doc(alias = "eq:whiten")]
pub fn whiten(
    on: Backend,
    adv: &[f32],
    mask: &Mask<'_>,
    how: Whitening,
    out: &mut [f32],
) -> Result<Whitened, Error> {
    const OP: &str = "whiten";
    mask.refuse_part(OP)?;
    check::lengths(OP, mask, &[("adv", adv.len()), ("out", out.len())])?;
    check::has_tokens(OP, mask.counts())?;
    epsilon(OP, how)?;
    // ANCHOR: passes
    let mean = aggregate_sums(on, adv, mask, Agg::TokenMean)?.finish(Agg::TokenMean)?;
    let var = square_sum(on, adv, mask, mean)?.var(how.variance)?;
    let by = Whitened { mean, var };
    whiten_by(on, adv, mask, by, how, out)?;
    // ANCHOR_END: passes
    Ok(by)
}

/// Whitens by statistics that are known: those of the whole batch, where the mask may be a part of it. `out` as in
/// [`whiten`]; a NaN in a valid slot stays in its slot.
///
/// # Errors
///
/// If a length is not the mask's, or ε_w < 0.
pub fn whiten_by(
    on: Backend,
    adv: &[f32],
    mask: &Mask<'_>,
    by: Whitened,
    how: Whitening,
    out: &mut [f32],
) -> Result<(), Error> {
    const OP: &str = "whiten_by";
    check::lengths(OP, mask, &[("adv", adv.len()), ("out", out.len())])?;
    let (eps_w, Whitened { mean, var }) = (epsilon(OP, how)?, by);
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        return cuda::whiten_by(device, adv, mask, by, (eps_w, how), out).map_err(|err| err.by(OP));
    }
    let on = on.level(OP)?;
    let rstd = match how.eps_at {
        EpsAt::Std => 1.0 / (var.sqrt() + eps_w),
        EpsAt::UnderRoot => 1.0 / (var + eps_w).sqrt(),
        EpsAt::VarFloor => 1.0 / greater(var, eps_w).sqrt(),
    };
    match how.shift_mean {
        ShiftMean::Yes => each(
            on,
            mask,
            [adv],
            out,
            #[inline(always)]
            |[adv]| (adv - mean) * rstd,
        ),
        ShiftMean::No => each(
            on,
            mask,
            [adv],
            out,
            #[inline(always)]
            |[adv]| fma(adv - mean, rstd, mean),
        ),
    }
    Ok(())
}

fn epsilon(op: &'static str, how: Whitening) -> Result<f32, Error> {
    check::setting(op, "eps_w", how.eps_w, "be ≥ 0", |eps| eps >= 0.0)
}

/// Σ (x − μ)² over the valid tokens of some rows of a batch, and how many there are. Its serde form holds the
/// bits.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SquareSum(AggregateSums);

impl SquareSum {
    /// These rows and those that follow, about the same μ.
    ///
    /// # Errors
    ///
    /// If they do not follow.
    pub fn merge(self, next: SquareSum) -> Result<SquareSum, Apart> {
        Ok(SquareSum(self.0.merge(next.0)?))
    }

    /// σ² of the rows that were merged: the batch's once all of it is in. Of one token by the sample variance NaN.
    ///
    /// # Errors
    ///
    /// If no token is valid.
    pub fn var(&self, variance: Variance) -> Result<f32, Error> {
        let AggregateSums { sum, counts } = &self.0;
        check::has_tokens("square_sum", *counts)?;
        let n = match variance {
            Variance::Population => counts.tokens,
            Variance::Sample => counts.tokens - 1,
        };
        Ok(one_nan(sum.finish() / n as f32))
    }
}

/// Σ (x − μ)² of rows that may be a part of a batch; μ is that of the whole batch. A NaN in a valid slot is the
/// sum; masked slots are never used.
///
/// # Errors
///
/// If a length is not the mask's.
pub fn square_sum(on: Backend, x: &[f32], mask: &Mask<'_>, mean: f32) -> Result<SquareSum, Error> {
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        return device_sums("square_sum", device, x, mask, Agg::TokenSum, Some(mean)).map(SquareSum);
    }
    let sums = sums_of(
        "square_sum",
        on,
        x,
        mask,
        Agg::TokenSum,
        #[inline(always)]
        move |x| {
            let y = x - mean;
            y * y
        },
    );
    sums.map(SquareSum)
}
