//! One number a token from a few numbers of that token, without a sum: staged and written in ascending bursts.

use crate::{Backend, Mask, memory::Store, parallel::over_rows, tiles::STAGE};
use core::ops::Range;
use fearless_simd::{Simd, dispatch};

/// Writes `f` of each token's numbers, +0 where a slot is masked.
///
/// `f` must be marked `#[inline(always)]`, or it is compiled for the baseline and not for the level.
pub(crate) fn each<const N: usize>(
    on: Backend,
    mask: &Mask<'_>,
    x: [&[f32]; N],
    out: &mut [f32],
    f: impl Fn([f32; N]) -> f32 + Sync,
) {
    let store = Store::of::<f32>(mask.valid().len());
    let block = |rows: Range<usize>, out: Option<&mut [f32]>| {
        dispatch!(on.level(), simd => simd.vectorize(
            #[inline(always)]
            || block(mask, rows, store, x, out, &f)
        ));
        store.finish();
    };
    over_rows(mask, Some(out), &block, &|(), ()| ());
}

#[inline(always)]
fn block<const N: usize>(
    mask: &Mask<'_>,
    rows: Range<usize>,
    store: Store,
    x: [&[f32]; N],
    out: Option<&mut [f32]>,
    f: &impl Fn([f32; N]) -> f32,
) {
    let Some(out) = out else { return };
    let first = mask.start(rows.start);
    let mut staged = [0.0; STAGE];
    for row in rows {
        let slots = mask.row(row);
        for start in slots.clone().step_by(STAGE) {
            let slots = start..slots.end.min(start + STAGE);
            let n = slots.len();
            let (x, valid) = (x.map(|x| &x[slots.clone()][..n]), &mask.valid()[slots.clone()][..n]);
            let staged = &mut staged[..n];
            for t in 0..n {
                let of_token = f(core::array::from_fn(|k| x[k][t]));
                staged[t] = if valid[t] { of_token } else { 0.0 };
            }
            store.write(&mut out[slots.start - first..slots.end - first], staged);
        }
    }
}
