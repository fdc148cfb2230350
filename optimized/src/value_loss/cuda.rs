//! Launches `kernel.cu`.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use crate::{
    Error, Mask, Sum, ValueClip,
    aggregate::Divisors,
    cuda::{Address, Batch, Device, Out, Plain, Rows, Weight},
};

/// `ValueLoss` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Args {
    rows: Rows,
    weight: Weight,
    v: Address<f32>,
    v_old: Address<f32>,
    ret: Address<f32>,
    per_token: Address<f32>,
    grad: Address<f32>,
    loss: Address<f32>,
    clipped: Address<u32>,
    eps_v: f32,
    form: u32,
}

// SAFETY: numbers and addresses.
unsafe impl Plain for Args {}

/// The loss's sum, and how many tokens are clipped.
pub(super) fn sums(
    device: Device,
    [v, v_old, ret]: [&[f32]; 3],
    mask: &Mask<'_>,
    (eps_v, form): (f32, ValueClip),
    divisors: &Divisors,
    (c, half): (f32, f32),
    [per_token, grad]: [Option<&mut [f32]>; 2],
) -> Result<(Sum, u64), Error> {
    let batch = Batch::new(device, mask)?;
    let (v, v_old, ret) = (device.upload(v)?, device.upload(v_old)?, device.upload(ret)?);
    let (per_token, grad) = (Out::new(device, per_token)?, Out::new(device, grad)?);
    let (loss, clipped) = (batch.per_tile()?, batch.per_tile()?);
    let args = Args {
        rows: batch.rows(),
        weight: Weight::new(divisors, c, half),
        v: v.address(),
        v_old: v_old.address(),
        ret: ret.address(),
        per_token: per_token.address(),
        grad: grad.address(),
        loss: loss.address(),
        clipped: clipped.address(),
        eps_v,
        form: match form {
            ValueClip::Max => 0,
            ValueClip::ClippedOnly => 1,
            ValueClip::Off => 2,
        },
    };
    batch.over_tiles(("value_loss", "value_loss"), &args)?;
    let sums = (batch.sum(&loss, Some(divisors))?, Batch::count(&clipped)?);
    per_token.finish()?;
    grad.finish()?;
    Ok(sums)
}
