//! Launches `kernel.cu`.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use super::Divisors;
use crate::{
    Error, Mask, Sum,
    cuda::{Address, Batch, Device, Plain, Rows},
};

/// `Aggregate` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Args {
    rows: Rows,
    x: Address<f32>,
    sum: Address<f32>,
    mean: f32,
    squares: u32,
}

// SAFETY: numbers and addresses.
unsafe impl Plain for Args {}

/// The sum of x over the valid tokens, or of (x − mean)².
pub(super) fn sum(
    device: Device,
    x: &[f32],
    mask: &Mask<'_>,
    divisors: &Divisors,
    mean: Option<f32>,
) -> Result<Sum, Error> {
    let batch = Batch::new(device, mask)?;
    let (x, sum) = (device.upload(x)?, batch.per_tile()?);
    let args = Args {
        rows: batch.rows(),
        x: x.address(),
        sum: sum.address(),
        mean: mean.unwrap_or(0.0),
        squares: u32::from(mean.is_some()),
    };
    batch.over_tiles(("aggregate", "aggregate"), &args)?;
    batch.sum(&sum, Some(divisors))
}
