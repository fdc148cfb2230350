//! Launches `kernel.cu`: of arrays on a device, and of the host's.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use super::Divisors;
use crate::{
    Agg, Error, Mask, Sum, check,
    cuda::{Address, Batch, By, Device, Plain, Rows, Stream, View, ViewMut, Weight, Work},
};

/// `Aggregate` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Args {
    rows: Rows,
    x: Address<f32>,
    sum: Address<f32>,
    mean: Address<f32>,
}

/// `AggregateGrad` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct GradArgs {
    rows: Rows,
    weight: Weight,
    out: Address<f32>,
}

// SAFETY: numbers and addresses.
unsafe impl Plain for Args {}
// SAFETY: numbers and addresses.
unsafe impl Plain for GradArgs {}

/// [`crate::aggregate()`] of an array on a device, asked of a stream: the same bits, one number to `out`.
///
/// # Errors
///
/// As there; if an argument lies elsewhere, or `scratch` is shorter than [`Batch::scratch_len`].
pub fn aggregate(
    on: &Stream,
    x: View<'_, f32>,
    batch: &Batch<'_>,
    agg: Agg,
    out: ViewMut<'_, f32>,
    scratch: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::aggregate";
    batch.mask().refuse_part(OP)?;
    batch.check(OP, on, &[x.named("x")])?;
    out.named("out").check(OP, on, 1, "aggregate")?;
    let divisors = Divisors::new(OP, agg, batch.mask().counts())?;
    let work = batch.work(OP, on, &scratch)?;
    launch(on, batch, x.address(), Address::NONE, &work)
        .and_then(|()| batch.total(on, &work, &[By::mode(&divisors, 1.0, out.address())], &[], 1.0))
        .map_err(|err| err.by(OP))
}

/// [`crate::aggregate_grad`] of a batch on a device, asked of a stream: the same bits.
///
/// # Errors
///
/// As there; or if an argument lies elsewhere.
pub fn aggregate_grad(
    on: &Stream,
    batch: &Batch<'_>,
    agg: Agg,
    c: f64,
    out: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::aggregate_grad";
    batch.check(OP, on, &[out.named("out")])?;
    let c = check::coefficient(OP, "c", c)?;
    let divisors = Divisors::new(OP, agg, batch.mask().whole())?;
    let args = GradArgs { rows: batch.rows(), weight: Weight::new(&divisors, c, 1.0), out: out.address() };
    batch.over_tiles(on, ("aggregate", "aggregate_grad"), &args).map_err(|err| err.by(OP))
}

/// The sums of the tiles of x, or of (x − mean)² where there is a mean, to the first place of `work`.
pub(crate) fn launch(
    on: &Stream,
    batch: &Batch<'_>,
    x: Address<f32>,
    mean: Address<f32>,
    work: &Work,
) -> Result<(), Error> {
    let args = Args { rows: batch.rows(), x, sum: work.sums[0], mean };
    batch.over_tiles(on, ("aggregate", "aggregate"), &args)
}

/// The sum of x over the valid tokens, or of (x − mean)², of the host's array.
pub(super) fn sum(
    device: Device,
    x: &[f32],
    mask: &Mask<'_>,
    divisors: &Divisors,
    mean: Option<f32>,
) -> Result<Sum, Error> {
    let on = Stream::of_host(device);
    let batch = Batch::new(&on, mask)?;
    let (x, mean) = (on.upload(x)?, mean.map(|mean| on.upload(&[mean])).transpose()?);
    let mut scratch = on.room(batch.scratch_len())?;
    let work = batch.work("aggregate", &on, &scratch.view_mut())?;
    launch(&on, &batch, x.address(), mean.as_ref().map_or(Address::NONE, |mean| mean.address()), &work)?;
    batch.total(&on, &work, &[By::mode(divisors, 1.0, Address::NONE)], &[], 1.0)?;
    batch.sum(&on, &work, 0)
}
