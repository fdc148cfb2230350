//! The three terms as one scalar, and a KL term beside them: `eq:kl-loss`, `eq:total-loss`.

#[cfg(kernels)]
#[path = "total_loss/cuda.rs"]
pub(crate) mod device;
#[cfg(test)]
mod tests;

use crate::{
    Agg, AggregateSums, Backend, Coefficients, Error, Grad, KlEstimate, KlGrad, Mask,
    aggregate::Divisors,
    check,
    kl::Estimate,
    lanes::{fma, keep, one_nan},
    tiles::{Passed, Put, STAGE, pass},
};

/// L_policy + c_V L_V − c_H H + β_loss L_KL, each a number that its term gave for the whole batch, `ent` and `l_kl` in
/// nats. A coefficient that is 0 in f32 skips its term, which is then no operand; a NaN of any other is the result.
#[doc(alias = "eq:total-loss")]
// ANCHOR: total_loss
pub fn total_loss(l_policy: f32, l_v: f32, ent: f32, l_kl: f32, coefficients: Coefficients) -> f32 {
    let Coefficients { c_v, c_h, beta_loss } = coefficients;
    let terms = [(c_v as f32, l_v), (-(c_h as f32), ent), (beta_loss as f32, l_kl)];
    one_nan(terms.into_iter().fold(l_policy, |sum, (c, x)| if c == 0.0 { sum } else { fma(c, x, sum) }))
}
// ANCHOR_END: total_loss

/// Where the gradient of [`kl_loss`] goes.
#[derive(Debug)]
pub struct KlOut<'a> {
    /// c · ∂L_KL/∂log π.
    pub grad: Option<Grad<'a>>,
    /// Whether it replaces what stands there or is added to it, to the policy loss's gradient for one.
    pub put: Put,
}

/// The KL to the reference model as a loss term, before its coefficient, and its gradient.
///
/// `logp` (now, not old) and `logp_ref` are log π and log π_ref per slot of the mask. A NaN in a valid slot is
/// the result; masked slots are never used. Estimators, clamps and gradients are those of
/// `reference::total_loss`; the order of operations is ORDER.md's.
///
/// # Errors
///
/// If a length is not the mask's, a setting lies outside its range, a mean has nothing to count, or the mask
/// is a part of a batch (see [`kl_loss_sums`]).
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
#[doc(alias = "eq:kl-loss")]
pub fn kl_loss(
    on: Backend,
    logp: &[f32],
    logp_ref: &[f32],
    mask: &Mask<'_>,
    estimate: KlEstimate,
    grad: KlGrad,
    agg: Agg,
    out: KlOut<'_>,
) -> Result<f32, Error> {
    const OP: &str = "kl_loss";
    mask.refuse_part(OP)?;
    let sums = kl_loss_sums(on, logp, logp_ref, mask, estimate, grad, agg, out);
    sums.map_err(|error| error.by(OP))?.finish(agg)
}

/// [`kl_loss`] of rows that may be a part of a batch ([`Mask::part_of`]): sums instead of means.
///
/// # Errors
///
/// As [`kl_loss`], but for parts; and if the *whole* batch has nothing to count.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn kl_loss_sums(
    on: Backend,
    logp: &[f32],
    logp_ref: &[f32],
    mask: &Mask<'_>,
    estimate: KlEstimate,
    grad: KlGrad,
    agg: Agg,
    out: KlOut<'_>,
) -> Result<AggregateSums, Error> {
    const OP: &str = "kl_loss_sums";
    check::lengths(OP, mask, &[("logp", logp.len()), ("logp_ref", logp_ref.len())])?;
    let estimate = Estimate::new(OP, estimate)?;
    let divisors = Divisors::new(OP, agg, mask.whole())?;
    let (c, to) = Grad::split(OP, mask, out.grad)?;
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        let on_top = out.put == Put::Add;
        let sum =
            device::host_kl_loss(device, [logp, logp_ref], mask, (estimate, grad), &divisors, c, on_top, to);
        return Ok(AggregateSums { sum: sum.map_err(|err| err.by(OP))?, counts: mask.counts() });
    }
    let Passed { sums: [sum], counted: [], counts } = pass(
        on.level(OP)?,
        mask,
        &divisors,
        [None, to],
        out.put,
        #[inline(always)]
        |piece, [kl, slope]| {
            let at = piece.slots;
            let x = Operands {
                logp: &logp[at.clone()],
                logp_ref: &logp_ref[at.clone()],
                valid: &mask.valid()[at],
            };
            let scale = piece.weight * c;
            estimate.for_kind(
                #[inline(always)]
                |estimate| match grad {
                    KlGrad::Own => each(x, estimate, |_, own| own * scale, kl, slope),
                    KlGrad::StraightThrough => each(x, estimate, |k1, _| k1 * scale, kl, slope),
                },
            );
            []
        },
    );
    Ok(AggregateSums { sum, counts })
}

/// The operands of a piece of a row; all of one length.
#[derive(Clone, Copy)]
struct Operands<'a> {
    logp: &'a [f32],
    logp_ref: &'a [f32],
    valid: &'a [bool],
}

/// Estimate of each token, and `slope` of its k1 and the estimate's own slope; +0 in masked slots.
#[inline(always)]
fn each(
    Operands { logp, logp_ref, valid }: Operands<'_>,
    estimate: Estimate,
    slope: impl Fn(f32, f32) -> f32,
    kl: &mut [f32; STAGE],
    grad: &mut [f32; STAGE],
) {
    let n = valid.len();
    let (logp, logp_ref, kl, grad) = (&logp[..n], &logp_ref[..n], &mut kl[..n], &mut grad[..n]);
    for i in 0..n {
        let k1 = logp[i] - logp_ref[i];
        let token = estimate.token(k1);
        kl[i] = keep(token.k, valid[i]);
        grad[i] = keep(slope(k1, token.slope), valid[i]);
    }
}
