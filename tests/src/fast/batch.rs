//! Inputs of a fast term: f32 arrays over b × t_len slots, some of them masked, seeded.

use nalgebra::{DMatrix, DVector};
use reference::{Mask, rng::Rng};

/// Named inputs of one call. Flags are 0 or 1 and ids whole numbers, all held as f32.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Rows, B.
    pub b: usize,
    /// Slots of a row.
    pub t_len: usize,
    /// b · t_len, row by row: true where a token is.
    pub valid: Vec<bool>,
    pub(super) tokens: Vec<Array>,
    pub(super) rows: Vec<(&'static str, Vec<f32>)>,
    seed: u64,
}

/// Some numbers a slot.
#[derive(Debug, Clone)]
pub(super) struct Array {
    pub(super) name: &'static str,
    pub(super) width: usize,
    pub(super) x: Vec<f32>,
}

/// Whether slot t of t_len is valid, in a row where something happens `at` a drawn slot: (rng, at, t, t_len).
type Kind = fn(&mut Rng, usize, usize, usize) -> bool;

/// The rows of [`Batch::mixed`], which are the masks that every term must meet.
const KINDS: [Kind; 7] = [
    |_, _, _, _| true,                                 // all
    |_, at, t, _| t < at,                              // ragged
    |rng, _, _, _| rng.uniform() < 0.7,                // gaps
    |rng, at, t, _| t > at / 2 && rng.uniform() < 0.8, // a leading gap, and gaps after it
    |_, at, t, t_len| t == at % t_len,                 // a single token
    |_, _, _, _| false,                                // an empty row
    |_, _, t, t_len| t + 1 == t_len,                   // the last slot alone
];

impl Batch {
    /// Rows that are full, ragged, full of gaps, begin with one, hold one token, none, and the last slot alone.
    pub fn mixed(t_len: usize, seed: u64) -> Batch {
        let mut rng = Rng::of(&[seed, t_len as u64]);
        let mut valid = Vec::new();
        for kind in KINDS {
            let at = 1 + rng.below(t_len);
            valid.extend((0..t_len).map(|t| kind(&mut rng, at, t, t_len)));
        }
        Batch { b: KINDS.len(), t_len, valid, tokens: Vec::new(), rows: Vec::new(), seed }
    }

    /// Every slot valid.
    pub fn full(b: usize, t_len: usize, seed: u64) -> Batch {
        Batch { b, t_len, valid: vec![true; b * t_len], tokens: Vec::new(), rows: Vec::new(), seed }
    }

    /// With one more array, one number a slot.
    #[must_use]
    pub fn with(self, name: &'static str, draw: impl FnMut(&mut Rng) -> f64) -> Batch {
        self.with_many(name, 1, draw)
    }

    /// With one more array, `width` numbers a slot.
    #[must_use]
    pub fn with_many(
        mut self,
        name: &'static str,
        width: usize,
        mut draw: impl FnMut(&mut Rng) -> f64,
    ) -> Batch {
        let mut rng = Rng::of(&[self.seed, self.tokens.len() as u64, 1]);
        let x = (0..self.valid.len() * width).map(|_| draw(&mut rng) as f32).collect();
        self.tokens.push(Array { name, width, x });
        self
    }

    /// With one more number a row.
    #[must_use]
    pub fn with_row(mut self, name: &'static str, mut draw: impl FnMut(&mut Rng) -> f64) -> Batch {
        let mut rng = Rng::of(&[self.seed, self.rows.len() as u64, 2]);
        self.rows.push((name, (0..self.b).map(|_| draw(&mut rng) as f32).collect()));
        self
    }

    /// How many numbers it holds.
    pub fn size(&self) -> usize {
        self.tokens.iter().map(|array| array.x.len()).sum()
    }

    /// The names of its arrays.
    pub fn names(&self) -> Vec<&'static str> {
        self.tokens.iter().map(|array| array.name).collect()
    }

    /// An array, for a case to put its special numbers in.
    ///
    /// # Panics
    ///
    /// If there is none of that name.
    pub fn array_mut(&mut self, name: &str) -> &mut [f32] {
        let found = self.tokens.iter_mut().find(|array| array.name == name);
        &mut found.unwrap_or_else(|| panic!("batch: no array `{name}`")).x
    }

    /// The numbers a slot of an array.
    ///
    /// # Panics
    ///
    /// If there is none of that name.
    pub fn width(&self, name: &str) -> usize {
        self.array(name).width
    }

    pub(super) fn array(&self, name: &str) -> &Array {
        self.tokens
            .iter()
            .find(|array| array.name == name)
            .unwrap_or_else(|| panic!("batch: no array `{name}`"))
    }

    /// The numbers of one slot, widened.
    pub fn at(&self, name: &str, (row, t): (usize, usize)) -> Vec<f64> {
        let Array { width, x, .. } = self.array(name);
        let start = (row * self.t_len + t) * width;
        x[start..start + width].iter().map(|x| f64::from(*x)).collect()
    }

    /// An array of one number a slot as the reference takes it: widened, which is exact.
    pub fn wide(&self, name: &str) -> DMatrix<f64> {
        let x = &self.array(name).x;
        DMatrix::from_fn(self.b, self.t_len, |row, t| f64::from(x[row * self.t_len + t]))
    }

    /// The same as flags.
    pub fn flags(&self, name: &str) -> DMatrix<bool> {
        self.wide(name).map(|x| x != 0.0)
    }

    /// One number a row, widened.
    ///
    /// # Panics
    ///
    /// If there is none of that name.
    pub fn wide_row(&self, name: &str) -> DVector<f64> {
        let found = self.rows.iter().find(|(of, _)| *of == name);
        let (_, x) = found.unwrap_or_else(|| panic!("batch: no row array `{name}`"));
        DVector::from_iterator(self.b, x.iter().map(|x| f64::from(*x)))
    }

    /// The mask as the reference takes it.
    pub fn mask(&self) -> Mask {
        Mask::new(DMatrix::from_row_slice(self.b, self.t_len, &self.valid))
    }

    /// These rows of it, in this order.
    #[must_use]
    pub fn rows(&self, order: &[usize]) -> Batch {
        let of = |x: &[f32], width: usize| {
            let n = self.t_len * width;
            order.iter().flat_map(|row| x[row * n..(row + 1) * n].to_vec()).collect()
        };
        let n = self.t_len;
        Batch {
            b: order.len(),
            valid: order.iter().flat_map(|row| self.valid[row * n..(row + 1) * n].to_vec()).collect(),
            tokens: self
                .tokens
                .iter()
                .map(|array| Array { x: of(&array.x, array.width), ..*array })
                .collect(),
            rows: self
                .rows
                .iter()
                .map(|(name, x)| (*name, order.iter().map(|row| x[*row]).collect()))
                .collect(),
            ..*self
        }
    }
}
