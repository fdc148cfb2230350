//! How far two policies are apart, estimated from the sampled token: `eq:kl`, and its slope.

#[cfg(test)]
mod tests;

#[cfg(kernels)]
use crate::cuda::{self, Settings};
use crate::{
    Backend, Error, Kl, KlEstimate, KlGrad, Mask, check,
    each::each,
    lanes::{clamp, exp_full},
};

/// The estimate per token, in nats.
///
/// `logp` and `logp_ref` are log π and log π_ref of the sampled token per slot of the mask; `out` gets k, +0 in
/// masked slots, and slots between rows are left alone. A NaN in a valid slot is that slot's k, and so is −∞ in
/// both. Estimators and clamps are those of `reference::kl`; the order of operations is ORDER.md's.
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
        ["kl", "kl"],
        on,
        (logp, logp_ref),
        mask,
        estimate,
        out,
        #[inline(always)]
        |estimate, k1| estimate.token(k1).k,
    )
}

/// ∂k/∂log π per token, of the estimate itself or straight through it, as `grad` says; `out` as in [`kl`].
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
    let kernel = match grad {
        KlGrad::Own => "kl_slope",
        KlGrad::StraightThrough => "kl_straight",
    };
    each_by(
        ["kl_grad", kernel],
        on,
        (logp, logp_ref),
        mask,
        estimate,
        out,
        #[inline(always)]
        |estimate, k1| match grad {
            KlGrad::Own => estimate.token(k1).slope,
            KlGrad::StraightThrough => k1,
        },
    )
}

/// `f` of each token's k1, with a loop of its own for each kind; on a device it is this kernel.
#[cfg_attr(not(kernels), expect(unused_variables, reason = "no device"))]
fn each_by(
    [op, kernel]: [&'static str; 2],
    on: Backend,
    (logp, logp_ref): (&[f32], &[f32]),
    mask: &Mask<'_>,
    estimate: KlEstimate,
    out: &mut [f32],
    f: impl Fn(Estimate, f32) -> f32 + Sync,
) -> Result<(), Error> {
    let arrays = [("logp", logp.len()), ("logp_ref", logp_ref.len()), ("out", out.len())];
    check::lengths(op, mask, &arrays)?;
    let estimate = Estimate::new(op, estimate)?;
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        let by = Settings { a: estimate.clamp_in, b: estimate.clamp_out, how: estimate.kind as u32 };
        let done = cuda::each(device, ("kl", kernel), mask, [logp, logp_ref], by, out);
        return done.map_err(|err| err.by(op));
    }
    let on = on.level(op)?;
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

/// What one token does.
pub(crate) struct Token {
    pub(crate) k: f32,
    /// ∂k/∂log π of the estimate itself: +0 strictly beyond a clamp.
    pub(crate) slope: f32,
}

/// An estimator in f32; a clamp of ∞ is off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Estimate {
    pub(crate) kind: Kl,
    pub(crate) clamp_in: f32,
    pub(crate) clamp_out: f32,
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
    fn with(self, kind: Kl) -> Estimate {
        Estimate { kind, ..self }
    }

    /// Runs a kernel with its estimator as a constant.
    #[inline(always)]
    pub(crate) fn for_kind(self, kernel: impl FnOnce(Estimate)) {
        match self.kind {
            Kl::K1 => kernel(self.with(Kl::K1)),
            Kl::Abs => kernel(self.with(Kl::Abs)),
            Kl::K2 => kernel(self.with(Kl::K2)),
            Kl::K3 => kernel(self.with(Kl::K3)),
        }
    }

    /// k and its slope from k1 = log π − log π_ref; what a caller does not use is not computed.
    ///
    /// Both take the exp of k1 after the first clamp: before it k1 is another number only where the slope is +0.
    #[inline(always)]
    // ANCHOR: token
    pub(crate) fn token(&self, k1: f32) -> Token {
        let within = clamp(k1, -self.clamp_in, self.clamp_in);
        let (k, slope) = match self.kind {
            Kl::K1 => (within, or_nan(k1, 1.0)),
            Kl::Abs => (within.abs(), or_nan(k1, if k1 == 0.0 { 0.0 } else { 1.0f32.copysign(k1) })),
            Kl::K2 => ((within * within) * 0.5, k1),
            Kl::K3 => {
                let inverse_ratio = exp_full(-within);
                ((inverse_ratio - 1.0) + within, 1.0 - inverse_ratio)
            }
        };
        let beyond = (k1.abs() > self.clamp_in) | (k.abs() > self.clamp_out);
        Token { k: clamp(k, -self.clamp_out, self.clamp_out), slope: if beyond { 0.0 } else { slope } }
    }
    // ANCHOR_END: token
}

/// x, or the NaN that was found.
#[inline(always)]
fn or_nan(found: f32, x: f32) -> f32 {
    if found.is_nan() { found } else { x }
}
