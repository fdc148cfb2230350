//! The forward pass over logits without the contract: the same exp, in the order that suits a CPU best.
//!
//! What the fixed order costs is what this is faster by. A tile is read once for its maximum and once, from
//! the first-level cache, for its sums; the sums stay in lanes over the whole row, so nothing is folded
//! until its end, and are rescaled only where a tile raises the maximum.

#![expect(unsafe_code, reason = "a prefetch has no safe form")]

use fearless_simd::{Level, dispatch, prelude::*};
use optimized::Backend;
use rayon::prelude::*;

/// Two vectors of AVX2 or one of AVX-512: faster than 32 lanes, and of 8 the compiler makes no vectors here.
const LANES: usize = 16;
/// Lanes of the maximum.
const MAX_LANES: usize = 32;
/// Elements whose maximum is found before they are summed.
const TILE: usize = 2048;
/// -125 ln 2: what lies below counts as this.
const LO: f32 = f32::from_bits(0xc2ad_496b);

/// Log-probability of the action and entropy of each row.
pub(crate) fn forward(on: Backend, logits: &[f32], actions: &[u32]) -> (Vec<f32>, Vec<f32>) {
    let level = level(on);
    let vocab = logits.len() / actions.len();
    let rows = logits.par_chunks(vocab).zip(actions);
    rows.map(|(x, a)| dispatch!(level, simd => simd.vectorize(#[inline(always)] || row(x, x[*a as usize]))))
        .unzip()
}

/// The library's level as its dispatcher wants it.
fn level(on: Backend) -> Level {
    match on {
        #[cfg(target_arch = "x86_64")]
        Backend::Avx512(token) => Level::Avx512(token),
        #[cfg(target_arch = "x86_64")]
        Backend::Avx2(token) => Level::Avx2(token),
        #[cfg(target_arch = "aarch64")]
        Backend::Neon(token) => Level::Neon(token),
        _ => Level::fallback(),
    }
}

/// (logp, entropy) from S = sum of exp(u) and W = sum of exp(u) u, u = x - M.
#[inline(always)]
fn row(x: &[f32], action: f32) -> (f32, f32) {
    let (mut m, mut s, mut w) = (f32::MIN, [0.0; LANES], [0.0; LANES]);
    for tile in x.chunks(TILE) {
        let top = highest(tile);
        if top > m {
            let d = at_least_lo(m - top);
            let c = exp(d);
            for (s, w) in s.iter_mut().zip(&mut w) {
                *w = c * d.mul_add(*s, *w);
                *s *= c;
            }
            m = top;
        }
        add(tile, m, &mut s, &mut w);
    }
    let (s, w) = (s.iter().sum::<f32>(), w.iter().sum::<f32>());
    let ln_s = s.ln();
    ((action - m) - ln_s, ln_s - w / s)
}

#[inline(always)]
fn highest(tile: &[f32]) -> f32 {
    let mut lanes = [f32::MIN; MAX_LANES];
    let (blocks, rest) = tile.as_chunks::<MAX_LANES>();
    for x in blocks {
        for (lane, x) in lanes.iter_mut().zip(x) {
            *lane = if *x > *lane { *x } else { *lane };
        }
    }
    lanes.into_iter().chain(rest.iter().copied()).fold(f32::MIN, |m, x| if x > m { x } else { m })
}

#[inline(always)]
fn add(tile: &[f32], m: f32, s: &mut [f32; LANES], w: &mut [f32; LANES]) {
    let (blocks, rest) = tile.as_chunks::<LANES>();
    let (mut s_now, mut w_now) = (*s, *w);
    for pair in blocks.chunks(2) {
        prefetch(&pair[0]);
        for x in pair {
            // Loops and no `map`, which would be compiled for the baseline.
            let (mut u, mut e) = ([0.0; LANES], [0.0; LANES]);
            for i in 0..LANES {
                u[i] = at_least_lo(x[i] - m);
            }
            for i in 0..LANES {
                e[i] = exp(u[i]);
            }
            for i in 0..LANES {
                s_now[i] += e[i];
            }
            for i in 0..LANES {
                w_now[i] = e[i].mul_add(u[i], w_now[i]);
            }
        }
    }
    (*s, *w) = (s_now, w_now);
    for (i, x) in rest.iter().enumerate() {
        let u = at_least_lo(x - m);
        s[i] += exp(u);
        w[i] = exp(u).mul_add(u, w[i]);
    }
}

/// Asks for where a pair of blocks is in the next tile.
#[inline(always)]
fn prefetch(block: &[f32; LANES]) {
    #[cfg(target_arch = "x86_64")]
    for line in 0..2 * LANES / 16 {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let next = block.as_ptr().wrapping_add(TILE + line * 16);
        // SAFETY: a prefetch reads nothing and cannot fault, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(next.cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = block;
}

#[inline(always)]
fn at_least_lo(u: f32) -> f32 {
    if LO > u { LO } else { u }
}

/// The library's softmax exp, operation for operation.
#[inline(always)]
fn exp(u: f32) -> f32 {
    const LOG2_E: f32 = f32::from_bits(0x3fb8_aa3b);
    const MAGIC: f32 = 12_582_912.0;
    const POLYNOMIAL: [u32; 5] = [0x3c1e_757d, 0x3d63_5b4d, 0x3e75_fcdd, 0x3f31_7215, 0x3f80_0000];
    let shifted = u.mul_add(LOG2_E, MAGIC);
    let f = u.mul_add(LOG2_E, -(shifted - MAGIC));
    let mut q = f32::from_bits(0x3aad_feaf);
    for bits in POLYNOMIAL {
        q = q.mul_add(f, f32::from_bits(bits));
    }
    f32::from_bits(q.to_bits().wrapping_add(shifted.to_bits() << 23))
}
