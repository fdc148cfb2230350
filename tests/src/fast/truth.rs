//! What the reference says of an output, and whether a fast one keeps to it.

use crate::budget::{Approx, Grid, Precision};
use nalgebra::DMatrix;

/// The reference's numbers with what the fast path may be off, in the order of the output.
#[derive(Debug, Clone)]
pub struct Want(pub Vec<Approx>);

impl Want {
    /// One number: the reference's, with the allowance of its budget.
    pub fn number(value: f64, allowed: Approx) -> Want {
        Want(vec![allowed.at(value)])
    }

    /// `width` numbers a slot, 0 where a slot is masked (none).
    pub fn slots(of: Vec<Option<Vec<Approx>>>, width: usize) -> Want {
        let masked = || vec![Precision::ORDER.given(0.0); width];
        Want(of.into_iter().flat_map(|slot| slot.unwrap_or_else(masked)).collect())
    }

    /// One number a slot.
    pub fn tokens(value: &DMatrix<f64>, allowed: &Grid) -> Want {
        Want(value.transpose().iter().zip(allowed.transpose().iter()).map(|(x, off)| off.at(*x)).collect())
    }
}

/// How a number compares with the reference's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judged {
    /// Within its budget, of which it uses that share.
    Within(f64),
    /// Something may have left the f32 range on the way, or a divisor be 0: what came out is the order's own
    /// number, ∞ or NaN, and only backends can be compared.
    OutOfRange,
    /// Beyond it.
    Outside,
}

/// Compares one number with the reference's.
pub fn judge(got: f32, want: Approx) -> Judged {
    let (got, Approx { value, off, .. }) = (f64::from(got), want);
    if off == f64::INFINITY {
        return Judged::OutOfRange;
    }
    let same = got == value || (got.is_nan() && value.is_nan());
    let difference = (got - value).abs();
    if same {
        Judged::Within(0.0)
    } else if difference <= off {
        Judged::Within(difference / off)
    } else {
        Judged::Outside
    }
}
