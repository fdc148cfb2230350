//! Threads: rows are cut into fixed blocks, each runs alone, and what they give is merged in their order.
//! Where the cuts are depends on the sizes alone, and the merge is the same for every cut, so no thread count
//! changes a bit. The pool is rayon's current one.

use crate::Mask;
use core::ops::Range;

/// Slots that a block holds at most, unless one row has more.
const BLOCK: usize = 1 << 15;

/// Outputs that can be cut at a slot.
pub(crate) trait Cut: Send + Sized {
    /// The outputs of the first `slots` slots, and the rest.
    fn cut(self, slots: usize) -> (Self, Self);
}

impl Cut for () {
    fn cut(self, _: usize) -> ((), ()) {
        ((), ())
    }
}

impl<T: Send> Cut for &mut [T] {
    fn cut(self, slots: usize) -> (Self, Self) {
        self.split_at_mut(slots)
    }
}

impl<T: Send, const N: usize> Cut for [Option<&mut [T]>; N] {
    fn cut(mut self, slots: usize) -> (Self, Self) {
        let first = self.each_mut().map(|whole| {
            let (left, right) = whole.take()?.split_at_mut(slots);
            *whole = Some(right);
            Some(left)
        });
        (first, self)
    }
}

/// Runs `block` over blocks of rows, each with its part of the outputs, which begins at the slot where its
/// first row does; merges what they give in the order of the rows.
pub(crate) fn over_rows<O: Cut, P: Send>(
    mask: &Mask<'_>,
    out: O,
    block: &(impl Fn(Range<usize>, O) -> P + Sync),
    merge: &(impl Fn(P, P) -> P + Sync),
) -> P {
    halves(mask, 0..mask.b(), out, block, merge)
}

fn halves<O: Cut, P: Send>(
    mask: &Mask<'_>,
    rows: Range<usize>,
    out: O,
    block: &(impl Fn(Range<usize>, O) -> P + Sync),
    merge: &(impl Fn(P, P) -> P + Sync),
) -> P {
    let start = mask.start(rows.start);
    if rows.len() <= 1 || mask.start(rows.end) - start <= BLOCK {
        return block(rows, out);
    }
    let middle = rows.start + rows.len() / 2;
    let (left, right) = out.cut(mask.start(middle) - start);
    let (left, right) = rayon::join(
        || halves(mask, rows.start..middle, left, block, merge),
        || halves(mask, middle..rows.end, right, block, merge),
    );
    merge(left, right)
}

/// Runs `block` over blocks of slots, whatever rows they are of, each with its part of the outputs. A block has
/// at most `most` slots, and at least one.
pub(crate) fn over_slots<O: Cut>(
    slots: Range<usize>,
    most: usize,
    out: O,
    block: &(impl Fn(Range<usize>, O) + Sync),
) {
    if slots.len() <= most.max(1) {
        return block(slots, out);
    }
    let middle = slots.start + slots.len() / 2;
    let (left, right) = out.cut(slots.len() / 2);
    rayon::join(
        || over_slots(slots.start..middle, most, left, block),
        || over_slots(middle..slots.end, most, right, block),
    );
}
