//! How results reach memory, and how operands are asked for ahead of time: the one unsafe file of the crate.
//! Only speed depends on it, never a bit.

#![expect(unsafe_code, reason = "non-temporal stores and prefetches have no safe form")]

/// Outputs at least this long are written past the caches: they would only push the inputs out. In bytes.
const STREAM_FROM: usize = 4 << 20;

/// How a large output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// Through the caches.
    Plain,
    /// Past them, where the machine can; in ascending bursts, since anything else is slower than plain.
    Stream,
}

impl Store {
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
    pub(crate) fn write(self, to: &mut [f32], burst: &[f32]) {
        match self {
            Store::Plain => to.copy_from_slice(burst),
            Store::Stream => stream(to, burst),
        }
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
fn stream(to: &mut [f32], burst: &[f32]) {
    use core::arch::x86_64::{_mm_loadu_ps, _mm_stream_ps};
    assert_eq!(to.len(), burst.len());
    let head = to.as_ptr().align_offset(16).min(to.len());
    let (to_head, to) = to.split_at_mut(head);
    let (burst_head, burst) = burst.split_at(head);
    to_head.copy_from_slice(burst_head);
    let (to, to_tail) = to.as_chunks_mut::<4>();
    let (burst, burst_tail) = burst.as_chunks::<4>();
    for (to, four) in to.iter_mut().zip(burst) {
        // SAFETY: both point to four f32; `to` is aligned to 16 bytes, since `head` elements were left out;
        // SSE is in every x86-64.
        unsafe { _mm_stream_ps(to.as_mut_ptr(), _mm_loadu_ps(four.as_ptr())) }
    }
    to_tail.copy_from_slice(burst_tail);
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn stream(to: &mut [f32], burst: &[f32]) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streamed_burst_arrives_whole_and_touches_nothing_else() {
        for start in 0..5 {
            for n in [0, 1, 3, 4, 5, 16, 33] {
                let burst: Vec<f32> = (0..n).map(|i| i as f32 + 1.0).collect();
                let mut to = vec![-1.0; 64];
                Store::Stream.write(&mut to[start..start + n], &burst);
                Store::Stream.finish();
                assert_eq!(to[start..start + n], burst);
                assert!(to[..start].iter().chain(&to[start + n..]).all(|x| *x == -1.0));
            }
        }
    }
}
