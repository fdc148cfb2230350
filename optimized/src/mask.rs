//! Where the tokens are: rows in a flat buffer, and which slots hold a response token. Outside the grid of
//! terms, because every term reads it.

mod rows;
#[cfg(test)]
mod tests;

use crate::{Backend, Counts, Error, check, parallel::over_rows};
use core::ops::Range;
use fearless_simd::{dispatch, prelude::*};
use rows::Rows;

/// The mask m with the layout of its rows, which every per-token array of a call shares.
///
/// A slot is an index into such an array. What stands in a masked slot is never used, and slots between rows
/// are neither read nor written. The tokens are counted once, when the mask is made: make it once a batch.
///
/// ```
/// use optimized::Mask;
/// let padded = Mask::padded(&[true, true, false, true, false, false], 2, 3)?;
/// assert_eq!(padded.row(1), 3..6);
/// let packed = Mask::packed(&[true, true, true], &[0, 2, 3])?;
/// assert_eq!(packed.row(1), 2..3);
/// # Ok::<(), optimized::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Mask<'a> {
    valid: &'a [bool],
    rows: Rows<'a>,
    counts: Counts,
    /// Where these rows stand in a batch that was cut: the first one's index, and the counts of the whole.
    part: Option<(u64, Counts)>,
}

impl<'a> Mask<'a> {
    /// Rows of `t_len` slots, one after the other: row-major (B, L). Rows of no slots, however many, cost nothing
    /// here; a term still goes over each of them.
    ///
    /// # Errors
    ///
    /// If `valid` has not b · t_len slots.
    pub fn padded(valid: &'a [bool], b: usize, t_len: usize) -> Result<Mask<'a>, Error> {
        Mask::strided(valid, b, t_len, t_len)
    }

    /// Rows of `t_len` slots that begin `stride` slots apart: a slice of a wider (B, L) array. The slots after
    /// the last row may be there or not.
    ///
    /// # Errors
    ///
    /// If rows overlap, or `valid` has neither b · stride slots nor as many as reach the end of the last row.
    pub fn strided(valid: &'a [bool], b: usize, t_len: usize, stride: usize) -> Result<Mask<'a>, Error> {
        Ok(Mask::counted(valid, Rows::strided(valid.len(), b, t_len, stride)?))
    }

    /// Rows one after the other without padding: row i is `offsets[i]..offsets[i + 1]`.
    ///
    /// # Errors
    ///
    /// If offsets are not 0, …, the number of slots, each at least the one before.
    pub fn packed(valid: &'a [bool], offsets: &'a [usize]) -> Result<Mask<'a>, Error> {
        Ok(Mask::counted(valid, Rows::packed(valid.len(), offsets)?))
    }

    fn counted(valid: &'a [bool], rows: Rows<'a>) -> Mask<'a> {
        let counts = Counts { rows: rows.b() as u64, ..Counts::default() };
        let uncounted = Mask { valid, rows, counts, part: None };
        if valid.is_empty() {
            // Rows of no slots may be more than can be counted one by one.
            return uncounted;
        }
        let level = Backend::best_level();
        let block = |rows: Range<usize>, ()| {
            dispatch!(level, simd => simd.vectorize(
                #[inline(always)]
                || uncounted.counts_of(rows)
            ))
        };
        Mask { counts: over_rows(&uncounted, (), &block, &Counts::merge), ..uncounted }
    }

    #[inline(always)]
    fn counts_of(&self, rows: Range<usize>) -> Counts {
        let mut counts = Counts { rows: rows.len() as u64, ..Counts::default() };
        for row in rows {
            let tokens = count(&self.valid[self.row(row)]);
            counts.tokens += tokens;
            counts.rows_with_tokens += u64::from(tokens > 0);
        }
        counts
    }

    /// The same rows as part of a batch that was cut: row 0 is row `first_row` of a batch with these counts,
    /// which every mean and gradient then divides by. Parts add up their [`Mask::counts`] to get them.
    #[must_use]
    pub fn part_of(self, first_row: u64, whole: Counts) -> Mask<'a> {
        Mask { part: Some((first_row, whole)), ..self }
    }

    /// The same rows of a whole batch with other tokens, one flag per slot.
    pub(crate) fn with_valid(&self, valid: &'a [bool]) -> Mask<'a> {
        debug_assert_eq!(valid.len(), self.valid.len());
        Mask::counted(valid, self.rows)
    }

    /// The index of row 0 in the whole batch.
    pub(crate) fn first_row(&self) -> u64 {
        self.part.map_or(0, |(first, _)| first)
    }

    /// The counts of the whole batch.
    pub(crate) fn whole(&self) -> Counts {
        self.part.map_or(self.counts, |(_, whole)| whole)
    }

    /// Refuses a part that holds more than its batch.
    pub(crate) fn check_part(&self, op: &'static str) -> Result<(), Error> {
        match self.part {
            Some((first, whole)) => {
                let within = first.checked_add(self.b() as u64).is_some_and(|end| end <= whole.rows)
                    && self.counts.rows_with_tokens <= whole.rows_with_tokens
                    && self.counts.tokens <= whole.tokens;
                if within { Ok(()) } else { Err(Error::BeyondBatch { op, first, part: self.counts, whole }) }
            }
            None => Ok(()),
        }
    }

    /// Refuses a part where the result is the whole batch's.
    pub(crate) fn refuse_part(&self, op: &'static str) -> Result<(), Error> {
        match self.part {
            Some((first, whole)) => Err(Error::Part { op, first, rows: self.b(), of: whole.rows }),
            None => Ok(()),
        }
    }

    /// The number of rows, B.
    pub fn b(&self) -> usize {
        self.rows.b()
    }

    /// The slots of a row.
    ///
    /// # Panics
    ///
    /// If there is no such row.
    pub fn row(&self, row: usize) -> Range<usize> {
        self.rows.row(row)
    }

    /// Where a row begins; for the row after the last, the length of every array of the call.
    pub(crate) fn start(&self, row: usize) -> usize {
        if row == self.b() { self.valid.len() } else { self.row(row).start }
    }

    /// Whether a slot of the buffer belongs to a row.
    #[inline(always)]
    pub(crate) fn holds(&self, slot: usize) -> bool {
        self.rows.holds(slot)
    }

    /// Every slot of the buffer, true where a token is.
    pub fn valid(&self) -> &'a [bool] {
        self.valid
    }

    /// Whether every slot of every row holds a token.
    pub(crate) fn is_full(&self) -> bool {
        self.counts.tokens == self.rows.slots() as u64
    }

    /// What the means of these rows divide by.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Refuses another mask whose rows do not stand where these do.
    pub(crate) fn check_rows(
        &self,
        op: &'static str,
        name: &'static str,
        other: &Mask<'_>,
    ) -> Result<(), Error> {
        let of = |mask: &Mask<'_>, row| (row < mask.b()).then(|| mask.row(row));
        match (0..self.b().max(other.b())).find(|row| of(self, *row) != of(other, *row)) {
            Some(row) => Err(Error::OtherRows { op, name, row, got: of(other, row), want: of(self, row) }),
            None => Ok(()),
        }
    }

    /// Fills `to` with the mask that has the slot after each row's last valid token too, where the row has
    /// one: where a trainer that scores the first pad reads one value more than it has tokens. A row without
    /// tokens stays empty; slots between rows are left alone.
    ///
    /// # Errors
    ///
    /// If `to` has not one element per slot.
    pub fn with_first_pad(&self, to: &mut [bool]) -> Result<(), Error> {
        check::lengths("with_first_pad", self, &[("to", to.len())])?;
        for row in 0..self.b() {
            let (slots, end) = (self.row(row), self.end(row));
            to[slots.clone()].copy_from_slice(&self.valid[slots.clone()]);
            if end > 0 && end < slots.len() {
                to[slots.start + end] = true;
            }
        }
        Ok(())
    }

    /// The slot after the last valid token of a row, counted from the row's start; 0 where it has none.
    pub(crate) fn end(&self, row: usize) -> usize {
        self.valid[self.row(row)].iter().rposition(|valid| *valid).map_or(0, |last| last + 1)
    }
}

/// How many slots are valid. Bytes are added in blocks of 128, so that a compiler can add many at once.
#[inline(always)]
pub(crate) fn count(valid: &[bool]) -> u64 {
    let of = |block: &[bool]| u64::from(block.iter().map(|valid| u8::from(*valid)).sum::<u8>());
    let (blocks, rest) = valid.as_chunks::<128>();
    blocks.iter().map(|block| of(block)).sum::<u64>() + of(rest)
}
