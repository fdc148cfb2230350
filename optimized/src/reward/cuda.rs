//! Launches `kernel.cu`, where a row has one score: of arrays on a device, and of the host's.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use crate::{
    Error, Mask,
    cuda::{Address, Batch, Device, Out, Plain, Rows, Stream},
};

/// `PlaceScores` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Args {
    rows: Rows,
    end: Address<u32>,
    scores: Address<f32>,
    out: Address<f32>,
    clip: f32,
    first_pad: u32,
}

/// `BroadcastScores` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct BroadcastArgs {
    rows: Rows,
    scores: Address<f32>,
    out: Address<f32>,
    clip: f32,
}

// SAFETY: numbers and addresses.
unsafe impl Plain for Args {}
// SAFETY: numbers and addresses.
unsafe impl Plain for BroadcastArgs {}

/// Each row's score at the slot before `end`, or in that slot.
pub(crate) fn launch(
    on: &Stream,
    batch: &Batch<'_>,
    end: Address<u32>,
    scores: Address<f32>,
    (clip, first_pad): (f32, bool),
    out: Address<f32>,
) -> Result<(), Error> {
    let args = Args { rows: batch.rows(), end, scores, out, clip, first_pad: u32::from(first_pad) };
    batch.over_tiles(on, ("reward", "place_scores"), &args)
}

/// Score t at slot t of every row.
pub(crate) fn broadcast(
    on: &Stream,
    batch: &Batch<'_>,
    scores: Address<f32>,
    clip: f32,
    out: Address<f32>,
) -> Result<(), Error> {
    let args = BroadcastArgs { rows: batch.rows(), scores, out, clip };
    batch.over_tiles(on, ("reward", "broadcast_scores"), &args)
}

/// The host's: each row's score at the last valid slot of `of`, or in the slot after it.
pub(super) fn place_scores(
    device: Device,
    scores: &[f32],
    mask: &Mask<'_>,
    of: &Mask<'_>,
    clip: f32,
    first_pad: bool,
    out: &mut [f32],
) -> Result<(), Error> {
    let on = Stream::of_host(device);
    let batch = Batch::new(&on, mask)?;
    let end: Vec<u32> = (0..of.b()).map(|row| of.end(row) as u32).collect();
    let (end, scores, out) = (on.upload(&end)?, on.upload(scores)?, Out::new(&on, Some(out))?);
    launch(&on, &batch, end.address(), scores.address(), (clip, first_pad), out.address())?;
    out.finish(&on)
}
