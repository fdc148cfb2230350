//! The CUDA path on arrays that stay on the device: device time between events, beside ceilings of the same run. Where there is
//! no GPU it says so; `--test` asserts answers on what there is, the emulation for one.
//!
//! ```text
//! cargo bench -p ppo-benches --features cuda --bench gpu             every work
//! … -- --rounds 31        more rounds than the 15
//! … -- --test             small arrays, answers alone
//! … -- --small            small arrays, timed on what there is, the emulation too: shows every line, and no speed
//! ```
//!
//! What a work leaves is compared with the CPU's bits before its line is printed, and the bench ends where one differs. GB/s counts
//! the arrays that are read and written, and not the mask's byte. The ceiling of a work is the driver's copy of a GiB where it
//! writes much, and a sum that reads a GiB where it only reads; that of one long row of GAE is the chain of its fmas, one for eight
//! tokens, alone. The last column has the bytes of outputs and scratch.

#[cfg(any(feature = "cuda", feature = "cuda-emulation"))]
mod device;
#[cfg(any(feature = "cuda", feature = "cuda-emulation"))]
mod logits;
#[cfg(any(feature = "cuda", feature = "cuda-emulation"))]
mod step;
#[cfg(any(feature = "cuda", feature = "cuda-emulation"))]
mod tokens;

use std::error::Error;

#[cfg(any(feature = "cuda", feature = "cuda-emulation"))]
fn main() -> Result<(), Box<dyn Error>> {
    device::run()
}

#[cfg(not(any(feature = "cuda", feature = "cuda-emulation")))]
fn main() -> Result<(), Box<dyn Error>> {
    println!("absent: cuda (built without the feature `cuda`)");
    Ok(())
}
