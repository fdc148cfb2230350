//! Launches `kernel.cu`, where a row has one score.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use crate::{
    Error, Mask,
    cuda::{Address, Batch, Device, Out, Plain, Rows},
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

// SAFETY: numbers and addresses.
unsafe impl Plain for Args {}

/// Each row's score at the last valid slot of `of`, or in the slot after it.
pub(super) fn place_scores(
    device: Device,
    scores: &[f32],
    mask: &Mask<'_>,
    of: &Mask<'_>,
    clip: f32,
    first_pad: bool,
    out: &mut [f32],
) -> Result<(), Error> {
    let batch = Batch::new(device, mask)?;
    let end: Vec<u32> = (0..of.b()).map(|row| of.end(row) as u32).collect();
    let (end, scores, out) = (device.upload(&end)?, device.upload(scores)?, Out::new(device, Some(out))?);
    let args = Args {
        rows: batch.rows(),
        end: end.address(),
        scores: scores.address(),
        out: out.address(),
        clip,
        first_pad: u32::from(first_pad),
    };
    batch.over_tiles(("reward", "place_scores"), &args)?;
    out.finish()
}
