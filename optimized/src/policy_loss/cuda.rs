//! Launches `kernel.cu`.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use super::lanes::Clip;
use crate::{
    Error, KlOf, Mask, Sum,
    aggregate::Divisors,
    cuda::{Address, Batch, Device, Out, Plain, Rows, Weight},
};

/// `PolicyLoss` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Args {
    rows: Rows,
    weight: Weight,
    logp: Address<f32>,
    logp_old: Address<f32>,
    adv: Address<f32>,
    weights: Address<f32>,
    per_token: Address<f32>,
    ratio: Address<f32>,
    grad: Address<f32>,
    loss: Address<f32>,
    kl: Address<f32>,
    clipped: Address<u32>,
    lower: Address<u32>,
    lo: f32,
    hi: f32,
    c_dual: f32,
    log_ratio_clamp: f32,
    clip_frac: u32,
    kl_kind: u32,
    kl_clamped: u32,
}

// SAFETY: numbers and addresses.
unsafe impl Plain for Args {}

/// The sums of loss and KL, and how many tokens the clip counts and the dual clip holds.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub(super) fn sums(
    device: Device,
    [logp, logp_old, adv]: [&[f32]; 3],
    weights: Option<&[f32]>,
    mask: &Mask<'_>,
    clip: &Clip,
    divisors: &Divisors,
    c: f32,
    [per_token, ratio, grad]: [Option<&mut [f32]>; 3],
) -> Result<([Sum; 2], [u64; 2]), Error> {
    let batch = Batch::new(device, mask)?;
    let (logp, logp_old, adv) = (device.upload(logp)?, device.upload(logp_old)?, device.upload(adv)?);
    let weights = weights.map(|weights| device.upload(weights)).transpose()?;
    let [per_token, ratio, grad] =
        [Out::new(device, per_token)?, Out::new(device, ratio)?, Out::new(device, grad)?];
    let [loss, kl] = [batch.per_tile()?, batch.per_tile()?];
    let [clipped, lower] = [batch.per_tile()?, batch.per_tile()?];
    let args = Args {
        rows: batch.rows(),
        weight: Weight::new(divisors, c, 1.0),
        logp: logp.address(),
        logp_old: logp_old.address(),
        adv: adv.address(),
        weights: weights.as_ref().map_or(Address::NONE, |weights| weights.address()),
        per_token: per_token.address(),
        ratio: ratio.address(),
        grad: grad.address(),
        loss: loss.address(),
        kl: kl.address(),
        clipped: clipped.address(),
        lower: lower.address(),
        lo: clip.lo,
        hi: clip.hi,
        c_dual: clip.c_dual,
        log_ratio_clamp: clip.log_ratio_clamp,
        clip_frac: clip.clip_frac as u32,
        kl_kind: clip.kl_kind as u32,
        kl_clamped: u32::from(matches!(clip.kl_of, KlOf::Clamped)),
    };
    batch.over_tiles(("policy_loss", "policy_loss"), &args)?;
    let sums = [batch.sum(&loss, Some(divisors))?, batch.sum(&kl, None)?];
    let counted = [Batch::count(&clipped)?, Batch::count(&lower)?];
    [per_token, ratio, grad].into_iter().try_for_each(Out::finish)?;
    Ok((sums, counted))
}
