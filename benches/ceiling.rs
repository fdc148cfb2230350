//! What the machine allows: of its memory a sum of the bytes that a work reads, and copies with as many streams; of
//! its arithmetic, multiply-adds that wait for nothing.
//!
//! Every bench that reports a share of the ceiling measures it here, in the same run, on its own arrays. The
//! mask is no stream of it.

#![expect(unsafe_code, reason = "non-temporal stores have no safe form")]

use fearless_simd::{Level, Simd, dispatch, prelude::*};
use half::bf16;
use optimized::{Backend, Logit};
use rayon::prelude::*;
use std::{
    hint::black_box,
    ops::{Add, Neg},
};

/// Elements that a thread takes at a time.
const BLOCK: usize = 1 << 15;
/// Elements of a stream before the next stream's turn: shorter bursts of non-temporal stores are slow.
const BURST: usize = 1 << 10;

/// What large arrays hold.
pub trait Element: Logit + Add<Output = Self> + Neg<Output = Self> {
    /// What an output holds before it is computed.
    const NAN: Self;
    /// The sum of a block, in whatever order and number format reads it fastest.
    fn sum(block: &[Self]) -> f32;
}

impl Element for f32 {
    const NAN: f32 = f32::NAN;

    #[inline(always)]
    fn sum(block: &[f32]) -> f32 {
        let mut lanes = [0.0; 64];
        let (blocks, rest) = block.as_chunks::<64>();
        for x in blocks {
            for (lane, x) in lanes.iter_mut().zip(x) {
                *lane += x;
            }
        }
        lanes.iter().chain(rest).sum()
    }
}

impl Element for bf16 {
    const NAN: bf16 = bf16::NAN;

    /// Of the bits as integers: no cheaper arithmetic reads every byte.
    #[inline(always)]
    fn sum(block: &[bf16]) -> f32 {
        let mut lanes = [0u16; 128];
        let (blocks, rest) = block.as_chunks::<128>();
        for x in blocks {
            for (lane, x) in lanes.iter_mut().zip(x) {
                *lane = lane.wrapping_add(x.to_bits());
            }
        }
        let rest = rest.iter().map(|x| x.to_bits());
        f32::from(lanes.into_iter().chain(rest).fold(0, u16::wrapping_add))
    }
}

/// How a copy is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Through the caches.
    Plain,
    /// Past them.
    NonTemporal,
}

impl Store {
    /// Both: the ceiling is the faster one.
    pub const ALL: [Store; 2] = [Store::Plain, Store::NonTemporal];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Store::Plain => "plain",
            Store::NonTemporal => "non-temporal",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Store> {
        Store::ALL.into_iter().find(|store| store.name() == name)
    }

    /// Writes a burst that `fill` makes: in place, or in a buffer that is then streamed.
    #[inline(always)]
    fn write<T: Element>(self, to: &mut [T], fill: impl FnOnce(&mut [T])) {
        match self {
            Store::Plain => fill(to),
            Store::NonTemporal => {
                let mut burst = [T::NAN; BURST];
                let burst = &mut burst[..to.len()];
                fill(burst);
                stream(to, burst);
            }
        }
    }

    /// Copies a burst.
    #[inline(always)]
    fn copy<T: Element>(self, to: &mut [T], from: &[T]) {
        match self {
            Store::Plain => to.copy_from_slice(from),
            Store::NonTemporal => stream(to, from),
        }
    }
}

/// Reads an array once.
pub fn read<T: Element>(x: &[T]) {
    let level = Level::new();
    let block =
        |block: &[T]| -> f32 { dispatch!(level, simd => simd.vectorize(#[inline(always)] || T::sum(block))) };
    black_box(x.par_chunks(BLOCK).map(block).sum::<f32>());
}

/// Copies one array, or two each to its own, or the sums of two or three to one.
///
/// # Panics
///
/// If there are other numbers of arrays, or their lengths differ.
pub fn copy<T: Element>(reads: &[&[T]], writes: &mut [&mut [T]], store: Store) {
    match (reads, writes) {
        ([a], [x]) => blocks(x, |start, to| store.copy(to, &a[start..start + to.len()])),
        ([a, b], [x]) => {
            sums(
                x,
                store,
                #[inline(always)]
                |to, start, end| add_two(to, &a[start..end], &b[start..end]),
            );
        }
        ([a, b, c], [x]) => sums(
            x,
            store,
            #[inline(always)]
            |to, start, end| add_three(to, &a[start..end], &b[start..end], &c[start..end]),
        ),
        ([a, b], [x, y]) => {
            x.par_chunks_mut(BLOCK).zip(y.par_chunks_mut(BLOCK)).enumerate().for_each(|(i, (x, y))| {
                for (k, (x, y)) in x.chunks_mut(BURST).zip(y.chunks_mut(BURST)).enumerate() {
                    let start = i * BLOCK + k * BURST;
                    store.copy(x, &a[start..start + x.len()]);
                    store.copy(y, &b[start..start + y.len()]);
                }
                fence();
            })
        }
        (reads, writes) => panic!("no copy has {} inputs and {} outputs", reads.len(), writes.len()),
    }
}

/// Replaces an array by its negative.
pub fn in_place<T: Element>(x: &mut [T]) {
    let level = Level::new();
    blocks(x, |_, to| {
        dispatch!(level, simd => simd.vectorize(#[inline(always)] || {
            for x in to.iter_mut() {
                *x = -*x;
            }
        }));
    });
}

/// How often every chain of [`fused`] goes on: for some milliseconds in all.
const FUSED: usize = 1 << 20;
/// Chains of multiply-adds side by side: more than two a cycle with four cycles each keep busy, and no more than AVX2
/// has registers for.
const CHAINS: usize = 12;

/// Multiply-adds in registers on every thread of the pool, and how many numbers they made. None where the level has
/// no instruction for them.
pub fn fused(on: Backend) -> Option<usize> {
    let made = match on {
        #[cfg(target_arch = "x86_64")]
        Backend::Avx2(simd) => rayon::broadcast(|_| chains(simd)),
        #[cfg(target_arch = "x86_64")]
        Backend::Avx512(simd) => rayon::broadcast(|_| chains(simd)),
        #[cfg(target_arch = "aarch64")]
        Backend::Neon(simd) => rayon::broadcast(|_| chains(simd)),
        _ => return None,
    };
    Some(made.iter().sum())
}

/// x ← a x + b, over and over, in registers of the level's width.
fn chains<S: Simd>(simd: S) -> usize {
    simd.vectorize(
        #[inline(always)]
        || {
            let [a, b] = [0.5, 0.25].map(|x| S::f32s::splat(simd, black_box(x)));
            let mut x = [b; CHAINS];
            for _ in 0..FUSED {
                for x in &mut x {
                    *x = x.mul_add(a, b);
                }
            }
            black_box(x);
            FUSED * CHAINS * S::f32s::LEN
        },
    )
}

/// Runs `work` over blocks of an array, each with where it starts.
fn blocks<T: Element>(x: &mut [T], work: impl Fn(usize, &mut [T]) + Sync) {
    x.par_chunks_mut(BLOCK).enumerate().for_each(|(i, to)| {
        work(i * BLOCK, to);
        fence();
    });
}

/// Writes every burst as `fill` makes it from the elements between two indices.
fn sums<T: Element>(x: &mut [T], store: Store, fill: impl Fn(&mut [T], usize, usize) + Sync) {
    let level = Level::new();
    blocks(x, |start, to| {
        for (k, to) in to.chunks_mut(BURST).enumerate() {
            let (start, end) = (start + k * BURST, start + k * BURST + to.len());
            dispatch!(level, simd => simd.vectorize(#[inline(always)] || {
                store.write(to, #[inline(always)] |to| fill(to, start, end));
            }));
        }
    });
}

#[inline(always)]
fn add_two<T: Element>(to: &mut [T], a: &[T], b: &[T]) {
    for (to, (a, b)) in to.iter_mut().zip(a.iter().zip(b)) {
        *to = *a + *b;
    }
}

#[inline(always)]
fn add_three<T: Element>(to: &mut [T], a: &[T], b: &[T], c: &[T]) {
    for (to, ((a, b), c)) in to.iter_mut().zip(a.iter().zip(b).zip(c)) {
        *to = *a + *b + *c;
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn stream<T: Element>(to: &mut [T], from: &[T]) {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
    assert_eq!(to.len(), from.len());
    // SAFETY: any bits are a __m128i, and only such bits as `from` holds are written.
    let (head, body, tail) = unsafe { to.align_to_mut::<__m128i>() };
    let per_vector = size_of::<__m128i>() / size_of::<T>();
    let (from_head, from) = from.split_at(head.len());
    let (from_body, from_tail) = from.split_at(body.len() * per_vector);
    head.copy_from_slice(from_head);
    for (to, from) in body.iter_mut().zip(from_body.chunks_exact(per_vector)) {
        // SAFETY: `to` is aligned, `from` has the 16 bytes of a vector; SSE2 is in every x86-64.
        unsafe { _mm_stream_si128(to, _mm_loadu_si128(from.as_ptr().cast())) }
    }
    tail.copy_from_slice(from_tail);
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn stream<T: Element>(to: &mut [T], from: &[T]) {
    to.copy_from_slice(from);
}

/// Waits until streamed stores have arrived.
#[inline(always)]
fn fence() {
    // SAFETY: SSE is in every x86-64.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::x86_64::_mm_sfence()
    }
}
