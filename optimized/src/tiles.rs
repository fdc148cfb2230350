//! One pass over the tokens of a batch: tile by tile, each in pieces that are staged in the first-level cache,
//! summed in the one order, then written. What the losses are made of; what they compute is theirs.

use crate::{
    Counts, Mask, Sum,
    aggregate::Divisors,
    lanes::{RowSum, TILE, TileSum},
    mask::count,
    memory::Aligned,
    parallel::over_rows,
};
use core::ops::Range;
use fearless_simd::{Level, dispatch, prelude::*};

/// Tokens that are computed before any is written: a multiple of a tile's lanes. With more of them the operands are
/// read in longer bursts, one after the other, and the memory stands still in between.
pub(crate) const STAGE: usize = 256;

/// Room for K numbers a token.
pub(crate) type Staged<const K: usize> = [[f32; STAGE]; K];

/// Slots of one row, at most [`STAGE`].
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) slots: Range<usize>,
    /// Every one of them is valid.
    pub(crate) full: bool,
    /// The weight of the row's tokens in the aggregate.
    pub(crate) weight: f32,
}

/// What becomes of what an output held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is replaced.
    Replace,
    /// In valid slots it is added to, as out = out + new.
    Add,
}

/// What a pass gives beside its outputs.
#[derive(Debug, Clone)]
pub(crate) struct Passed<const S: usize, const N: usize> {
    /// Of the first S numbers a token: the first by the aggregation's rows, the others plain.
    pub(crate) sums: [Sum; S],
    /// Tokens that the kernel counted.
    pub(crate) counted: [u64; N],
    /// What was there to count.
    pub(crate) counts: Counts,
}

/// Runs `kernel` over every token. It fills the first numbers of each staged array, +0 where a slot is masked,
/// and gives N counts. An output takes the staged array of its place.
///
/// `kernel` must be marked `#[inline(always)]`, or it is compiled for the baseline and not for the level.
pub(crate) fn pass<const K: usize, const S: usize, const N: usize>(
    on: Level,
    mask: &Mask<'_>,
    divisors: &Divisors,
    out: [Option<&mut [f32]>; K],
    put: Put,
    kernel: impl Fn(Piece, &mut Staged<K>) -> [u32; N] + Sync,
) -> Passed<S, N> {
    let over = Over { mask, divisors, put };
    let block = |rows: Range<usize>, out: [Option<&mut [f32]>; K]| {
        dispatch!(on, simd => simd.vectorize(
            #[inline(always)]
            || over.block(rows, out, &kernel)
        ))
    };
    over_rows(mask, out, &block, &Passed::merge)
}

/// What a pass goes over, and how it writes.
struct Over<'a> {
    mask: &'a Mask<'a>,
    divisors: &'a Divisors,
    put: Put,
}

impl Over<'_> {
    #[inline(always)]
    fn block<const K: usize, const S: usize, const N: usize>(
        &self,
        rows: Range<usize>,
        mut out: [Option<&mut [f32]>; K],
        kernel: &impl Fn(Piece, &mut Staged<K>) -> [u32; N],
    ) -> Passed<S, N> {
        let start = self.mask.start(rows.start);
        let Aligned(staged) = &mut Aligned([[0.0; STAGE]; K]);
        let mut passed = Passed::<S, N>::none();
        for row in rows {
            let slots = self.mask.row(row);
            let tokens = self.tokens(slots.clone());
            let weight = self.divisors.weight(tokens);
            let mut row_sums = [RowSum::new(); S];
            for tile in pieces(slots, TILE) {
                let mut tile_sums = [TileSum::new(); S];
                for slots in pieces(tile, STAGE) {
                    let full = self.tokens(slots.clone()) == slots.len() as u64;
                    let counted = kernel(Piece { slots: slots.clone(), full, weight }, staged);
                    for (all, of_piece) in passed.counted.iter_mut().zip(counted) {
                        *all += u64::from(of_piece);
                    }
                    for (sum, staged) in tile_sums.iter_mut().zip(&*staged) {
                        sum.add(&staged[..slots.len()]);
                    }
                    for (out, staged) in out.iter_mut().zip(&*staged) {
                        if let Some(out) = out {
                            let to = &mut out[slots.start - start..slots.end - start];
                            self.write(to, &staged[..slots.len()], slots.clone());
                        }
                    }
                }
                for (row, tile) in row_sums.iter_mut().zip(tile_sums) {
                    row.add(tile.finish());
                }
            }
            let index = self.mask.first_row() + row as u64;
            for (s, (sum, of_row)) in passed.sums.iter_mut().zip(row_sums).enumerate() {
                let of_row = of_row.finish();
                sum.push(index, if s == 0 { self.divisors.of_row(of_row, tokens) } else { of_row });
            }
            passed.counts.rows += 1;
            passed.counts.rows_with_tokens += u64::from(tokens > 0);
            passed.counts.tokens += tokens;
        }
        passed
    }

    /// How many of the slots are valid; a mask without padding is not read for it.
    #[inline(always)]
    fn tokens(&self, slots: Range<usize>) -> u64 {
        if self.mask.is_full() { slots.len() as u64 } else { count(&self.mask.valid()[slots]) }
    }

    #[inline(always)]
    fn write(&self, to: &mut [f32], staged: &[f32], slots: Range<usize>) {
        match self.put {
            Put::Replace => to.copy_from_slice(staged),
            Put::Add => {
                for ((to, new), valid) in to.iter_mut().zip(staged).zip(&self.mask.valid()[slots]) {
                    *to = if *valid { *to + *new } else { 0.0 };
                }
            }
        }
    }
}

/// The slots in pieces of that length, the last one shorter.
#[inline(always)]
fn pieces(slots: Range<usize>, length: usize) -> impl Iterator<Item = Range<usize>> {
    let end = slots.end;
    slots.step_by(length).map(move |start| start..end.min(start + length))
}

impl<const S: usize, const N: usize> Passed<S, N> {
    fn none() -> Passed<S, N> {
        Passed { sums: core::array::from_fn(|_| Sum::default()), counted: [0; N], counts: Counts::default() }
    }

    fn merge(self, next: Passed<S, N>) -> Passed<S, N> {
        let mut both = Passed { counts: self.counts.merge(next.counts), ..Passed::none() };
        for (sum, (left, right)) in both.sums.iter_mut().zip(self.sums.into_iter().zip(next.sums)) {
            *sum = left.meets(right);
        }
        both.counted = core::array::from_fn(|i| self.counted[i] + next.counted[i]);
        both
    }
}
