//! How far two policies are apart, estimated from the sampled token: `eq:kl`, one token at a time.

use crate::{
    Error, Kl, KlEstimate, KlGrad, check,
    lanes::{clamp, exp_full},
};

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
