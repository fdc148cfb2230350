//! How far two policies are apart, estimated from the sampled token: `eq:kl`.

use crate::{Mask, check, nan::clamp};
use nalgebra::DMatrix;

/// Which estimator of the KL divergence, all functions of k1 = log π − log π_ref.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kl {
    /// k1 itself: unbiased, may be negative.
    K1,
    /// |k1|.
    Abs,
    /// ½ k1²: never negative, biased.
    K2,
    /// exp(−k1) − 1 + k1: never negative, unbiased, large for tokens the reference likes and π does not.
    K3,
}

/// An estimator with its clamps; a clamp of ∞ is off.
///
/// verl clamps k3 at ±20 before and ±10 after; NeMo-RL every kind so; OpenRLHF every kind at ±10 after;
/// TRL none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KlEstimate {
    /// The estimator.
    pub kind: Kl,
    /// Bound > 0 on |k1| before the estimator, nats.
    pub clamp_in: f64,
    /// Bound > 0 on the estimate after it.
    pub clamp_out: f64,
}

impl KlEstimate {
    /// An estimator without clamps.
    pub const fn plain(kind: Kl) -> KlEstimate {
        KlEstimate { kind, clamp_in: f64::INFINITY, clamp_out: f64::INFINITY }
    }

    /// The estimate from k1 of one token.
    pub fn of(&self, k1: f64) -> f64 {
        let k1 = clamp(k1, -self.clamp_in, self.clamp_in);
        clamp(self.kind.of(k1), -self.clamp_out, self.clamp_out)
    }

    /// The derivative of the estimate in k1: 0 strictly beyond a clamp, and at a clamp that of inside.
    pub fn slope(&self, k1: f64) -> f64 {
        let inner = clamp(k1, -self.clamp_in, self.clamp_in);
        let beyond = k1.abs() > self.clamp_in || self.kind.of(inner).abs() > self.clamp_out;
        if beyond { 0.0 } else { self.kind.slope(k1) }
    }

    fn check(&self, term: &str) {
        check::positive(term, "clamp_in", self.clamp_in);
        check::positive(term, "clamp_out", self.clamp_out);
    }
}

impl Kl {
    /// The estimator before clamps.
    // ANCHOR: estimators
    fn of(self, k1: f64) -> f64 {
        match self {
            Kl::K1 => k1,
            Kl::Abs => k1.abs(),
            Kl::K2 => 0.5 * k1 * k1,
            Kl::K3 => libm::exp(-k1) - 1.0 + k1,
        }
    }
    // ANCHOR_END: estimators

    /// Its derivative; |k1| has none at 0, where 0 is taken.
    fn slope(self, k1: f64) -> f64 {
        match self {
            Kl::K1 => {
                if k1.is_nan() {
                    k1
                } else {
                    1.0
                }
            }
            Kl::Abs => {
                if k1 == 0.0 {
                    0.0
                } else {
                    k1.signum()
                }
            }
            Kl::K2 => k1,
            Kl::K3 => 1.0 - libm::exp(-k1),
        }
    }
}

/// Which gradient a KL estimate hands back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KlGrad {
    /// That of the estimator itself. For k1 this is ∇ log π alone, whose mean is zero: no pull at all.
    Own,
    /// That of k2, k1 · ∇ log π, under the value of the estimator (verl's `k1+`, `k3+`). The clamps hold
    /// the value alone: a token beyond them is still pulled back.
    StraightThrough,
}

/// The estimate per token.
///
/// ```text
/// k = k1 = log π − log π_ref,  or |k1|,  or k2 = ½ k1²,  or k3 = exp(−k1) − 1 + k1         eq:kl
/// k1 is first kept within ± clamp_in, and k then within ± clamp_out
/// ```
///
/// | symbol    | argument   | shape     | is                                                        |
/// |-----------|------------|-----------|-----------------------------------------------------------|
/// | log π     | `logp`     | b × t_len | log-prob of the sampled token, the policy that sampled it |
/// | log π_ref | `logp_ref` | b × t_len | the same token under the reference model                  |
/// | m         | `mask`     | b × t_len | 1 where a response token is                               |
/// |           | `estimate` |           | which of the four, and its clamps: [`KlEstimate`]         |
/// | k         | result     | b × t_len | nats; +0 in masked slots                                  |
///
/// The post calls its reward "shaped" and has no reference model at all; this is the term that shapes it.
///
/// Source: Schulman, "Approximating KL Divergence" (2020), for the names k1, k2, k3.
/// Book: `reward.md`. Fast: `optimized::kl`.
///
/// # Panics
///
/// If the shapes differ or a clamp is not > 0.
#[doc(alias = "eq:kl")]
// ANCHOR: kl
pub fn kl(logp: &DMatrix<f64>, logp_ref: &DMatrix<f64>, mask: &Mask, estimate: KlEstimate) -> DMatrix<f64> {
    check_inputs(logp, logp_ref, mask, estimate);
    mask.each(|slot| estimate.of(logp[slot] - logp_ref[slot]))
}
// ANCHOR_END: kl

/// ∂k/∂log π per token, b × t_len.
///
/// ```text
/// k1: 1      abs: sign(k1)      k2: k1      k3: 1 − exp(−k1)      0 strictly beyond a clamp
/// straight through: k1, whatever the estimator and its clamps
/// ```
///
/// # Panics
///
/// As [`kl`].
pub fn kl_grad(
    logp: &DMatrix<f64>,
    logp_ref: &DMatrix<f64>,
    mask: &Mask,
    estimate: KlEstimate,
    grad: KlGrad,
) -> DMatrix<f64> {
    check_inputs(logp, logp_ref, mask, estimate);
    mask.each(|slot| {
        let k1 = logp[slot] - logp_ref[slot];
        match grad {
            KlGrad::Own => estimate.slope(k1),
            KlGrad::StraightThrough => Kl::K2.slope(k1),
        }
    })
}

fn check_inputs(logp: &DMatrix<f64>, logp_ref: &DMatrix<f64>, mask: &Mask, estimate: KlEstimate) {
    estimate.check("kl");
    check::shapes("kl", mask.shape(), &[("logp", logp.shape()), ("logp_ref", logp_ref.shape())]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_estimator_is_zero_where_the_policies_agree() {
        for kind in [Kl::K1, Kl::Abs, Kl::K2, Kl::K3] {
            assert_eq!(KlEstimate::plain(kind).of(0.0), 0.0);
        }
    }

    /// Without a clamp one token at k1 = −25 weighs 7.2e10.
    #[test]
    fn the_clamps_tame_k3() {
        assert!((KlEstimate::plain(Kl::K3).of(-25.0) - 7.2e10).abs() < 0.01e10);
        let verl = KlEstimate { kind: Kl::K3, clamp_in: 20.0, clamp_out: 10.0 };
        assert_eq!(verl.of(-25.0), 10.0);
        assert_eq!(verl.slope(-25.0), 0.0);
    }

    #[test]
    fn a_nan_reaches_the_estimate_and_its_slope() {
        for kind in [Kl::K1, Kl::Abs, Kl::K2, Kl::K3] {
            let estimate = KlEstimate { kind, clamp_in: 20.0, clamp_out: 10.0 };
            assert!(estimate.of(f64::NAN).is_nan() && estimate.slope(f64::NAN).is_nan(), "{kind:?}");
        }
    }
}
