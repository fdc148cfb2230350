//! How far exp and ln are from the truth: what the everyday test and the exhaustive one measure alike.
//!
//! Truth is eˣ or ln x in f64, within one unit in its last place. That is 2⁻²⁸ of a unit in the last place of
//! an f32, where a correctly rounded f32 would leave half a unit in doubt.

use super::{LO, exp_full, exp_softmax, ln, one_nan};
use crate::{Backend, testing::same};
use core::ops::RangeInclusive;
use fearless_simd::{dispatch, prelude::*};

/// What the f64 truth may be off, in the units of [`Function::error`].
const DOUBT: f64 = 1.0 / (1u64 << 28) as f64;

/// A function whose error is bounded over all its inputs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Function {
    ExpSoftmax,
    ExpFull,
    Ln,
}

impl Function {
    /// The bit patterns that its contract covers.
    pub(super) fn patterns(self) -> Vec<RangeInclusive<u32>> {
        match self {
            Function::ExpSoftmax => vec![0..=0, (-0.0f32).to_bits()..=LO.to_bits()],
            Function::ExpFull => vec![0..=u32::MAX],
            Function::Ln => vec![1..=f32::MAX.to_bits()],
        }
    }

    /// The function of each x, by a backend.
    pub(super) fn run(self, on: Backend, x: &[f32], out: &mut [f32]) {
        #[cfg(kernels)]
        if let Some(device) = on.device() {
            let which = match self {
                Function::ExpSoftmax => 0,
                Function::ExpFull => 1,
                Function::Ln => 2,
            };
            return super::cuda::function(device, which, x, out).expect("the device runs it");
        }
        match self {
            Function::ExpSoftmax => each(on, x, out, exp_softmax),
            Function::ExpFull => each(on, x, out, exp_full),
            Function::Ln => each(on, x, out, ln),
        }
    }

    /// What the function gave for x against the truth, in units in the last place of the truth for
    /// [`exp_full`] and [`ln`], in 2⁻²⁴ of the truth for [`exp_softmax`]; ∞ where only one answer is right
    /// and this is not it.
    pub(super) fn error(self, x: f32, got: f32, truth: f64) -> f64 {
        let only = match self {
            Function::ExpSoftmax => (x == 0.0).then_some(1.0),
            Function::ExpFull | Function::Ln => {
                let nearest = truth as f32;
                (nearest == 0.0 || !nearest.is_finite()).then_some(nearest)
            }
        };
        if let Some(only) = only {
            return if same(got, only) { 0.0 } else { f64::INFINITY };
        }
        let unit = match self {
            Function::ExpSoftmax => unit_24(truth),
            Function::ExpFull | Function::Ln => ulp(truth),
        };
        (f64::from(got) - truth).abs() / unit + DOUBT
    }

    /// The least error that is refused.
    pub(super) fn bound(self, x: f32) -> f64 {
        match self {
            Function::ExpSoftmax => 2.74 + 0.225 * f64::from(x.abs()),
            Function::ExpFull | Function::Ln => 1.0,
        }
    }
}

/// f of each x, compiled for that backend.
#[inline(always)]
pub(super) fn each(on: Backend, x: &[f32], out: &mut [f32], f: impl Fn(f32) -> f32) {
    assert_eq!(x.len(), out.len());
    dispatch!(on.level("lanes").expect("a level"), simd => simd.vectorize(
        #[inline(always)]
        || for (out, x) in out.iter_mut().zip(x) {
            *out = f(*x);
        }
    ));
}

/// A number for an input and its result. Summed over inputs in any order it changes with any bit of any result.
pub(super) fn mark(x: f32, got: f32) -> u64 {
    let both = u64::from(x.to_bits()) << 32 | u64::from(one_nan(got).to_bits());
    let mixed = (both ^ both >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

/// 2⁻²⁴ of the truth: a relative error in these is at most 1 for a correctly rounded normal result.
pub(super) fn unit_24(truth: f64) -> f64 {
    truth.abs() / f64::from(1 << 24)
}

/// The distance of f32 numbers around the truth; among subnormal ones 2⁻¹⁴⁹.
pub(super) fn ulp(truth: f64) -> f64 {
    let exponent = (truth.to_bits() >> 52 & 0x7ff) as i64 - 1023;
    let unit = exponent.max(-126) - 23;
    f64::from_bits(((unit + 1023) as u64) << 52)
}

#[test]
fn a_unit_in_the_last_place_is_the_distance_to_the_next_number() {
    for x in [1.0, 1.5, 1.999_999_9, 2.0, 3e38, 1e-30, f32::MIN_POSITIVE, 1e-40, 1e-45] {
        let next = f32::from_bits(x.to_bits() + 1);
        assert_eq!(ulp(f64::from(x)), f64::from(next) - f64::from(x), "{x}");
        assert_eq!(ulp(f64::from(-x)), ulp(f64::from(x)), "-{x}");
    }
}

#[test]
fn an_error_is_measured_in_the_unit_that_its_bound_is_stated_in() {
    let close = |got: f64, want: f64| (got - want).abs() <= 2.0 * DOUBT;
    let two = f32::from_bits(2.0f32.to_bits() + 3);
    assert!(close(Function::ExpFull.error(0.7, two, 2.0), 3.0));
    assert!(close(Function::ExpSoftmax.error(-1.0, two, 2.0), 6.0));
    assert_eq!(Function::Ln.error(1.0, -0.0, 0.0), f64::INFINITY);
    assert_eq!(Function::ExpFull.error(f32::NAN, 1.0, f64::NAN), f64::INFINITY);
    assert_eq!(Function::ExpFull.error(100.0, f32::INFINITY, 1e43), 0.0);
}
