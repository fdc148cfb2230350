//! Launches `kernel.cu` and the sums before it: of arrays on a device, and of the host's.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use super::{Whitened, epsilon};
use crate::{
    Agg, Error, Mask, ShiftMean, Variance, Whitening,
    aggregate::{Divisors, tile_sums},
    check,
    cuda::{Address, Batch, By, Device, Each, Out, Plain, Settings, Stream, View, ViewMut},
};

/// `Whiten` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Args {
    each: Each,
    by: Address<f32>,
}

// SAFETY: numbers and addresses.
unsafe impl Plain for Args {}

/// [`crate::whiten()`] of an array on a device, asked of a stream: the same bits. `figures` gets two numbers, those of
/// [`Whitened`], in its order.
///
/// # Errors
///
/// As there; if an argument lies elsewhere, or `scratch` is shorter than [`Batch::scratch_len`].
pub fn whiten(
    on: &Stream,
    adv: View<'_, f32>,
    batch: &Batch<'_>,
    how: Whitening,
    out: ViewMut<'_, f32>,
    figures: ViewMut<'_, f32>,
    scratch: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::whiten";
    let mask = batch.mask();
    mask.refuse_part(OP)?;
    batch.check(OP, on, &[adv.named("adv"), out.named("out")])?;
    check::has_tokens(OP, mask.counts())?;
    let eps_w = epsilon(OP, how)?;
    figures.named("figures").check(OP, on, 2, "figure")?;
    let work = batch.work(OP, on, &scratch)?;
    let tokens = mask.counts().tokens;
    let mean_over = Divisors::new(OP, Agg::TokenMean, mask.counts())?;
    let var_over = match how.variance {
        Variance::Population => tokens,
        Variance::Sample => tokens - 1,
    };
    let (mean, var) = (figures.address(), figures.address().at(1));
    let run = || {
        tile_sums(on, batch, adv.address(), Address::NONE, &work)?;
        batch.total(on, &work, &[By::mode(&mean_over, 1.0, mean)], &[], 1.0)?;
        tile_sums(on, batch, adv.address(), mean, &work)?;
        batch.total(on, &work, &[By::count(var_over as f32, var)], &[], 1.0)?;
        launch(on, batch, adv.address(), mean, (eps_w, how), out.address())
    };
    run().map_err(|err| err.by(OP))
}

/// The last pass, by mean and variance that stand at `by`.
fn launch(
    on: &Stream,
    batch: &Batch<'_>,
    x: Address<f32>,
    by: Address<f32>,
    (eps_w, how): (f32, Whitening),
    out: Address<f32>,
) -> Result<(), Error> {
    let kernel = match how.shift_mean {
        ShiftMean::Yes => "whiten",
        ShiftMean::No => "whiten_keeping_mean",
    };
    let settings = Settings { a: eps_w, how: how.eps_at as u32, ..Settings::NONE };
    let each = Each { rows: batch.rows(), x, y: Address::NONE, out, by: settings };
    batch.over_tiles(on, ("whiten", kernel), &Args { each, by })
}

/// The last pass over the host's array.
pub(super) fn whiten_by(
    device: Device,
    adv: &[f32],
    mask: &Mask<'_>,
    Whitened { mean, var }: Whitened,
    how: (f32, Whitening),
    out: &mut [f32],
) -> Result<(), Error> {
    let on = Stream::of_host(device);
    let batch = Batch::new(&on, mask)?;
    let (adv, by, out) = (on.upload(adv)?, on.upload(&[mean, var])?, Out::new(&on, Some(out))?);
    launch(&on, &batch, adv.address(), by.address(), how, out.address())?;
    out.finish(&on)
}
