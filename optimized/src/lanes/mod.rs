//! The one order of operations, in code: what every kernel of this crate is made of. ORDER.md is its contract.
//!
//! A function here is plain arithmetic on f32 and arrays of it, always inlined, so that the kernel around it
//! compiles it for whatever instruction set it runs on. Nothing here depends on that set: the fallback is
//! this text, and every other level performs the same IEEE operations in the same order.

#[cfg(test)]
mod accuracy;
#[cfg(all(test, kernels))]
mod cuda;
#[cfg(all(test, feature = "oracle"))]
mod exhaustive;
mod exp;
#[cfg(test)]
mod hardest;
mod ln;
mod sum;

pub(crate) use exp::{LO, TAME, exp_full, exp_softmax, exp_tame};
pub(crate) use ln::ln;
pub(crate) use sum::{RowSum, TileSum, fold};

/// What kernels on a device get from here (`cuda/prelude.rs`), which `build.rs` compiles too.
#[cfg(any(feature = "cuda", feature = "cuda-emulation"))]
#[allow(unused_imports, reason = "there may be no compiler for the emulation")]
pub(crate) use self::{
    exp::{FULL, LOG2_E, MAGIC, NEG_LN_2, NEG_LN_2_REST, SOFTMAX},
    ln::{LN_2, LN_2_REST, POLYNOMIAL, TWO_THIRDS},
};

/// Partial sums that a tile is spread over: element i of a tile belongs to lane i mod 128.
pub(crate) const LANES: usize = 128;
/// Elements that a lane of a full tile adds up.
pub(crate) const STEPS: usize = 16;
/// Consecutive elements that are summed as one.
pub(crate) const TILE: usize = LANES * STEPS;
/// Partial sums that the tiles of a row are spread over: tile t belongs to lane t mod 32.
pub(crate) const ROW_LANES: usize = 32;

/// The NaN that a reduction puts out, whatever NaN went in.
pub(crate) const NAN: f32 = f32::from_bits(0x7fc0_0000);

/// a b + c with one rounding, on every level.
#[inline(always)]
pub(crate) fn fma(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

/// The first operand if it is strictly greater, else the second: also when either is NaN. What x86's `maxps`
/// computes, so a NaN in `a` is dropped and a NaN in `b` survives.
#[inline(always)]
pub(crate) fn select_greater(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The first operand if it is strictly less, else the second: also when either is NaN (x86 `minps`).
#[inline(always)]
pub(crate) fn select_lesser(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The smaller of two numbers; NaN if either is.
#[inline(always)]
pub(crate) fn lesser(a: f32, b: f32) -> f32 {
    if a < b || a.is_nan() { a } else { b }
}

/// The larger of two numbers; NaN if either is.
#[inline(always)]
pub(crate) fn greater(a: f32, b: f32) -> f32 {
    if a > b || a.is_nan() { a } else { b }
}

/// clip(x, lo, hi); NaN if x or a bound is.
#[inline(always)]
pub(crate) fn clamp(x: f32, lo: f32, hi: f32) -> f32 {
    greater(lesser(x, hi), lo)
}

/// x of a valid token, +0 of a masked one: a selection by bits, which no compiler turns into a branch.
#[inline(always)]
pub(crate) fn keep(x: f32, valid: bool) -> f32 {
    f32::from_bits(x.to_bits() & u32::from(valid).wrapping_neg())
}

/// A result with every NaN as the one of the contract.
#[inline(always)]
pub(crate) fn one_nan(x: f32) -> f32 {
    if x.is_nan() { NAN } else { x }
}

/// n out of m as a fraction: each rounded to f32 once, then divided.
pub(crate) fn share(n: u64, m: u64) -> f32 {
    n as f32 / m as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_survives_a_clamp_from_every_operand() {
        for (x, lo, hi) in [(f32::NAN, 0.0, 1.0), (0.5, f32::NAN, 1.0), (0.5, 0.0, f32::NAN)] {
            assert!(clamp(x, lo, hi).is_nan(), "clamp({x}, {lo}, {hi})");
        }
    }

    #[test]
    fn the_second_operand_is_kept_on_a_tie() {
        for f in [select_greater, select_lesser, greater, lesser] {
            assert_eq!(f(0.0, -0.0).to_bits(), (-0.0f32).to_bits());
            assert_eq!(f(-0.0, 0.0).to_bits(), 0.0f32.to_bits());
        }
    }

    #[test]
    fn selecting_keeps_the_second_operand_on_a_nan() {
        for select in [select_greater, select_lesser] {
            assert_eq!(select(f32::NAN, 1.0), 1.0);
            assert!(select(1.0, f32::NAN).is_nan());
        }
    }
}
