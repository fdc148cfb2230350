//! Launches `kernel.cu`, for the tests.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use crate::{
    Error,
    cuda::{Address, Buffer, Device, Plain, Stream},
};

/// `Function` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Args {
    x: Address<f32>,
    out: Address<f32>,
    n: u32,
    which: u32,
}

// SAFETY: numbers and addresses.
unsafe impl Plain for Args {}

/// One of the softmax's exp, the full exp and ln, of each x.
pub(super) fn function(device: Device, which: u32, x: &[f32], out: &mut [f32]) -> Result<(), Error> {
    let on = Stream::of_host(device);
    let (from, to): (_, Buffer<f32>) = (on.upload(x)?, on.room(x.len())?);
    let args = Args { x: from.address(), out: to.address(), n: x.len() as u32, which };
    on.launch(("lanes", "function"), x.len().div_ceil(128), &args)?;
    out.copy_from_slice(&to.read(&on)?);
    Ok(())
}
