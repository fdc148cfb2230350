//! How results reach memory, and how operands are asked for ahead of time: the one unsafe file of the crate.
//! Only speed depends on it, never a bit.

#![expect(unsafe_code, reason = "non-temporal stores and prefetches have no safe form")]

#[cfg(test)]
mod tests;

use fearless_simd::Level;

/// Outputs at least this long may be written past the caches: they would only push the inputs out. In bytes.
const STREAM_FROM: usize = if cfg!(test) { 4 << 10 } else { 4 << 20 };

/// Shorter bursts are faster through the caches. In bytes.
const BURST: usize = 4 << 10;

/// A number that may be written past the caches.
///
/// # Safety
///
/// The type has no padding and no destructor, its size divides 16, and every bit pattern is a value.
pub unsafe trait Number: Copy {}

// SAFETY: 4 bytes, all of them the number.
unsafe impl Number for f32 {}
// SAFETY: 2 bytes, all of them the number.
unsafe impl Number for half::bf16 {}

/// What begins with a cache line, so that no vector in it lies across two.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Aligned<T>(pub(crate) T);

/// How a large output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// Through the caches.
    Plain,
    /// Past them, where the machine can; in long ascending bursts, since anything else is slower than plain.
    Stream,
}

impl Store {
    /// For an output of that many elements in all, written a row at a time.
    pub(crate) fn of_rows<T>(elements: usize, rows: usize) -> Store {
        let in_long_bursts = elements / (BURST / size_of::<T>()) >= rows;
        if in_long_bursts { Store::of::<T>(elements) } else { Store::Plain }
    }

    /// For an output of that many elements in all.
    pub(crate) fn of<T>(elements: usize) -> Store {
        if elements * size_of::<T>() >= STREAM_FROM { Store::Stream } else { Store::Plain }
    }

    /// Copies a burst to its place.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    #[inline(always)]
    pub(crate) fn write<T: Number>(self, to: &mut [T], burst: &[T]) {
        match self {
            Store::Plain => to.copy_from_slice(burst),
            Store::Stream => stream(to, burst),
        }
    }

    /// How many numbers stand before the first whole line of `to`.
    #[inline(always)]
    pub(crate) fn head<T: Number>(self, to: &[T]) -> usize {
        match self {
            Store::Plain => 0,
            Store::Stream => to.as_ptr().align_offset(64).min(to.len()),
        }
    }

    /// Writes an array from the registers that it was computed in, by code that runs at level `on`. It is streamed
    /// where it is whole vectors of that level and so aligned.
    #[inline(always)]
    pub(crate) fn put<T: Number, const N: usize>(self, on: Level, to: &mut [T; N], x: [T; N]) {
        #[cfg(target_arch = "x86_64")]
        {
            let whole = |bytes| {
                (N * size_of::<T>()).is_multiple_of(bytes) && to.as_ptr().addr().is_multiple_of(bytes)
            };
            match (self, on) {
                (Store::Stream, Level::Avx512(_)) if whole(64) => {
                    // SAFETY: both are as long, a multiple of 64 bytes, `to` is aligned to 64, and the token is
                    // the proof of AVX-512.
                    return unsafe { stream_by_64(to, &x) };
                }
                (Store::Stream, Level::Avx512(_) | Level::Avx2(_)) if whole(32) => {
                    // SAFETY: both are as long, a multiple of 32 bytes, `to` is aligned to 32, and either token
                    // is a proof of AVX.
                    return unsafe { stream_by_32(to, &x) };
                }
                _ => {}
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = on;
        *to = x;
    }

    /// Waits until streamed bursts can be seen by other threads. A block of rows ends with this.
    #[inline(always)]
    pub(crate) fn finish(self) {
        #[cfg(target_arch = "x86_64")]
        if self == Store::Stream {
            // SAFETY: SSE is in every x86-64.
            unsafe {
                core::arch::x86_64::_mm_sfence();
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn stream<T: Number>(to: &mut [T], burst: &[T]) {
    assert_eq!(to.len(), burst.len());
    let head = to.as_ptr().align_offset(32).min(to.len());
    let (to_head, to) = to.split_at_mut(head);
    let (burst_head, burst) = burst.split_at(head);
    to_head.copy_from_slice(burst_head);
    let whole = to.len() - to.len() % (32 / size_of::<T>());
    let (to, to_tail) = to.split_at_mut(whole);
    let (burst, burst_tail) = burst.split_at(whole);
    // The width of a store is no arithmetic, so it may be the machine's rather than the backend's.
    if std::arch::is_x86_feature_detected!("avx") {
        // SAFETY: both are as long, a multiple of 32 bytes; `to` is aligned to 32, since `head` numbers were
        // left out; the machine has AVX.
        unsafe { stream_by_32(to, burst) }
    } else {
        // SAFETY: the same; 32 is a multiple of 16.
        unsafe { stream_by_16(to, burst) }
    }
    to_tail.copy_from_slice(burst_tail);
}

/// # Safety
///
/// Both must be as long, a multiple of 64 bytes, and `to` aligned to 64.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
#[inline]
unsafe fn stream_by_64<T: Number>(to: &mut [T], burst: &[T]) {
    use core::arch::x86_64::{_mm512_loadu_si512, _mm512_stream_si512};
    for at in (0..to.len()).step_by(64 / size_of::<T>()) {
        // SAFETY: 64 bytes without padding are left in both, and those of `to` are aligned.
        unsafe {
            let bytes = _mm512_loadu_si512(burst.as_ptr().add(at).cast());
            _mm512_stream_si512(to.as_mut_ptr().add(at).cast(), bytes);
        }
    }
}

/// # Safety
///
/// Both must be as long, a multiple of 32 bytes, and `to` aligned to 32.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
#[inline]
unsafe fn stream_by_32<T: Number>(to: &mut [T], burst: &[T]) {
    use core::arch::x86_64::{_mm256_loadu_si256, _mm256_stream_si256};
    for at in (0..to.len()).step_by(32 / size_of::<T>()) {
        // SAFETY: 32 bytes without padding are left in both, and those of `to` are aligned.
        unsafe {
            let bytes = _mm256_loadu_si256(burst.as_ptr().add(at).cast());
            _mm256_stream_si256(to.as_mut_ptr().add(at).cast(), bytes);
        }
    }
}

/// # Safety
///
/// Both must be as long, a multiple of 16 bytes, and `to` aligned to 16.
#[cfg(target_arch = "x86_64")]
unsafe fn stream_by_16<T: Number>(to: &mut [T], burst: &[T]) {
    use core::arch::x86_64::{_mm_loadu_si128, _mm_stream_si128};
    for at in (0..to.len()).step_by(16 / size_of::<T>()) {
        // SAFETY: 16 bytes without padding are left in both, and those of `to` are aligned; SSE2 is in every
        // x86-64.
        unsafe {
            let bytes = _mm_loadu_si128(burst.as_ptr().add(at).cast());
            _mm_stream_si128(to.as_mut_ptr().add(at).cast(), bytes);
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn stream<T: Number>(to: &mut [T], burst: &[T]) {
    to.copy_from_slice(burst);
}

/// Asks for the cache line of an element that will be read soon; one past the end asks for nothing useful and
/// harms nothing.
#[inline(always)]
pub(crate) fn prefetch<T>(x: &[T], at: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing and cannot fault, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(x.as_ptr().wrapping_add(at).cast()) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (x, at);
}
