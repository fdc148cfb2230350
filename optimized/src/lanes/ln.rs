//! ln of a positive f32: once a row of logits, so it is written for accuracy and not for speed.

use super::fma;

/// ⅔ as bits, rounded up: x = 2ᵏ m with m in [⅔, 4⁄3).
pub(crate) const TWO_THIRDS: u32 = 0x3f2a_aaab;
/// ln 2 rounded, and what the rounding left.
pub(crate) const LN_2: f32 = f32::from_bits(0x3f31_7218);
pub(crate) const LN_2_REST: f32 = f32::from_bits(0xb102_e308);

/// (ln(1 + f) − f) / f² on [−⅓, ⅓], highest power first: `sollya/ln.sollya`.
pub(crate) const POLYNOMIAL: [f32; 9] = [
    f32::from_bits(0xbe03_803a),
    f32::from_bits(0x3e0f_7e38),
    f32::from_bits(0xbdf9_c8d8),
    f32::from_bits(0x3e0f_5aa2),
    f32::from_bits(0xbe2a_cc62),
    f32::from_bits(0x3e4c_e946),
    f32::from_bits(0xbe7f_ff88),
    f32::from_bits(0x3eaa_aa80),
    f32::from_bits(0xbf00_0000),
];

/// ln x for x > 0, subnormal too, within 0.9338 ULP; finite x only.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    let (x, k_subnormal) = if x < f32::MIN_POSITIVE { (x * 8_388_608.0, -23.0) } else { (x, 0.0) };
    let bits = x.to_bits().wrapping_sub(TWO_THIRDS);
    let k = (bits as i32 >> 23) as f32 + k_subnormal;
    let f = f32::from_bits((bits & 0x7f_ffff).wrapping_add(TWO_THIRDS)) - 1.0;
    let mut q = POLYNOMIAL[0];
    for coefficient in &POLYNOMIAL[1..] {
        q = fma(q, f, *coefficient);
    }
    fma(k, LN_2, fma(k, LN_2_REST, fma(f * f, q, f)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::in_order_md;

    #[test]
    fn the_constants_of_ln_are_those_of_the_contract() {
        assert!(in_order_md("i = bits(x) − ", &[f32::from_bits(TWO_THIRDS)]));
        assert!(in_order_md("q: ", &POLYNOMIAL));
        assert!(in_order_md("ln = fma(k, ", &[LN_2]));
        assert!(in_order_md(", fma(k, ", &[LN_2_REST]));
    }
}
