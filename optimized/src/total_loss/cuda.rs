//! Launches `kl/kernel.cu`, whose estimate this is.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use crate::{
    Error, KlGrad, Mask, Sum,
    aggregate::Divisors,
    cuda::{Address, Batch, Device, Out, Plain, Rows, Weight},
    kl::Estimate,
};

/// `KlLoss` of `kl/kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Args {
    rows: Rows,
    weight: Weight,
    clamp_in: f32,
    clamp_out: f32,
    kind: u32,
    logp: Address<f32>,
    logp_ref: Address<f32>,
    grad: Address<f32>,
    kl: Address<f32>,
    straight: u32,
    on_top: u32,
}

// SAFETY: numbers and addresses.
unsafe impl Plain for Args {}

/// The loss's sum.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub(super) fn kl_loss(
    device: Device,
    [logp, logp_ref]: [&[f32]; 2],
    mask: &Mask<'_>,
    (estimate, slope): (Estimate, KlGrad),
    divisors: &Divisors,
    c: f32,
    on_top: bool,
    grad: Option<&mut [f32]>,
) -> Result<Sum, Error> {
    let batch = Batch::new(device, mask)?;
    let (logp, logp_ref) = (device.upload(logp)?, device.upload(logp_ref)?);
    let (grad, kl) = (Out::new(device, grad)?, batch.per_tile()?);
    let args = Args {
        rows: batch.rows(),
        weight: Weight::new(divisors, c, 1.0),
        clamp_in: estimate.clamp_in,
        clamp_out: estimate.clamp_out,
        kind: estimate.kind as u32,
        logp: logp.address(),
        logp_ref: logp_ref.address(),
        grad: grad.address(),
        kl: kl.address(),
        straight: u32::from(matches!(slope, KlGrad::StraightThrough)),
        on_top: u32::from(on_top),
    };
    batch.over_tiles(("kl", "kl_loss"), &args)?;
    let sum = batch.sum(&kl, Some(divisors))?;
    grad.finish()?;
    Ok(sum)
}
