//! Launches a chain of fmas alone, for the bench to set the chain of a row against.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use crate::{
    Error,
    cuda::{Address, Plain, Stream, ViewMut},
};

/// `FmaChain` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Args {
    to: Address<f32>,
    x: f32,
    q: f32,
    d: f32,
    n: u32,
}

// SAFETY: numbers and addresses.
unsafe impl Plain for Args {}

/// x ← q · x + d, so many times, by one thread: a bench's measure, and no term.
///
/// # Errors
///
/// If `to` has not got one number or lies elsewhere, or the device fails.
#[doc(hidden)]
pub fn fma_chain(on: &Stream, n: u32, [x, q, d]: [f32; 3], to: ViewMut<'_, f32>) -> Result<(), Error> {
    const OP: &str = "cuda::fma_chain";
    to.named("to").check(OP, on, 1, "chain")?;
    on.launch(("gae", "fma_chain"), 1, &Args { to: to.address(), x, q, d, n }).map_err(|err| err.by(OP))
}
