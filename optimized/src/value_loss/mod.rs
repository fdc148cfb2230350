//! How the critic is fitted: `eq:value-clip`, `eq:value-loss`, and the gradient in the same pass.

#[cfg(kernels)]
pub(crate) mod cuda;
mod lanes;
#[cfg(test)]
mod tests;

use crate::{
    Agg, Apart, Backend, Counts, Error, Grad, Half, Mask, Sum, ValueClip,
    aggregate::Divisors,
    check,
    lanes::share,
    tiles::{Passed, Put, pass},
};
use lanes::Operands;
use serde::{Deserialize, Serialize};

/// The value loss with what a trainer logs beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ValueLoss {
    /// L_V, in squared units of the return.
    pub loss: f32,
    /// Share of valid tokens whose clipped error is strictly the larger; always a mean over tokens.
    pub clip_frac: f32,
}

/// What [`value_loss`] writes per token where it is asked to: arrays of the mask's layout. Masked slots get
/// +0; slots between rows are left alone.
#[derive(Debug, Default)]
pub struct ValueOut<'a> {
    /// The squared error of each token, before ½ and aggregation.
    pub per_token: Option<&'a mut [f32]>,
    /// c · ∂L_V/∂V.
    pub grad: Option<Grad<'a>>,
}

/// Clipped value loss, and its gradient where `out` has room for it: one pass over the batch.
///
/// `v`, `v_old`, `ret` are V, V_old and R per slot of the mask, in the unit of the return; `eps_v` > 0 is the
/// clip radius in that unit. A NaN in a valid slot is the result, but for V_old where `Off` has no use for it;
/// masked slots are never used. Equations, forms and ties are those of `reference::value_loss`; the order of
/// operations is ORDER.md's.
///
/// # Errors
///
/// If a length is not the mask's, a setting lies outside its range, no token is valid, or the mask is a part
/// of a batch (see [`value_sums`]).
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
#[doc(alias = "eq:value-clip")]
#[doc(alias = "eq:value-loss")]
pub fn value_loss(
    on: Backend,
    v: &[f32],
    v_old: &[f32],
    ret: &[f32],
    mask: &Mask<'_>,
    eps_v: f64,
    form: ValueClip,
    agg: Agg,
    half: Half,
    out: ValueOut<'_>,
) -> Result<ValueLoss, Error> {
    const OP: &str = "value_loss";
    mask.refuse_part(OP)?;
    let sums = value_sums(on, v, v_old, ret, mask, eps_v, form, agg, half, out);
    sums.map_err(|error| error.by(OP))?.finish(agg, half)
}

/// The sums behind [`value_loss`] of some rows of a batch. Merged over the whole batch they finish to the bits
/// of the batch that was never cut; gradients divide by the counts that the mask was told of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueSums {
    loss: Sum,
    clipped: u64,
    counts: Counts,
}

impl ValueSums {
    /// These rows and those that follow.
    ///
    /// # Errors
    ///
    /// If they do not follow.
    pub fn merge(self, next: ValueSums) -> Result<ValueSums, Apart> {
        Ok(ValueSums {
            loss: self.loss.merge(next.loss)?,
            clipped: self.clipped.saturating_add(next.clipped),
            counts: self.counts.merge(next.counts),
        })
    }

    /// The loss of the rows that were merged, by the aggregation and the ½ that the sums were made with: the batch's
    /// once all of it is in, a lone part's own before.
    ///
    /// # Errors
    ///
    /// If no token is valid.
    pub fn finish(&self, agg: Agg, half: Half) -> Result<ValueLoss, Error> {
        const OP: &str = "value_sums";
        check::has_tokens(OP, self.counts)?;
        let divisors = Divisors::new(OP, agg, self.counts)?;
        let loss = half.factor() as f32 * divisors.finish(self.loss.finish());
        Ok(ValueLoss { loss, clip_frac: share(self.clipped, self.counts.tokens) })
    }
}

/// [`value_loss`] of rows that may be a part of a batch ([`Mask::part_of`]): sums instead of means.
///
/// # Errors
///
/// As [`value_loss`], but for parts; and if the *whole* batch has no valid token.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn value_sums(
    on: Backend,
    v: &[f32],
    v_old: &[f32],
    ret: &[f32],
    mask: &Mask<'_>,
    eps_v: f64,
    form: ValueClip,
    agg: Agg,
    half: Half,
    out: ValueOut<'_>,
) -> Result<ValueSums, Error> {
    const OP: &str = "value_sums";
    check::lengths(OP, mask, &[("v", v.len()), ("v_old", v_old.len()), ("ret", ret.len())])?;
    let eps_v = check::positive(OP, "eps_v", eps_v)?;
    let whole = mask.whole();
    check::has_tokens(OP, whole)?;
    let divisors = Divisors::new(OP, agg, whole)?;
    let (c, grad) = Grad::split(OP, mask, out.grad)?;
    let per_token = check::output(OP, mask, "per_token", out.per_token)?;
    let factor = half.factor() as f32;
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        let sums = cuda::sums(
            device,
            [v, v_old, ret],
            mask,
            (eps_v, form),
            &divisors,
            (c, factor),
            [per_token, grad],
        );
        let (loss, clipped) = sums.map_err(|error| error.by(OP))?;
        return Ok(ValueSums { loss, clipped, counts: mask.counts() });
    }
    let Passed { sums: [loss], counted: [clipped], counts } = pass(
        on.level(OP)?,
        mask,
        &divisors,
        [per_token, grad],
        Put::Replace,
        #[inline(always)]
        |piece, [loss, grad]| {
            let at = piece.slots;
            let x = Operands {
                v: &v[at.clone()],
                v_old: &v_old[at.clone()],
                ret: &ret[at.clone()],
                valid: &mask.valid()[at],
                full: piece.full,
            };
            [lanes::piece(x, eps_v, form, (piece.weight * c) * factor, loss, grad)]
        },
    );
    Ok(ValueSums { loss, clipped, counts })
}
