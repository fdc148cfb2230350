//! Between the reference's matrices and the fast path's arrays: f64 and f32, columns and rows.

use crate::dump::{BadInput, error::bad};
use nalgebra::DMatrix;
use optimized::Mask;

/// A b × t_len matrix as the fast path reads it: row-major, each number rounded once.
pub fn flat(x: &DMatrix<f64>) -> Vec<f32> {
    x.row_iter().flat_map(|row| row.iter().map(|x| *x as f32).collect::<Vec<_>>()).collect()
}

/// [`flat`] of an input that a user gave.
///
/// # Errors
///
/// A finite number that f32 cannot hold.
pub fn read(name: &str, x: &DMatrix<f64>) -> Result<Vec<f32>, BadInput> {
    let flat = flat(x);
    let t_len = x.ncols();
    match x.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>()).zip(&flat).position(overflows)
    {
        None => Ok(flat),
        Some(at) => {
            let (row, t) = (at / t_len, at % t_len);
            Err(bad!("`{name}` [{row}, {t}] is {:?}, which f32 cannot hold", x[(row, t)]))
        }
    }
}

fn overflows((x, rounded): (f64, &f32)) -> bool {
    x.is_finite() && !rounded.is_finite()
}

/// The way back: b × t_len, exactly.
pub fn matrix(b: usize, t_len: usize, x: &[f32]) -> DMatrix<f64> {
    DMatrix::from_row_iterator(b, t_len, x.iter().map(|x| f64::from(*x)))
}

/// The reference's mask as the fast path's slots.
#[derive(Debug, Clone)]
pub struct Slots {
    valid: Vec<bool>,
    b: usize,
    t_len: usize,
}

impl Slots {
    /// The same slots, row-major.
    pub fn of(mask: &reference::Mask) -> Slots {
        let (b, t_len) = mask.shape();
        let valid = (0..b).flat_map(|row| (0..t_len).map(move |t| (row, t))).map(|slot| mask.has(slot));
        Slots { valid: valid.collect(), b, t_len }
    }

    /// Every slot, true where a token is.
    pub fn valid(&self) -> &[bool] {
        &self.valid
    }

    /// As the argument of a term.
    ///
    /// # Errors
    ///
    /// Never: the slots were counted when they were made.
    pub fn mask(&self) -> Result<Mask<'_>, optimized::Error> {
        Mask::padded(&self.valid, self.b, self.t_len)
    }
}
