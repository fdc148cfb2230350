//! How rows lie in a flat buffer: padded, as a slice of a wider array, or packed.

use crate::Error;
use core::ops::Range;

/// Where each row stands.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rows<'a> {
    /// Each `t_len` slots long, `stride` slots after the one before.
    Padded { b: usize, t_len: usize, stride: usize },
    /// Row i is `offsets[i]..offsets[i + 1]`.
    Packed { offsets: &'a [usize] },
}

impl<'a> Rows<'a> {
    /// Padded rows in a buffer of that many slots, which ends with the last row or with its stride.
    pub(super) fn strided(slots: usize, b: usize, t_len: usize, stride: usize) -> Result<Rows<'a>, Error> {
        if stride < t_len {
            return Err(Error::Stride { stride, t_len });
        }
        let whole = b.checked_mul(stride);
        let least = whole.map(|whole| if b == 0 { 0 } else { whole - (stride - t_len) });
        if [whole, least].contains(&Some(slots)) {
            Ok(Rows::Padded { b, t_len, stride })
        } else {
            Err(Error::MaskLength { got: slots, b, t_len, stride })
        }
    }

    /// Packed rows that cover a buffer of that many slots.
    pub(super) fn packed(slots: usize, offsets: &'a [usize]) -> Result<Rows<'a>, Error> {
        let ends = (offsets.first().copied(), offsets.last().copied());
        if ends != (Some(0), Some(slots)) {
            return Err(Error::OffsetEnds { first: ends.0, last: ends.1, slots });
        }
        if let Some(row) = (1..offsets.len()).find(|row| offsets[*row] < offsets[row - 1]) {
            return Err(Error::OffsetOrder { row, at: offsets[row], before: offsets[row - 1] });
        }
        Ok(Rows::Packed { offsets })
    }

    /// How many there are.
    pub(super) fn b(self) -> usize {
        match self {
            Rows::Padded { b, .. } => b,
            Rows::Packed { offsets } => offsets.len() - 1,
        }
    }

    /// The slots of one.
    pub(super) fn row(self, row: usize) -> Range<usize> {
        match self {
            Rows::Padded { b, t_len, stride } => {
                assert!(row < b, "mask: row {row} of {b}");
                row * stride..row * stride + t_len
            }
            Rows::Packed { offsets } => offsets[row]..offsets[row + 1],
        }
    }

    /// The slots of all of them together, those between rows left out.
    pub(super) fn slots(self) -> usize {
        match self {
            Rows::Padded { b, t_len, .. } => b * t_len,
            Rows::Packed { offsets } => offsets[offsets.len() - 1],
        }
    }

    /// Whether a slot of the buffer belongs to one.
    #[inline(always)]
    pub(super) fn holds(self, slot: usize) -> bool {
        match self {
            Rows::Padded { t_len, stride, .. } => t_len == stride || slot % stride < t_len,
            Rows::Packed { .. } => true,
        }
    }
}
