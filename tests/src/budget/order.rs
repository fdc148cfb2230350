//! Sums over the tokens of a batch: in any order, or operation by operation as `optimized/ORDER.md` has them.
//!
//! Where the order is known, the sum is taken in it, so each addition rounds the partial sum that really stands
//! there. That is never more than γ_k Σ|x| with k the depth of the tree (15 + 7 in a tile, ⌈tiles / 32⌉ − 1 + 5
//! in a row, ⌈log₂ B⌉ over rows), and less where terms cancel or a lane has only begun.

use super::{Approx, Grid, Precision, precision::Order};
use reference::Mask;

const LANES: usize = 128;
const TILE: usize = 2048;
const ROW_LANES: usize = 32;

impl Precision {
    /// Σ over the valid tokens of a row.
    pub(super) fn row_sum(self, x: &Grid, mask: &Mask, row: usize) -> Approx {
        let tokens = mask.tokens_of(row);
        if self.order == Order::Any {
            return self.sum(tokens.into_iter().map(|t| x[(row, t)]));
        }
        let mut row_lanes = [self.given(0.0); ROW_LANES];
        for tile in tokens.chunk_by(|a, b| a / TILE == b / TILE) {
            let mut lanes = [self.given(0.0); LANES];
            for t in tile {
                lanes[t % LANES] = lanes[t % LANES] + x[(row, *t)];
            }
            let lane = &mut row_lanes[tile[0] / TILE % ROW_LANES];
            *lane = *lane + folded(&mut lanes);
        }
        folded(&mut row_lanes)
    }

    /// Σ over rows, of one number each.
    pub(super) fn rows_sum(self, of_row: Vec<Approx>) -> Approx {
        if self.order == Order::Any {
            return self.sum(of_row);
        }
        let mut level = of_row;
        while level.len() > 1 {
            level = level.chunks(2).map(|pair| if let [a, b] = pair { *a + *b } else { pair[0] }).collect();
        }
        level.pop().unwrap_or(self.given(0.0))
    }

    /// Σ over every valid token.
    pub(super) fn tokens_sum(self, x: &Grid, mask: &Mask) -> Approx {
        let rows = 0..mask.shape().0;
        if self.order == Order::Any {
            return self.sum(rows.flat_map(|row| mask.tokens_of(row).into_iter().map(move |t| x[(row, t)])));
        }
        self.rows_sum(rows.map(|row| self.row_sum(x, mask, row)).collect())
    }
}

/// The upper half of the lanes onto the lower, until one is left.
fn folded(lanes: &mut [Approx]) -> Approx {
    let mut stride = lanes.len() / 2;
    while stride > 0 {
        for lane in 0..stride {
            lanes[lane] = lanes[lane] + lanes[lane + stride];
        }
        stride /= 2;
    }
    lanes[0]
}
