//! The sum of a number per valid token, by tiles, rows and the tree: 5 bytes read a token.

use crate::{
    Backend, Mask, Sum,
    lanes::{LANES, RowSum, TILE, TileSum},
    parallel::over_rows,
};
use core::ops::Range;
use fearless_simd::{Simd, dispatch};

/// Σ `f`(x) over the valid tokens.
pub(super) fn sum(on: Backend, x: &[f32], mask: &Mask<'_>, f: impl Fn(f32) -> f32 + Sync) -> Sum {
    let block = |rows: Range<usize>, ()| {
        dispatch!(on.level(), simd => simd.vectorize(
            #[inline(always)]
            || {
                let mut sum = Sum::default();
                for row in rows {
                    let slots = mask.row(row);
                    let of_row = row_sum(&x[slots.clone()], &mask.valid()[slots], &f);
                    sum.push(mask.first_row() + row as u64, of_row);
                }
                sum
            }
        ))
    };
    over_rows(mask, (), &block, &Sum::meets)
}

#[inline(always)]
fn row_sum(x: &[f32], valid: &[bool], f: &impl Fn(f32) -> f32) -> f32 {
    let mut row = RowSum::new();
    for (x, valid) in x.chunks(TILE).zip(valid.chunks(TILE)) {
        let mut tile = TileSum::new();
        let (steps, rest) = x.as_chunks::<LANES>();
        let (valid_steps, valid_rest) = valid.as_chunks::<LANES>();
        for (x, valid) in steps.iter().zip(valid_steps) {
            let mut step = [0.0; LANES];
            for lane in 0..LANES {
                step[lane] = if valid[lane] { f(x[lane]) } else { 0.0 };
            }
            tile.add(&step);
        }
        let mut step = [0.0; LANES];
        for lane in 0..rest.len() {
            step[lane] = if valid_rest[lane] { f(rest[lane]) } else { 0.0 };
        }
        tile.add(&step[..rest.len()]);
        row.add(tile.finish());
    }
    row.finish()
}
