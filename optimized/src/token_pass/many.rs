//! Logits of each number format many at a time, for the loops over them.

use super::logits::Logit;
use crate::lanes::{LANES, select_greater};
use fearless_simd::{Simd, prelude::*};
use half::{bf16, slice::HalfFloatSliceExt};

/// Lanes of a maximum, which has no order: enough for its latency.
const MAX_LANES: usize = 64;
/// The half of a word that is a number in bf16.
const UPPER: u32 = 0xffff_0000;

/// What the loops over logits ask of a number format. In a private module, which keeps the choice of formats here.
pub trait Many: Sized {
    /// The largest logit, where none is NaN: where one is, W will show it and this may be any number or NaN.
    fn greatest(steps: &[[Self; LANES]], padded: Option<&[Self; LANES]>) -> f32;

    /// Logits that fill vectors of f32, two or a multiple, as f32: in an order of the format's own.
    fn widened<S: Simd, const N: usize>(simd: S, x: &[Self; N]) -> [f32; N];

    /// What [`Many::widened`] gave, each number changed, in the format again and in the order that it had there.
    fn narrowed<S: Simd, const N: usize>(simd: S, x: &[f32; N]) -> [Self; N];
}

impl Many for f32 {
    #[inline(always)]
    fn greatest(steps: &[[f32; LANES]], padded: Option<&[f32; LANES]>) -> f32 {
        let mut lanes = [f32::NEG_INFINITY; MAX_LANES];
        for step in steps.iter().chain(padded) {
            for x in step.as_chunks::<MAX_LANES>().0 {
                // A new array and not a store where one is greater: that would become a masked store to memory.
                let mut greater = [0.0; MAX_LANES];
                for ((greater, x), lane) in greater.iter_mut().zip(x).zip(&lanes) {
                    *greater = select_greater(*x, *lane);
                }
                lanes = greater;
            }
        }
        joined(lanes, select_greater)
    }

    #[inline(always)]
    fn widened<S: Simd, const N: usize>(_: S, x: &[f32; N]) -> [f32; N] {
        *x
    }

    #[inline(always)]
    fn narrowed<S: Simd, const N: usize>(_: S, x: &[f32; N]) -> [f32; N] {
        *x
    }
}

impl Many for bf16 {
    /// From the bits, sixteen at once where f32 has eight. Read with a sign they are in order from +0 up, and those of
    /// every negative number are below; among negative numbers alone the largest has the least bits without a sign.
    #[inline(always)]
    fn greatest(steps: &[[bf16; LANES]], padded: Option<&[bf16; LANES]>) -> f32 {
        let (mut signed, mut unsigned) = ([i16::MIN; MAX_LANES], [u16::MAX; MAX_LANES]);
        for step in steps.iter().chain(padded) {
            for x in step.as_chunks::<MAX_LANES>().0 {
                let (mut greater, mut less) = ([0; MAX_LANES], [0; MAX_LANES]);
                for ((greater, x), lane) in greater.iter_mut().zip(x).zip(&signed) {
                    *greater = x.to_bits().cast_signed().max(*lane);
                }
                for ((less, x), lane) in less.iter_mut().zip(x).zip(&unsigned) {
                    *less = x.to_bits().min(*lane);
                }
                (signed, unsigned) = (greater, less);
            }
        }
        let (signed, unsigned) = (joined(signed, i16::max), joined(unsigned, u16::min));
        bf16::from_bits(if signed < 0 { unsigned } else { signed.cast_unsigned() }).widen()
    }

    /// By pairs, as words of 32 bits: the numbers of even places first, then those of odd ones. One operation for a
    /// vector, where widening neighbours takes two.
    #[inline(always)]
    fn widened<S: Simd, const N: usize>(simd: S, x: &[bf16; N]) -> [f32; N] {
        let bits: &[u16] = x.reinterpret_cast();
        let mut wide = [0.0; N];
        let (even, odd) = wide.split_at_mut(N / 2);
        for at in (0..N / 2).step_by(S::u32s::LEN) {
            let pairs: S::u32s = S::u16s::from_slice(simd, &bits[2 * at..][..S::u16s::LEN]).bitcast();
            (pairs << 16).bitcast::<S::f32s>().store_slice(&mut even[at..][..S::f32s::LEN]);
            (pairs & UPPER).bitcast::<S::f32s>().store_slice(&mut odd[at..][..S::f32s::LEN]);
        }
        wide
    }

    #[inline(always)]
    fn narrowed<S: Simd, const N: usize>(simd: S, x: &[f32; N]) -> [bf16; N] {
        let mut narrow = [bf16::ZERO; N];
        let bits: &mut [u16] = narrow.reinterpret_cast_mut();
        let (even, odd) = x.split_at(N / 2);
        for at in (0..N / 2).step_by(S::u32s::LEN) {
            let even = S::f32s::from_slice(simd, &even[at..][..S::f32s::LEN]);
            let odd = S::f32s::from_slice(simd, &odd[at..][..S::f32s::LEN]);
            let mut pairs = rounded::<S>(even) >> 16 | rounded::<S>(odd) & UPPER;
            // Asked once for both. ∞ − ∞ answers as a NaN does, and the longer way rounds it alike.
            let either = even + odd;
            if !either.simd_eq(either).all_true() {
                pairs = quiet::<S>(even) >> 16 | quiet::<S>(odd) & UPPER;
            }
            pairs.bitcast::<S::u16s>().store_slice(&mut bits[2 * at..][..S::u16s::LEN]);
        }
        narrow
    }
}

/// Numbers whose upper half is the nearest in bf16, ties to even; no NaN.
#[inline(always)]
fn rounded<S: Simd>(x: S::f32s) -> S::u32s {
    let bits: S::u32s = x.bitcast();
    bits + ((bits >> 16 & 1) + 0x7fff)
}

/// [`rounded`], where a NaN keeps its upper half and becomes quiet.
#[inline(always)]
fn quiet<S: Simd>(x: S::f32s) -> S::u32s {
    x.simd_eq(x).select(rounded::<S>(x), x.bitcast::<S::u32s>() | 0x40_0000)
}

/// What is left when the upper half of the lanes is joined with the lower until there is one.
#[inline(always)]
fn joined<T: Copy>(mut lanes: [T; MAX_LANES], join: impl Fn(T, T) -> T) -> T {
    let mut stride = MAX_LANES / 2;
    while stride > 0 {
        for lane in 0..stride {
            lanes[lane] = join(lanes[lane], lanes[lane + stride]);
        }
        stride /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Backend;
    use fearless_simd::{Level, dispatch};

    /// Those of this CPU.
    fn levels() -> impl Iterator<Item = Level> {
        Backend::available().into_iter().filter_map(|on| on.level("many").ok())
    }

    /// Numbers whose rounding is of every kind, in places of every kind.
    #[test]
    fn many_are_narrowed_as_one_is() {
        for on in levels() {
            for upper in 0..=u32::from(u16::MAX) {
                let mut x = [1.5; 32];
                for (i, lower) in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff].into_iter().enumerate() {
                    x[(upper as usize + i * 7) % 32] = f32::from_bits(upper << 16 | lower);
                }
                let (even, odd) = x.split_at(16);
                let expected = even.iter().zip(odd).flat_map(|(even, odd)| [even, odd]);
                let got: [bf16; 32] = dispatch!(on, simd => Many::narrowed(simd, &x));
                for (got, x) in got.into_iter().zip(expected) {
                    assert_eq!(got.to_bits(), <bf16 as Logit>::narrow(*x).to_bits(), "{x:e} on {on:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_widened_is_narrowed_to_the_same() {
        for on in levels() {
            for first in (0..=u16::MAX).step_by(32) {
                let x: [bf16; 32] = core::array::from_fn(|i| bf16::from_bits(first + i as u16));
                let wide = dispatch!(on, simd => Many::widened(simd, &x));
                let again: [bf16; 32] = dispatch!(on, simd => Many::narrowed(simd, &wide));
                let mut sorted = wide.map(f32::to_bits);
                sorted.sort_unstable();
                assert_eq!(sorted, x.map(|x| x.widen().to_bits()), "{first:#x} on {on:?}");
                let expected = x.map(|x| <bf16 as Logit>::narrow(x.widen()).to_bits());
                assert_eq!(again.map(bf16::to_bits), expected, "{first:#x} on {on:?}");
            }
        }
    }

    /// Every number that is no NaN beside −∞, beside another of its sign, and beside one of the other sign.
    #[test]
    fn the_greatest_is_the_greatest() {
        let numbers = (0..=u16::MAX).map(bf16::from_bits).filter(|x| !x.is_nan());
        for (i, x) in numbers.enumerate() {
            for other in [f32::NEG_INFINITY, -3.0, -1e-39, -0.0, 0.0, 1e-39, 3.0, f32::INFINITY] {
                let other = <bf16 as Logit>::narrow(other);
                let mut steps = [[other; LANES]; 2];
                steps[i % 2][i % LANES] = x;
                let expected = x.widen().max(other.widen());
                assert_eq!(bf16::greatest(&steps, None), expected, "{x} and {other}");
                assert_eq!(bf16::greatest(&steps[..1], Some(&steps[1])), expected, "{x} and {other}");
            }
        }
    }
}
