//! Logits as they lie in memory: f32 or bf16, one row a slot of the mask.

use super::{many::Many, passes::Passes};
use crate::{Error, Mask, lanes::TILE};
use half::bf16;

/// Tiles that a row of logits has at most.
pub(super) const MAX_TILES: usize = 256;
/// The largest vocabulary.
pub(super) const MAX_VOCAB: usize = MAX_TILES * TILE;

/// A number that logits and their gradient may be stored as: `f32` or [`half::bf16`]. All arithmetic is f32.
pub trait Logit: crate::memory::Number + Many + Passes + Send + Sync + 'static {
    /// +0.
    const ZERO: Self;
    /// −∞: what a missing logit reads as.
    const NEG_INFINITY: Self;
    /// The same number as f32, exactly.
    fn widen(self) -> f32;
    /// The nearest number of this format, ties to even; a NaN for a NaN.
    fn narrow(x: f32) -> Self;
}

impl Logit for f32 {
    const ZERO: f32 = 0.0;
    const NEG_INFINITY: f32 = f32::NEG_INFINITY;

    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }

    #[inline(always)]
    fn narrow(x: f32) -> f32 {
        x
    }
}

impl Logit for bf16 {
    const ZERO: bf16 = bf16::ZERO;
    const NEG_INFINITY: bf16 = bf16::NEG_INFINITY;

    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    #[inline(always)]
    fn narrow(x: f32) -> bf16 {
        let bits = x.to_bits();
        // Half of the last place that stays, and one less where that place is even: a tie then stays below.
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1));
        // A NaN keeps its upper half and becomes quiet, so that rounding cannot make it ∞.
        let kept = if x.is_nan() { bits | 0x40_0000 } else { rounded };
        bf16::from_bits((kept >> 16) as u16)
    }
}

/// Rows of logits, one per slot of the mask that they are used with: that of slot i begins at i · stride.
///
/// ```
/// use optimized::Logits;
/// let logits = Logits::new(&[0.5f32, 1.0, 1.5, 2.0], 2)?;
/// assert_eq!(Logits::strided(&[half::bf16::ONE; 6], 2, 3)?.vocab(), logits.vocab());
/// # Ok::<(), optimized::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Logits<'a, X> {
    pub(super) data: &'a [X],
    pub(super) shape: Shape,
}

/// Room for the gradient of rows of logits, or rows that it will replace; laid out as [`Logits`].
#[derive(Debug)]
pub struct LogitsMut<'a, X> {
    pub(super) data: &'a mut [X],
    pub(super) shape: Shape,
}

/// How rows lie in an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) vocab: usize,
    pub(super) stride: usize,
}

impl<'a, X: Logit> Logits<'a, X> {
    /// Rows of `vocab` logits, one after the other.
    ///
    /// # Errors
    ///
    /// If `vocab` is 0 or above 524,288.
    pub fn new(data: &'a [X], vocab: usize) -> Result<Logits<'a, X>, Error> {
        Logits::strided(data, vocab, vocab)
    }

    /// Rows of `vocab` logits that begin `stride` apart. What stands between them is not read.
    ///
    /// # Errors
    ///
    /// If `vocab` is 0 or above 524,288, or rows overlap.
    pub fn strided(data: &'a [X], vocab: usize, stride: usize) -> Result<Logits<'a, X>, Error> {
        Ok(Logits { data, shape: Shape::new(vocab, stride)? })
    }

    /// The number of logits of a row.
    pub fn vocab(&self) -> usize {
        self.shape.vocab
    }

    /// The row of a slot.
    #[inline(always)]
    pub(super) fn row(&self, slot: usize) -> &'a [X] {
        &self.data[slot * self.shape.stride..][..self.shape.vocab]
    }

    /// Refuses an array that has not a row for every slot.
    pub(super) fn check(&self, op: &'static str, mask: &Mask<'_>) -> Result<(), Error> {
        self.shape.check(op, "logits", mask, self.data.len())
    }
}

impl<'a, X: Logit> LogitsMut<'a, X> {
    /// As [`Logits::new`].
    ///
    /// # Errors
    ///
    /// As [`Logits::new`].
    pub fn new(data: &'a mut [X], vocab: usize) -> Result<LogitsMut<'a, X>, Error> {
        LogitsMut::strided(data, vocab, vocab)
    }

    /// As [`Logits::strided`]; what stands between the rows is not written either.
    ///
    /// # Errors
    ///
    /// As [`Logits::strided`].
    pub fn strided(data: &'a mut [X], vocab: usize, stride: usize) -> Result<LogitsMut<'a, X>, Error> {
        Ok(LogitsMut { data, shape: Shape::new(vocab, stride)? })
    }
}

/// There are logits, and not too many.
pub(super) fn check_vocab(op: &'static str, vocab: usize) -> Result<(), Error> {
    if (1..=MAX_VOCAB).contains(&vocab) { Ok(()) } else { Err(Error::Vocab { op, vocab, most: MAX_VOCAB }) }
}

impl Shape {
    pub(super) fn new(vocab: usize, stride: usize) -> Result<Shape, Error> {
        check_vocab("logits", vocab)?;
        if stride < vocab {
            return Err(Error::LogitStride { stride, vocab });
        }
        Ok(Shape { vocab, stride })
    }

    /// An array has a row for every slot of the mask, and ends with the last of them or with a whole stride.
    pub(super) fn check(
        self,
        op: &'static str,
        name: &'static str,
        mask: &Mask<'_>,
        got: usize,
    ) -> Result<(), Error> {
        let Shape { vocab, stride } = self;
        let slots = mask.valid().len();
        let fits = match slots.checked_mul(stride) {
            Some(whole) => got == whole || (slots > 0 && got == whole - (stride - vocab)),
            None => false,
        };
        if fits { Ok(()) } else { Err(Error::LogitLength { op, name, got, slots, vocab, stride }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `half` converts one number at a time, by cases; ours is written so that it can be many at once.
    #[test]
    fn narrowing_is_that_of_half_on_every_upper_half_and_every_tie() {
        for upper in 0..=u32::from(u16::MAX) {
            for lower in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
                let x = f32::from_bits(upper << 16 | lower);
                let (ours, theirs) = (<bf16 as Logit>::narrow(x), bf16::from_f32(x));
                assert_eq!(ours.is_nan(), theirs.is_nan(), "{x:e}");
                assert!(
                    ours.is_nan() || ours.to_bits() == theirs.to_bits(),
                    "{x:e}: {ours:e} for {theirs:e}"
                );
            }
            let x = bf16::from_bits(upper as u16);
            assert!(x.is_nan() || x.widen().to_bits() == x.to_f32().to_bits(), "{x:e}");
        }
    }

    #[test]
    fn a_vocabulary_that_does_not_fit_is_refused_with_the_numbers() {
        let says = |vocab, stride| Logits::strided(&[0.0f32; 6], vocab, stride).unwrap_err().to_string();
        assert_eq!(says(0, 3), "logits: the vocabulary has 0 logits and must have 1 to 524288");
        assert_eq!(
            says(524_289, 524_289),
            "logits: the vocabulary has 524289 logits and must have 1 to 524288"
        );
        assert_eq!(says(3, 2), "logits: `stride` is 2 and rows have 3 logits");
        let valid = [true; 2];
        let mask = Mask::padded(&valid, 1, 2).unwrap();
        let lengths = [(6, 3, true), (6, 4, false), (7, 4, true), (8, 4, true), (9, 4, false)];
        for (length, stride, fits) in lengths.into_iter().chain([(11, 8, true), (14, 8, false)]) {
            let data = vec![0.0f32; length];
            let checked = Logits::strided(&data, 3, stride).unwrap().check("token_pass", &mask);
            assert_eq!(checked.is_ok(), fits, "{length} {stride}: {checked:?}");
        }
        let no_slots = Mask::padded(&[], 0, 2).unwrap();
        assert!(Logits::strided(&[0.0f32; 1], 3, 4).unwrap().check("token_pass", &no_slots).is_err());
        let says = Logits::strided(&[0.0f32; 6], 3, 4).unwrap().check("token_pass", &mask).unwrap_err();
        assert_eq!(
            says.to_string(),
            "token_pass: `logits` has 6 elements, and 2 slots with rows of 3 that begin 4 apart need 7"
        );
    }
}
