//! One number a token from a few numbers of that token, without a sum.

#[cfg(kernels)]
use crate::cuda::{self, Settings};
use crate::{Backend, Error, Mask, lanes::keep, parallel::over_rows};
use core::ops::Range;
use fearless_simd::{Level, Simd, dispatch};

/// Writes `f` of each token's numbers, +0 where a slot is masked.
///
/// `f` must be marked `#[inline(always)]`, or it is compiled for the baseline and not for the level.
pub(crate) fn each<const N: usize>(
    on: Level,
    mask: &Mask<'_>,
    x: [&[f32]; N],
    out: &mut [f32],
    f: impl Fn([f32; N]) -> f32 + Sync,
) {
    let block = |rows: Range<usize>, out: &mut [f32]| {
        dispatch!(on, simd => simd.vectorize(
            #[inline(always)]
            || block(mask, rows, x, out, &f)
        ));
    };
    over_rows(mask, out, &block, &|(), ()| ());
}

/// The same numbers, +0 where a slot is masked.
pub(crate) fn copy(
    op: &'static str,
    on: Backend,
    mask: &Mask<'_>,
    x: &[f32],
    out: &mut [f32],
) -> Result<(), Error> {
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        return cuda::each(device, ("each", "copy"), mask, [x, &[]], Settings::NONE, out)
            .map_err(|err| err.by(op));
    }
    each(
        on.level(op)?,
        mask,
        [x],
        out,
        #[inline(always)]
        |[x]| x,
    );
    Ok(())
}

#[inline(always)]
fn block<const N: usize>(
    mask: &Mask<'_>,
    rows: Range<usize>,
    x: [&[f32]; N],
    out: &mut [f32],
    f: &impl Fn([f32; N]) -> f32,
) {
    let first = mask.start(rows.start);
    for row in rows {
        let slots = mask.row(row);
        let n = slots.len();
        let (x, valid) = (x.map(|x| &x[slots.clone()][..n]), &mask.valid()[slots.clone()][..n]);
        let out = &mut out[slots.start - first..slots.end - first][..n];
        for t in 0..n {
            let of_token = f(core::array::from_fn(|k| x[k][t]));
            out[t] = keep(of_token, valid[t]);
        }
    }
}
