//! How far two policies are apart, estimated from the sampled token: `eq:kl`, and its slope.

#[cfg(test)]
mod tests;

use crate::{
    Backend, Error, Kl, KlEstimate, KlGrad, Mask, check,
    each::each,
    lanes::{clamp, exp_full},
};

/// The estimate per token, in nats.
///
/// `logp` and `logp_ref` are log π and log π_ref of the sampled token per slot of the mask; `out` gets k, +0 in
/// masked slots, and slots between rows are left alone. Estimators and clamps are those of `reference::kl`; the
/// order of operations is ORDER.md's.
///
/// # Errors
///
/// If a length is not the mask's or a clamp is not > 0.
#[doc(alias = "eq:kl")]
pub fn kl(
    on: Backend,
    logp: &[f32],
    logp_ref: &[f32],
    mask: &Mask<'_>,
    estimate: KlEstimate,
    out: &mut [f32],
) -> Result<(), Error> {
    each_by(
        on,
        (logp, logp_ref),
        mask,
        estimate,
        out,
        #[inline(always)]
        |estimate, k1| estimate.of(k1),
    )
}

/// ∂k/∂log π per token; `out` as in [`kl`].
///
/// # Errors
///
/// As [`kl`].
pub fn kl_grad(
    on: Backend,
    logp: &[f32],
    logp_ref: &[f32],
    mask: &Mask<'_>,
    estimate: KlEstimate,
    grad: KlGrad,
    out: &mut [f32],
) -> Result<(), Error> {
    each_by(
        on,
        (logp, logp_ref),
        mask,
        estimate,
        out,
        #[inline(always)]
        |estimate, k1| estimate.slope(k1, grad),
    )
}

/// `f` of each token's k1, with a loop of its own for each kind.
fn each_by(
    on: Backend,
    (logp, logp_ref): (&[f32], &[f32]),
    mask: &Mask<'_>,
    estimate: KlEstimate,
    out: &mut [f32],
    f: impl Fn(Estimate, f32) -> f32 + Sync,
) -> Result<(), Error> {
    let arrays = [("logp", logp.len()), ("logp_ref", logp_ref.len()), ("out", out.len())];
    check::lengths("kl", mask, &arrays)?;
    let estimate = Estimate::new("kl", estimate)?;
    macro_rules! each_of {
        ($kind:expr) => {
            each(
                on,
                mask,
                [logp, logp_ref],
                out,
                #[inline(always)]
                |[logp, logp_ref]| f(estimate.with($kind), logp - logp_ref),
            )
        };
    }
    match estimate.kind {
        Kl::K1 => each_of!(Kl::K1),
        Kl::Abs => each_of!(Kl::Abs),
        Kl::K2 => each_of!(Kl::K2),
        Kl::K3 => each_of!(Kl::K3),
    }
    Ok(())
}

/// An estimator in f32; a clamp of ∞ is off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estimate {
    pub(crate) kind: Kl,
    clamp_in: f32,
    clamp_out: f32,
}

impl Estimate {
    pub(crate) fn new(op: &'static str, estimate: KlEstimate) -> Result<Estimate, Error> {
        Ok(Estimate {
            kind: estimate.kind,
            clamp_in: check::positive(op, "clamp_in", estimate.clamp_in)?,
            clamp_out: check::positive(op, "clamp_out", estimate.clamp_out)?,
        })
    }

    /// The same with an estimator that a kernel says as a constant: a choice inside its loop would be made once
    /// a token.
    #[inline(always)]
    pub(crate) fn with(self, kind: Kl) -> Estimate {
        Estimate { kind, ..self }
    }

    /// The estimate before the second clamp, from k1 after the first.
    #[inline(always)]
    fn inner(&self, k1: f32) -> f32 {
        match self.kind {
            Kl::K1 => k1,
            Kl::Abs => k1.abs(),
            Kl::K2 => (k1 * k1) * 0.5,
            Kl::K3 => (exp_full(-k1) - 1.0) + k1,
        }
    }

    /// The estimate from k1 = log π − log π_ref.
    #[inline(always)]
    pub(crate) fn of(&self, k1: f32) -> f32 {
        let inner = self.inner(clamp(k1, -self.clamp_in, self.clamp_in));
        clamp(inner, -self.clamp_out, self.clamp_out)
    }

    /// What the gradient in log π is made of: +0 strictly beyond a clamp where it is the estimate's own.
    #[inline(always)]
    pub(crate) fn slope(&self, k1: f32, how: KlGrad) -> f32 {
        let inner = self.inner(clamp(k1, -self.clamp_in, self.clamp_in));
        let beyond = (k1.abs() > self.clamp_in) | (inner.abs() > self.clamp_out);
        let own = match self.kind {
            Kl::K1 => or_nan(k1, 1.0),
            Kl::Abs => or_nan(k1, if k1 == 0.0 { 0.0 } else { 1.0f32.copysign(k1) }),
            Kl::K2 => k1,
            Kl::K3 => 1.0 - exp_full(-k1),
        };
        match how {
            KlGrad::Own => {
                if beyond {
                    0.0
                } else {
                    own
                }
            }
            KlGrad::StraightThrough => k1,
        }
    }
}

/// x, or the NaN that was found.
#[inline(always)]
fn or_nan(found: f32, x: f32) -> f32 {
    if found.is_nan() { found } else { x }
}
