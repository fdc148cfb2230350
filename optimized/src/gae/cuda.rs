//! Launches `kernel.cu`: a block a row, or for a few long rows all groups at once.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use super::{Ends, GaeOut, Lambda, Truncated, lanes::GROUP};
use crate::{
    Error, Gap, Mask,
    cuda::{Address, Batch, Buffer, Device, Out, Plain, Rows},
    lanes::TILE,
};

/// `Gae` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Args {
    rows: Rows,
    r: Address<f32>,
    v: Address<f32>,
    v_last: Address<f32>,
    terminated: Address<u8>,
    truncated: Address<u8>,
    v_boot: Address<f32>,
    lambdas: Address<f32>,
    next_valid: Address<u32>,
    adv: Address<f32>,
    ret: Address<f32>,
    d: Address<f32>,
    q: Address<f32>,
    carry: Address<f32>,
    gamma: f32,
    lambda: f32,
    gap: u32,
}

// SAFETY: numbers and addresses.
unsafe impl Plain for Args {}

/// Fewer rows than this leave multiprocessors idle where each has a block of its own.
const FEW: usize = 256;
/// Rows of this length are worth reading twice then. Tests have both ways.
const LONG: usize = if cfg!(test) { TILE / 2 } else { 4 * TILE };

/// An operand that may not be there.
fn optional<T: Plain>(device: Device, x: Option<&[T]>) -> Result<Option<Buffer<T>>, Error> {
    x.map(|x| device.upload(x)).transpose()
}

fn address<T: Plain>(x: &Option<Buffer<T>>) -> Address<T> {
    x.as_ref().map_or(Address::NONE, Buffer::address)
}

fn flags(x: &[bool]) -> Vec<u8> {
    x.iter().map(|flag| u8::from(*flag)).collect()
}

/// For each group of each tile of each row, the row's first valid slot after the group; the row's length if there is
/// none.
fn next_valid(mask: &Mask<'_>) -> Vec<u32> {
    let mut all = Vec::new();
    for row in 0..mask.b() {
        let valid = &mask.valid()[mask.row(row)];
        let groups = valid.len().div_ceil(TILE) * (TILE / GROUP);
        let start = all.len();
        all.resize(start + groups, valid.len() as u32);
        let mut next = valid.len();
        for group in (0..valid.len().div_ceil(GROUP)).rev() {
            all[start + group] = next as u32;
            let slots = group * GROUP..valid.len().min((group + 1) * GROUP);
            next = slots.clone().find(|slot| valid[*slot]).unwrap_or(next);
        }
    }
    all
}

#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub(super) fn gae(
    device: Device,
    [r, v]: [&[f32]; 2],
    mask: &Mask<'_>,
    ends: &Ends<'_>,
    gap: Gap,
    gamma: f32,
    lambda: Lambda<'_>,
    out: GaeOut<'_>,
) -> Result<(), Error> {
    let batch = Batch::new(device, mask)?;
    let (r, v) = (device.upload(r)?, device.upload(v)?);
    let v_last = optional(device, ends.v_last)?;
    let terminated = optional(device, ends.terminated.map(flags).as_deref())?;
    let truncated = optional(device, ends.truncated.map(|Truncated { at, .. }| flags(at)).as_deref())?;
    let v_boot = optional(device, ends.truncated.map(|Truncated { v_boot, .. }| v_boot))?;
    let (lambda, lambdas) = match lambda {
        Lambda::One(lambda) => (lambda as f32, None),
        Lambda::PerRow(lambdas) => (0.0, Some(device.upload(lambdas)?)),
    };
    // Only a gap that is skipped asks what stands beyond it.
    let next_valid = optional(device, (gap == Gap::Skip).then(|| next_valid(mask)).as_deref())?;
    let (adv, ret) = (Out::new(device, Some(out.adv))?, Out::new(device, out.ret)?);
    let longest = (0..mask.b()).map(|row| mask.row(row).len()).max().unwrap_or(0);
    let at_once = mask.b() < FEW && longest >= LONG;
    let groups = if at_once { batch.tiles() * (TILE / GROUP) } else { 0 };
    let [d, q, carry] = [device.room(groups)?, device.room(groups)?, device.room(groups)?];
    let args = Args {
        rows: batch.rows(),
        r: r.address(),
        v: v.address(),
        v_last: address(&v_last),
        terminated: address(&terminated),
        truncated: address(&truncated),
        v_boot: address(&v_boot),
        lambdas: address(&lambdas),
        next_valid: address(&next_valid),
        adv: adv.address(),
        ret: ret.address(),
        d: d.address(),
        q: q.address(),
        carry: carry.address(),
        gamma,
        lambda,
        gap: gap as u32,
    };
    if at_once {
        device.launch(("gae", "gae_groups"), batch.tiles(), &args)?;
        device.launch(("gae", "gae_chain"), mask.b(), &args)?;
        device.launch(("gae", "gae_tiles"), batch.tiles(), &args)?;
    } else {
        device.launch(("gae", "gae_rows"), mask.b(), &args)?;
    }
    adv.finish()?;
    ret.finish()
}
