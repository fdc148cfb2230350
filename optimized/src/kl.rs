//! How far two policies are apart, estimated from the sampled token: `eq:kl`, and its slope.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::each_token;

    const KINDS: [Kl; 4] = [Kl::K1, Kl::Abs, Kl::K2, Kl::K3];

    /// ORDER.md 5.1 once more.
    fn written(k1: f32, on: KlEstimate) -> f32 {
        let (clamp_in, clamp_out) = (on.clamp_in as f32, on.clamp_out as f32);
        let between = |x: f32, c: f32| {
            if x < -c {
                -c
            } else if x > c {
                c
            } else {
                x
            }
        };
        let k1 = between(k1, clamp_in);
        let k = match on.kind {
            Kl::K1 => k1,
            Kl::Abs => k1.abs(),
            Kl::K2 => k1 * k1 * 0.5,
            Kl::K3 => exp_full(-k1) - 1.0 + k1,
        };
        between(k, clamp_out)
    }

    fn written_slope(k1: f32, on: KlEstimate) -> f32 {
        let inside = KlEstimate { clamp_out: f64::INFINITY, ..on };
        if k1.abs() > on.clamp_in as f32 || written(k1, inside).abs() > on.clamp_out as f32 {
            return 0.0;
        }
        match on.kind {
            _ if k1.is_nan() => k1,
            Kl::K1 => 1.0,
            Kl::Abs if k1 == 0.0 => 0.0,
            Kl::Abs => k1.signum(),
            Kl::K2 => k1,
            Kl::K3 => 1.0 - exp_full(-k1),
        }
    }

    fn estimates() -> impl Iterator<Item = KlEstimate> {
        let clamps = [(f64::INFINITY, f64::INFINITY), (0.4, f64::INFINITY), (1.0, 0.1), (20.0, 10.0)];
        let with = move |kind| clamps.map(|(clamp_in, clamp_out)| KlEstimate { kind, clamp_in, clamp_out });
        KINDS.into_iter().flat_map(with)
    }

    #[test]
    fn every_estimator_with_every_clamp_follows_the_written_order() {
        for on in estimates() {
            each_token(
                |backend, [logp, logp_ref, _], mask, out| kl(backend, logp, logp_ref, mask, on, out),
                |[logp, logp_ref, _]| written(logp - logp_ref, on),
            );
        }
    }

    #[test]
    fn every_slope_with_every_clamp_follows_the_written_order() {
        for on in estimates() {
            each_token(
                |backend, [a, b, _], mask, out| kl_grad(backend, a, b, mask, on, KlGrad::Own, out),
                |[logp, logp_ref, _]| written_slope(logp - logp_ref, on),
            );
        }
        let on = KlEstimate { kind: Kl::K3, clamp_in: 0.1, clamp_out: 0.1 };
        each_token(
            |backend, [a, b, _], mask, out| kl_grad(backend, a, b, mask, on, KlGrad::StraightThrough, out),
            |[logp, logp_ref, _]| logp - logp_ref,
        );
    }

    #[test]
    fn a_slope_at_a_clamp_is_that_of_inside_and_beyond_it_zero() {
        let slope = |clamp_in, clamp_out, k1| {
            let by = Estimate::new("kl", KlEstimate { kind: Kl::K2, clamp_in, clamp_out }).unwrap();
            by.slope(k1, KlGrad::Own)
        };
        let off = f64::INFINITY;
        assert_eq!((slope(0.5, off, 0.5), slope(0.5, off, 0.5000001)), (0.5, 0.0));
        assert_eq!((slope(off, 0.5, 1.0), slope(off, 0.5, 1.0000001)), (1.0, 0.0));
    }

    #[test]
    fn a_clamp_that_rounds_to_zero_is_refused() {
        let mask = Mask::padded(&[true], 1, 1).unwrap();
        let on = KlEstimate { kind: Kl::K1, clamp_in: 1e-60, clamp_out: 1.0 };
        let says = kl(Backend::best(), &[0.0], &[0.0], &mask, on, &mut [0.0]).unwrap_err().to_string();
        assert_eq!(says, "kl: `clamp_in` is 1e-60 and must be > 0 (in f32)");
    }
}
