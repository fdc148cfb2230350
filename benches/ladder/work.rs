//! What is timed: a call with its arrays, all of them made beforehand.

use conformance::cases::Rng;
use optimized::{Backend, Error, Mask};
use ppo_benches::ceiling::Element;
use rayon::prelude::*;

/// Operations of an exp over every f32 (`optimized/ORDER.md`, 2.2).
pub(crate) const EXP: usize = 21;

/// Does the work once, from the first arrays into the others; gives the numbers that go into none of them.
pub(crate) type Call<T> = Box<dyn FnMut(Backend, &[Vec<T>], &mut [Vec<T>]) -> Result<Vec<f32>, Error> + Send>;

/// One work of a term.
pub(crate) struct Work<T> {
    /// The stem of the term, and what of it is computed.
    pub(crate) what: String,
    /// Rows and columns of each array.
    pub(crate) size: (usize, usize),
    /// Operations on numbers that `optimized/ORDER.md` writes for each element of an array. A fused multiply-add, a
    /// comparison with what it selects, and a change of format are one each; what a mask selects is none, nor is what
    /// there is once a row.
    pub(crate) operations: usize,
    /// The tokens of the batch; of logits, one a row.
    pub(crate) tokens: usize,
    /// Read once at least.
    pub(crate) reads: Vec<Vec<T>>,
    /// Written once.
    pub(crate) writes: Vec<Vec<T>>,
    /// Whether the one output holds the one input when the call begins.
    pub(crate) in_place: bool,
    /// The call.
    pub(crate) call: Call<T>,
}

impl Work<f32> {
    /// A work over a batch whose rows end up to 7 slots before the width: a real mask that saves hardly a byte.
    pub(crate) fn of_tokens(
        what: &str,
        operations: usize,
        (b, t_len): (usize, usize),
        reads: Vec<Vec<f32>>,
        writes: usize,
        mut call: impl FnMut(Backend, &Mask<'_>, &[Vec<f32>], &mut [Vec<f32>]) -> Result<Vec<f32>, Error>
        + Send
        + 'static,
    ) -> Work<f32> {
        let valid: Vec<bool> =
            (0..b).flat_map(|row| (0..t_len).map(move |t| t + row * 5 % 8 < t_len)).collect();
        let tokens = valid.iter().filter(|valid| **valid).count();
        let call = move |on, reads: &[Vec<f32>], writes: &mut [Vec<f32>]| {
            call(on, &Mask::padded(&valid, b, t_len)?, reads, writes)
        };
        Work::new(what, operations, (b, t_len), tokens, reads, writes, Box::new(call))
    }
}

impl<T: Element> Work<T> {
    /// A work with so many outputs.
    pub(crate) fn new(
        what: &str,
        operations: usize,
        size: (usize, usize),
        tokens: usize,
        reads: Vec<Vec<T>>,
        writes: usize,
        call: Call<T>,
    ) -> Work<T> {
        let writes = vec![vec![T::NAN; size.0 * size.1]; writes];
        Work { what: what.to_owned(), operations, size, tokens, reads, writes, in_place: false, call }
    }

    /// Puts the input where the call will replace it.
    pub(crate) fn prepare(&mut self) {
        if self.in_place {
            self.writes[0].copy_from_slice(&self.reads[0]);
        }
    }

    /// Fills the outputs with NaN, so that nothing written before can pass for an answer.
    pub(crate) fn forget(&mut self) {
        for x in &mut self.writes {
            x.fill(T::NAN);
        }
    }

    /// Does the work once.
    pub(crate) fn run(&mut self, on: Backend) -> Result<Vec<f32>, Error> {
        (self.call)(on, &self.reads, &mut self.writes)
    }
}

/// That many arrays of normal numbers with mean 0.
pub(crate) fn normals(arrays: u64, size: (usize, usize), deviation: f64) -> Vec<Vec<f32>> {
    (1..=arrays).map(|seed| normal(seed, size.0 * size.1, 0.0, deviation)).collect()
}

/// n normal numbers.
pub(crate) fn normal<T: Element>(seed: u64, n: usize, mean: f64, deviation: f64) -> Vec<T> {
    const BLOCK: usize = 1 << 16;
    let mut x = vec![T::ZERO; n];
    x.par_chunks_mut(BLOCK).enumerate().for_each(|(i, x)| {
        let mut rng = Rng::new(seed << 32 | i as u64);
        x.fill_with(|| T::narrow((mean + deviation * rng.normal()) as f32));
    });
    x
}
