//! What the tests of several terms share: numbers, masks with a reason each, layouts, backends and threads.

use crate::{Backend, Error, Mask};

/// Numbers in [−1, 1) from a seed, by a linear congruence.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn index(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % below as u64) as usize
    }

    pub(crate) fn uniform(&mut self) -> f32 {
        self.index(1 << 20) as f32 / (1 << 19) as f32 - 1.0
    }

    /// Mostly ordinary; some are zero, −0, subnormal, large or infinite.
    pub(crate) fn wild(&mut self) -> f32 {
        match self.index(24) {
            0 => 0.0,
            1 => -0.0,
            2 => 1e-41 * self.uniform(),
            3 => 1e30 * self.uniform(),
            4 => f32::INFINITY,
            _ => self.uniform(),
        }
    }

    pub(crate) fn flag(&mut self, one_in: usize) -> bool {
        self.index(one_in) == 0
    }
}

/// Masks of one row: everything, ragged, short gaps, long gaps, a leading gap, one token, nothing, by chance.
pub(crate) fn masks(t_len: usize) -> Vec<Vec<bool>> {
    let mut random = Random(t_len as u64);
    let of = |valid: &dyn Fn(usize) -> bool| (0..t_len).map(valid).collect::<Vec<bool>>();
    vec![
        of(&|_| true),
        of(&|t| t < t_len - t_len / 3),
        of(&|t| t % 23 < 17 && t + 2 < t_len),
        of(&|t| t % 190 < 95 && t % 41 < 24),
        of(&|t| t >= t_len / 2),
        of(&|t| t == t_len / 2),
        of(&|_| false),
        (0..t_len).map(|_| !random.flag(4)).collect(),
    ]
}

/// Lengths around every edge: groups of 8, steps of 128, stages of 256, tiles of 2048.
pub(crate) fn lengths() -> impl Iterator<Item = usize> {
    (1..70).step_by(2).chain([8, 16, 64, 255, 256, 257, 2047, 2048, 2049, 4099])
}

/// Runs a test on every backend that has the term, in pools of one, two and three threads.
pub(crate) fn everywhere(stem: &str, test: impl Fn(Backend) + Sync) {
    for threads in 1..=3 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        // What runs on a device knows nothing of threads, and an emulated one is slow.
        let on = Backend::with(stem).into_iter().filter(|on| threads == 1 || !on.is_device());
        pool.install(|| on.for_each(&test));
    }
}

/// The devices of this machine.
#[cfg(kernels)]
pub(crate) fn devices() -> impl Iterator<Item = Backend> {
    Backend::available().into_iter().filter(|on| on.is_device())
}

/// Rows as one buffer, in three layouts: padded to the longest, packed, and a slice of a wider array.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layout {
    Padded,
    Strided,
    Packed,
}

pub(crate) const LAYOUTS: [Layout; 3] = [Layout::Padded, Layout::Strided, Layout::Packed];

/// Where the rows of some lengths stand, and how many slots there are.
pub(crate) struct Laid {
    layout: Layout,
    pub(crate) offsets: Vec<usize>,
    t_len: usize,
    pub(crate) slots: usize,
}

impl Laid {
    pub(crate) fn new(layout: Layout, lengths: &[usize]) -> Laid {
        let t_len = lengths.iter().copied().max().unwrap_or(0);
        let stride = match layout {
            Layout::Packed => 0,
            Layout::Padded => t_len,
            Layout::Strided => t_len + 5,
        };
        let mut offsets = vec![0];
        for (row, length) in lengths.iter().enumerate() {
            offsets.push(if stride == 0 { offsets[row] + length } else { offsets[row] + stride });
        }
        Laid { layout, slots: offsets[lengths.len()], offsets, t_len }
    }

    /// Rows laid out, `fill` wherever there is none.
    pub(crate) fn lay<T: Copy>(&self, rows: &[Vec<T>], fill: T) -> Vec<T> {
        let mut all = vec![fill; self.slots];
        for (row, at) in rows.iter().zip(&self.offsets) {
            all[*at..*at + row.len()].copy_from_slice(row);
        }
        all
    }

    pub(crate) fn mask<'a>(&'a self, valid: &'a [bool]) -> Mask<'a> {
        let b = self.offsets.len() - 1;
        match self.layout {
            Layout::Packed => Mask::packed(valid, &self.offsets),
            Layout::Padded => Mask::padded(valid, b, self.t_len),
            Layout::Strided => Mask::strided(valid, b, self.t_len, self.t_len + 5),
        }
        .unwrap()
    }
}

/// Equal bits, or both NaN; −0 is not +0.
pub(crate) fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}

/// An array whose rows must be these and whose other slots must be as they were filled: with the sentinel.
#[track_caller]
pub(crate) fn assert_rows(what: &str, mask: &Mask<'_>, got: &[f32], want: &[Vec<f32>]) {
    let mut seen = 0;
    for (row, want) in want.iter().enumerate() {
        let slots = mask.row(row);
        for (t, slot) in slots.clone().enumerate() {
            let want = want.get(t).copied().unwrap_or(0.0);
            assert!(same(got[slot], want), "{what}: row {row}, token {t}: {:e}, not {want:e}", got[slot]);
        }
        assert!(got[seen..slots.start].iter().all(|x| *x == SENTINEL), "{what}: before row {row}");
        seen = slots.end;
    }
    assert!(got[seen..].iter().all(|x| *x == SENTINEL), "{what}: after the last row");
}

/// What outputs are filled with: no term computes it.
pub(crate) const SENTINEL: f32 = -1.234_567_8e33;

/// Runs a term that makes one number a token of up to three, on every backend, over masks, lengths and layouts
/// with NaN in masked slots, and compares it with what is written.
pub(crate) fn each_token(
    stem: &str,
    term: impl Fn(Backend, [&[f32]; 3], &Mask<'_>, &mut [f32]) -> Result<(), Error> + Sync,
    written: impl Fn([f32; 3]) -> f32,
) {
    for (i, n) in [1, 7, 65, 130, 513, 2049].into_iter().enumerate() {
        let laid = Laid::new(LAYOUTS[i % 3], &vec![n; masks(n).len()]);
        let (rows, mut random) = (masks(n), Random(n as u64));
        let mut numbers = || -> Vec<Vec<f32>> {
            let mut of = |valid: &bool| if *valid { random.wild() } else { f32::NAN };
            rows.iter().map(|row| row.iter().map(&mut of).collect()).collect()
        };
        let x = [numbers(), numbers(), numbers()];
        let token = |row: usize, t: usize| {
            if rows[row][t] { written(x.each_ref().map(|x| x[row][t])) } else { 0.0 }
        };
        let want: Vec<Vec<f32>> =
            (0..rows.len()).map(|row| (0..n).map(|t| token(row, t)).collect()).collect();
        let (x, valid) = (x.each_ref().map(|x| laid.lay(x, f32::NAN)), laid.lay(&rows, false));
        let mask = laid.mask(&valid);
        everywhere(stem, |on| {
            let mut out = vec![SENTINEL; laid.slots];
            term(on, x.each_ref().map(Vec::as_slice), &mask, &mut out).unwrap();
            assert_rows(&format!("{on}, {n} tokens"), &mask, &out, &want);
        });
    }
}

/// Whether ORDER.md has these constants, one after the other, after that text.
pub(crate) fn in_order_md(before: &str, constants: &[f32]) -> bool {
    let constants: Vec<String> = constants.iter().map(|x| format!("{:#010x}", x.to_bits())).collect();
    include_str!("../ORDER.md").contains(&format!("{before}{}", constants.join(" ")))
}
