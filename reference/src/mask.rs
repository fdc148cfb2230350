//! Which slots hold a response token. Outside the grid of terms, because every term reads it.

use crate::{check::same_shape, written};
use nalgebra::DMatrix;

/// The mask m: b × t_len, true where a response token is.
///
/// Every formula of this crate is evaluated through [`Mask::each`], which never reads a masked slot and
/// writes +0 there. So NaN, ±∞ or 1e30 in padding changes no bit of any result or gradient.
///
/// ```
/// use reference::Mask;
/// let mask = Mask::from_rows(&[[1, 1, 0], [1, 0, 0]]);
/// assert_eq!(mask.count(), 3);
/// assert_eq!(mask.end(0), 2);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Mask(DMatrix<bool>);

impl Mask {
    /// From a b × t_len matrix, true where a token is.
    pub fn new(valid: DMatrix<bool>) -> Mask {
        Mask(valid)
    }

    /// From rows of 0 and 1.
    ///
    /// # Panics
    ///
    /// If an entry is neither.
    pub fn from_rows<const T: usize>(rows: &[[u8; T]]) -> Mask {
        Mask(DMatrix::from_fn(rows.len(), T, |row, t| match rows[row][t] {
            0 => false,
            1 => true,
            other => panic!("mask: entry [{row}, {t}] is {other}, and a mask holds 0 and 1"),
        }))
    }

    /// Every slot valid.
    pub fn full(b: usize, t_len: usize) -> Mask {
        Mask(DMatrix::from_element(b, t_len, true))
    }

    /// (b, t_len).
    pub fn shape(&self) -> (usize, usize) {
        self.0.shape()
    }

    /// Whether slot (row, t) holds a response token.
    pub fn has(&self, slot: (usize, usize)) -> bool {
        self.0[slot]
    }

    /// n = Σ m, the number of valid tokens.
    pub fn count(&self) -> usize {
        self.0.iter().filter(|valid| **valid).count()
    }

    /// The valid slots of a row, in order.
    pub fn tokens_of(&self, row: usize) -> Vec<usize> {
        (0..self.0.ncols()).filter(|t| self.0[(row, *t)]).collect()
    }

    /// The slot after the last valid token of a row; 0 where the row has none.
    pub fn end(&self, row: usize) -> usize {
        self.tokens_of(row).last().map_or(0, |last| last + 1)
    }

    /// One formula for every valid token: `formula((row, t))` there, +0 in masked slots.
    pub fn each(&self, mut formula: impl FnMut((usize, usize)) -> f64) -> DMatrix<f64> {
        let (b, t_len) = self.shape();
        DMatrix::from_fn(b, t_len, |row, t| if self.0[(row, t)] { formula((row, t)) } else { 0.0 })
    }

    /// The same numbers with +0 in masked slots.
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn keep(&self, x: &DMatrix<f64>) -> DMatrix<f64> {
        same_shape("keep", "x", x.shape(), "mask", self.shape());
        self.each(|slot| x[slot])
    }

    /// Σ over the valid tokens, row by row.
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn sum(&self, x: &DMatrix<f64>) -> f64 {
        same_shape("sum", "x", x.shape(), "mask", self.shape());
        let (b, t_len) = self.shape();
        let slots = (0..b).flat_map(|row| (0..t_len).map(move |t| (row, t)));
        written::sum(slots.filter(|slot| self.0[*slot]).map(|slot| x[slot]))
    }

    /// The mask with slot `end` of each row valid too, where the row has one: where a trainer that
    /// scores the first pad reads one value more than it has tokens. A row without tokens stays empty.
    pub fn with_first_pad(&self) -> Mask {
        let (b, t_len) = self.shape();
        let ends: Vec<usize> = (0..b).map(|row| self.end(row)).collect();
        Mask(DMatrix::from_fn(b, t_len, |row, t| self.0[(row, t)] || (t > 0 && t == ends[row])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_is_not_evaluated_in_a_masked_slot() {
        let mask = Mask::from_rows(&[[1, 0, 1]]);
        let mut seen = Vec::new();
        let got = mask.each(|slot| {
            seen.push(slot);
            7.0
        });
        assert_eq!(seen, [(0, 0), (0, 2)]);
        assert_eq!(got.as_slice(), [7.0, 0.0, 7.0]);
    }

    #[test]
    fn the_first_pad_follows_the_last_valid_token() {
        let mask = Mask::from_rows(&[[1, 0, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]]);
        let with = Mask::from_rows(&[[1, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]]);
        assert_eq!(mask.with_first_pad(), with);
    }
}
