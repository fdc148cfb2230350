//! What the memory allows: a sum of the bytes that a work reads, and copies with as many streams.

#![expect(unsafe_code, reason = "non-temporal stores have no safe form")]

use crate::{
    arrays::{Arrays, Element},
    terms::Term,
};
use fearless_simd::{Level, dispatch, prelude::*};
use rayon::prelude::*;
use serde_json::{Value, json};
use std::hint::black_box;

/// Elements that a thread takes at a time.
const BLOCK: usize = 1 << 15;
/// Elements of a stream before the next stream's turn: shorter bursts of non-temporal stores are slow.
const BURST: usize = 1 << 10;

/// How a copy is written.
#[derive(Clone, Copy)]
pub(crate) enum Store {
    /// Through the caches.
    Plain,
    /// Past them.
    NonTemporal,
}

impl Store {
    const ALL: [(&str, Store); 2] = [("plain", Store::Plain), ("non-temporal", Store::NonTemporal)];

    pub(crate) fn named(name: &str) -> Option<Store> {
        Store::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, store)| store)
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

/// The ceilings of a work: streams, way to store, bytes.
pub(crate) fn of<T: Element>(term: &Term, arrays: &Arrays<T>) -> Vec<Value> {
    let array = size_of::<T>() * arrays.size.0 * arrays.size.1;
    let (reads, writes) = (term.reads.len(), term.writes.len());
    let copies = Store::ALL
        .map(|(store, _)| json!([format!("copy_{reads}_{writes}"), store, (reads + writes) * array]));
    let read = (reads == 1).then(|| json!(["read", "sum", array]));
    read.into_iter().chain(copies).collect()
}

/// Reads an array once.
pub(crate) fn read<T: Element>(x: &[T]) {
    let level = Level::new();
    let block =
        |block: &[T]| -> f32 { dispatch!(level, simd => simd.vectorize(#[inline(always)] || T::sum(block))) };
    black_box(x.par_chunks(BLOCK).map(block).sum::<f32>());
}

/// Copies one array, or two each to its own, or the sums of three to one.
pub(crate) fn copy<T: Element>(reads: &[Vec<T>], writes: &mut [Vec<T>], store: Store) {
    let level = Level::new();
    let blocks = |x: &mut [T], work: &(dyn Fn(usize, &mut [T]) + Sync)| {
        x.par_chunks_mut(BLOCK).enumerate().for_each(|(i, to)| {
            work(i * BLOCK, to);
            fence();
        });
    };
    match (reads, writes) {
        ([a], [x]) => blocks(x, &|start, to| store.copy(to, &a[start..start + to.len()])),
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
        ([a, b, c], [x]) => blocks(x, &|start, to| {
            for (k, to) in to.chunks_mut(BURST).enumerate() {
                let (start, end) = (start + k * BURST, start + k * BURST + to.len());
                let (a, b, c) = (&a[start..end], &b[start..end], &c[start..end]);
                dispatch!(level, simd => simd.vectorize(#[inline(always)] || {
                    store.write(to, #[inline(always)] |to| add(to, a, b, c));
                }));
            }
        }),
        (reads, writes) => unreachable!("no work has {} inputs and {} outputs", reads.len(), writes.len()),
    }
}

#[inline(always)]
fn add<T: Element>(to: &mut [T], a: &[T], b: &[T], c: &[T]) {
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
