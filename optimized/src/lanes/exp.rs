//! exp, twice: the softmax's on [−125 ln 2, 0], and the ratio's on every f32.
//!
//! Both round the exponent by adding 1.5 · 2²³ and evaluate a polynomial by Horner's rule with fused
//! multiply-adds. Coefficients: `optimized/sollya/`. Worst errors over every input: `exhaustive.rs`.

use super::{fma, select_greater};

/// log₂ e.
pub(crate) const LOG2_E: f32 = f32::from_bits(0x3fb8_aa3b);
/// 1.5 · 2²³: adding it leaves the rounded integer in the low bits.
pub(crate) const MAGIC: f32 = 12_582_912.0;

/// The least argument of [`exp_softmax`], −125 ln 2; what lies below counts as this, 2⁻¹²⁵.
pub(crate) const LO: f32 = f32::from_bits(0xc2ad_496b);

/// 2ᶠ on [−½, ½] without its constant term 1, highest power first: `sollya/exp_softmax.sollya`.
pub(crate) const SOFTMAX: [f32; 5] = [
    f32::from_bits(0x3aad_feaf),
    f32::from_bits(0x3c1e_757d),
    f32::from_bits(0x3d63_5b4d),
    f32::from_bits(0x3e75_fcdd),
    f32::from_bits(0x3f31_7215),
];

/// eᵘ for u in [`LO`, 0], relative error at most (2.74 + 0.225 |u|) 2⁻²⁴; exp(0) is 1.
///
/// Smaller u are the caller's to lift to `LO`. A NaN may come out as any number: whoever sums these detects it
/// in a sum that u itself enters.
#[inline(always)]
pub(crate) fn exp_softmax(u: f32) -> f32 {
    let shifted = fma(u, LOG2_E, MAGIC);
    let k = shifted - MAGIC;
    let f = fma(u, LOG2_E, -k);
    let mut q = SOFTMAX[0];
    q = fma(q, f, SOFTMAX[1]);
    q = fma(q, f, SOFTMAX[2]);
    q = fma(q, f, SOFTMAX[3]);
    q = fma(q, f, SOFTMAX[4]);
    q = fma(q, f, 1.0);
    // 2ᵏ q by an integer addition to the exponent: k ≥ −125, so the result is never subnormal.
    f32::from_bits(q.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// −ln 2 rounded, and what the rounding left.
pub(crate) const NEG_LN_2: f32 = f32::from_bits(0xbf31_7218);
pub(crate) const NEG_LN_2_REST: f32 = f32::from_bits(0x3102_e308);

/// eʳ on [−½ ln 2, ½ ln 2] without its terms 1 + r, highest power first: `sollya/exp_full.sollya`.
pub(crate) const FULL: [f32; 5] = [
    f32::from_bits(0x3ab4_a562),
    f32::from_bits(0x3c09_1cc7),
    f32::from_bits(0x3d2a_ad14),
    f32::from_bits(0x3e2a_aa49),
    f32::from_bits(0x3eff_fffd),
];

/// eˣ for every f32, within 0.8913 ULP; ∞ above 88.72, +0 below −103.97, NaN for NaN.
#[inline(always)]
pub(crate) fn exp_full(x: f32) -> f32 {
    let c = select_greater(-104.0, x);
    let c = if 89.0 < c { 89.0 } else { c };
    let (q, shifted) = mantissa_and_exponent(c);
    // Two powers of two, so that a subnormal result is rounded once and an overflow is ∞.
    let k = (shifted.to_bits() as i32).wrapping_sub(MAGIC.to_bits() as i32);
    let half = k >> 1;
    (q * power_of_two(half)) * power_of_two(k.wrapping_sub(half))
}

/// The largest |x| that [`exp_tame`] is for.
pub(crate) const TAME: f32 = 80.0;

/// [`exp_full`] to the bit where |x| ≤ [`TAME`], so that the result is normal: one integer addition in place
/// of two products. Elsewhere the result means nothing.
#[inline(always)]
pub(crate) fn exp_tame(x: f32) -> f32 {
    let (q, shifted) = mantissa_and_exponent(x);
    f32::from_bits(q.to_bits().wrapping_add(shifted.to_bits() << 23))
}

/// q and k with eˣ = 2ᵏ q, the latter in the low bits of a float.
#[inline(always)]
fn mantissa_and_exponent(x: f32) -> (f32, f32) {
    let shifted = fma(x, LOG2_E, MAGIC);
    let k = shifted - MAGIC;
    let r = fma(k, NEG_LN_2_REST, fma(k, NEG_LN_2, x));
    let mut q = FULL[0];
    q = fma(q, r, FULL[1]);
    q = fma(q, r, FULL[2]);
    q = fma(q, r, FULL[3]);
    q = fma(q, r, FULL[4]);
    q = fma(q, r, 1.0);
    q = fma(q, r, 1.0);
    (q, shifted)
}

/// 2ᵏ for k in [−126, 127], from its exponent bits.
#[inline(always)]
fn power_of_two(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::in_order_md;

    #[test]
    fn the_shorter_exp_has_the_bits_of_the_full_one_wherever_it_may_be_used() {
        let ends = [0.0, f32::MIN_POSITIVE, 1e-40, TAME].map(f32::to_bits);
        let last = TAME.to_bits();
        for bits in ends.into_iter().chain((0..last).step_by(997)).chain(last - 100_000..=last) {
            for x in [f32::from_bits(bits), -f32::from_bits(bits)] {
                assert_eq!(exp_tame(x).to_bits(), exp_full(x).to_bits(), "{x:e}");
            }
        }
    }

    #[test]
    fn the_constants_of_exp_are_those_of_the_contract() {
        assert!(in_order_md("LO = ", &[LO]));
        assert!(in_order_md("log2e = ", &[LOG2_E]));
        assert!(in_order_md("q: ", &SOFTMAX));
        assert!(in_order_md("q: ", &FULL));
        assert!(in_order_md("r = fma(k, ", &[NEG_LN_2_REST]));
        assert!(in_order_md(", fma(k, ", &[NEG_LN_2]));
    }
}
