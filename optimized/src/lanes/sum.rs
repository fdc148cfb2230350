//! Sums in the one order: a tile on 128 lanes, the tiles of a row on 32, each folded by halves.

use super::{LANES, ROW_LANES};

/// The sum of all lanes: the upper half is added to the lower until one is left.
#[inline(always)]
pub(crate) fn fold<const N: usize>(lanes: &mut [f32; N]) -> f32 {
    let mut stride = N / 2;
    while stride > 0 {
        let (low, high) = lanes.split_at_mut(stride);
        for (low, high) in low.iter_mut().zip(high) {
            *low += *high;
        }
        stride /= 2;
    }
    lanes[0]
}

/// The sum of one tile, piece by piece.
///
/// A lane starts at +0 and so is never −0, which is why adding a +0 is the same as skipping a masked token.
#[derive(Clone, Copy)]
pub(crate) struct TileSum {
    lanes: [f32; LANES],
}

impl TileSum {
    /// Nothing yet: +0.
    #[inline(always)]
    pub(crate) fn new() -> TileSum {
        TileSum { lanes: [0.0; LANES] }
    }

    /// The next elements of the tile, +0 where a slot is masked. They begin at a multiple of 128.
    #[inline(always)]
    pub(crate) fn add(&mut self, x: &[f32]) {
        let (steps, rest) = x.as_chunks::<LANES>();
        for step in steps {
            for (lane, x) in self.lanes.iter_mut().zip(step) {
                *lane += *x;
            }
        }
        for (lane, x) in self.lanes.iter_mut().zip(rest) {
            *lane += *x;
        }
    }

    /// The tile's sum.
    #[inline(always)]
    pub(crate) fn finish(mut self) -> f32 {
        fold(&mut self.lanes)
    }
}

/// The sum of a row, from those of its tiles in order.
#[derive(Clone, Copy)]
pub(crate) struct RowSum {
    lanes: [f32; ROW_LANES],
    tiles: usize,
}

impl RowSum {
    /// No tiles yet: +0.
    #[inline(always)]
    pub(crate) fn new() -> RowSum {
        RowSum { lanes: [0.0; ROW_LANES], tiles: 0 }
    }

    /// The next tile of the row.
    #[inline(always)]
    pub(crate) fn add(&mut self, tile: f32) {
        self.lanes[self.tiles % ROW_LANES] += tile;
        self.tiles += 1;
    }

    /// The row's sum.
    #[inline(always)]
    pub(crate) fn finish(mut self) -> f32 {
        fold(&mut self.lanes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order as one would write it down: lane i mod 128, then 64, 32, … 1.
    #[test]
    fn a_tile_is_summed_lane_by_lane_then_folded() {
        for n in [0, 1, 127, 128, 129, 255, 2047, 2048] {
            let x: Vec<f32> = (0..n).map(|i| ((i * 7919 % 1000) as f32 - 500.0) / 7.0).collect();
            let mut lanes = [0.0f32; 128];
            for i in 0..n {
                lanes[i % 128] += x[i];
            }
            for stride in [64, 32, 16, 8, 4, 2, 1] {
                for i in 0..stride {
                    lanes[i] += lanes[i + stride];
                }
            }
            for piece in [128, 512, 2048] {
                let mut sum = TileSum::new();
                x.chunks(piece).for_each(|x| sum.add(x));
                assert_eq!(sum.finish().to_bits(), lanes[0].to_bits(), "{n} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn nothing_sums_to_plus_zero() {
        let mut sum = TileSum::new();
        assert_eq!(sum.finish().to_bits(), 0);
        sum.add(&[-0.0]);
        assert_eq!(sum.finish().to_bits(), 0);
        assert_eq!(RowSum::new().finish().to_bits(), 0);
    }
}
