//! Launches `kernel.cu`: a block a token.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use super::{Logit, Logits, LogitsMut, forward::Rooms, grad::Backward, lanes::Triple};
use crate::{
    Error, Mask,
    cuda::{Address, Buffer, Device, Out, Plain},
    lanes::TILE,
};

/// `Forward` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct ForwardArgs<X> {
    valid: Address<u8>,
    slots: Address<u32>,
    logits: Address<X>,
    actions: Address<u32>,
    stride: u64,
    vocab: u32,
    tokens: u32,
    inv_tau: f32,
    out: [Address<f32>; 6],
}

/// `Backward` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct BackwardArgs<X> {
    valid: Address<u8>,
    slots: Address<u32>,
    logits: Address<X>,
    grad: Address<X>,
    actions: Address<u32>,
    stride: u64,
    grad_stride: u64,
    vocab: u32,
    tokens: u32,
    inv_tau: f32,
    inv_tau_ent: f32,
    two: u32,
    ent: Address<f32>,
    max: Address<f32>,
    ln_sum: Address<f32>,
    max_ent: Address<f32>,
    ln_sum_ent: Address<f32>,
    g_logp: Address<f32>,
    g_ent: Address<f32>,
}

// SAFETY: numbers and addresses.
unsafe impl<X: Logit> Plain for ForwardArgs<X> {}
// SAFETY: numbers and addresses.
unsafe impl<X: Logit> Plain for BackwardArgs<X> {}

/// The slots of the rows, and which are valid.
struct Tokens {
    valid: Buffer<u8>,
    slots: Buffer<u32>,
    count: usize,
}

impl Tokens {
    fn new(device: Device, mask: &Mask<'_>) -> Result<Tokens, Error> {
        let valid: Vec<u8> = mask.valid().iter().map(|valid| u8::from(*valid)).collect();
        let too_many = |_| device.error(format!("a mask of {} slots is more than 2³²", valid.len()));
        let slots = 0..u32::try_from(valid.len()).map_err(too_many)?;
        let slots: Vec<u32> = slots.filter(|slot| mask.holds(*slot as usize)).collect();
        Ok(Tokens { valid: device.upload(&valid)?, slots: device.upload(&slots)?, count: slots.len() })
    }
}

/// `Shard` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct ShardArgs<X> {
    logits: Address<X>,
    to: [Address<f32>; 3],
    count: u32,
    inv_tau: f32,
}

// SAFETY: numbers and addresses.
unsafe impl<X: Logit> Plain for ShardArgs<X> {}

/// m, S and W of each tile of these logits.
pub(super) fn shard<X: Logit>(device: Device, logits: &[X], inv_tau: f32) -> Result<Vec<Triple>, Error> {
    let tiles = logits.len().div_ceil(TILE);
    let x = device.upload(logits)?;
    let [m, s, w] = [device.room(tiles)?, device.room(tiles)?, device.room(tiles)?];
    let to = [&m, &s, &w].map(Buffer::address);
    let args = ShardArgs { logits: x.address(), to, count: logits.len() as u32, inv_tau };
    let blocks = tiles.div_ceil(8);
    device.launch(kernel::<X>(["token_pass_shard_f32", "token_pass_shard_bf16"]), blocks, &args)?;
    let (m, s, w) = (m.read()?, s.read()?, w.read()?);
    Ok(m.into_iter().zip(s).zip(w).map(|((m, s), w)| Triple { m, s, w }).collect())
}

/// A kernel for logits of this format.
fn kernel<X: Logit>(of: [&'static str; 2]) -> (&'static str, &'static str) {
    ("token_pass", of[usize::from(size_of::<X>() == 2)])
}

/// An output that is not asked for.
const NONE: Address<f32> = Address::NONE;

pub(super) fn forward<X: Logit>(
    device: Device,
    logits: Logits<'_, X>,
    actions: Option<&[u32]>,
    mask: &Mask<'_>,
    inv_tau: [f32; 2],
    out: Rooms<'_>,
) -> Result<(), Error> {
    let tokens = Tokens::new(device, mask)?;
    let x = device.upload(logits.data)?;
    let actions = actions.map(|actions| device.upload(actions)).transpose()?;
    let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = out.map(|out| Out::new(device, out));
    let out = [logp?, ent?, max?, ln_sum?, max_ent?, ln_sum_ent?];
    let to = out.each_ref().map(Out::address);
    // One pass where the temperatures are equal; else one for each of the two that is asked for.
    let passes = if inv_tau[0] == inv_tau[1] {
        vec![(inv_tau[0], to)]
    } else {
        let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = to;
        let each = [
            (inv_tau[0], [logp, NONE, max, ln_sum, NONE, NONE]),
            (inv_tau[1], [NONE, ent, NONE, NONE, max_ent, ln_sum_ent]),
        ];
        each.into_iter().filter(|(_, to)| to.iter().any(|to| !to.is_none())).collect()
    };
    for (inv_tau, out) in passes {
        let args = ForwardArgs {
            valid: tokens.valid.address(),
            slots: tokens.slots.address(),
            logits: x.address(),
            actions: actions.as_ref().map_or(Address::NONE, Buffer::address),
            stride: logits.shape.stride as u64,
            vocab: logits.shape.vocab as u32,
            tokens: tokens.count as u32,
            inv_tau,
            out,
        };
        device.launch(kernel::<X>(["token_pass_f32", "token_pass_bf16"]), tokens.count, &args)?;
    }
    out.into_iter().try_for_each(Out::finish)
}

/// The gradient of `logits` into `grad`, or in their place where there are none.
pub(super) fn backward<X: Logit>(
    device: Device,
    pass: &Backward<'_>,
    logits: Option<Logits<'_, X>>,
    grad: LogitsMut<'_, X>,
) -> Result<(), Error> {
    let tokens = Tokens::new(device, &pass.mask)?;
    let LogitsMut { data, shape } = grad;
    let apart = logits.map(|logits| device.upload(logits.data)).transpose()?;
    let grad = Out::new(device, Some(data))?;
    let stride = logits.map_or(shape.stride, |logits| logits.shape.stride);
    let stats = pass.stats;
    let numbers = [stats.ent, stats.max, stats.ln_sum, pass.g_logp, pass.g_ent];
    let [ent, max, ln_sum, g_logp, g_ent] = numbers.map(|x| device.upload(x));
    let [ent, max, ln_sum, g_logp, g_ent] = [ent?, max?, ln_sum?, g_logp?, g_ent?];
    let two = pass.inv_tau[0] != pass.inv_tau[1];
    let (max_ent, ln_sum_ent) = stats.of_ent.filter(|_| two).unwrap_or((&[], &[]));
    let (max_ent, ln_sum_ent) = (device.upload(max_ent)?, device.upload(ln_sum_ent)?);
    let actions = device.upload(pass.actions)?;
    let args = BackwardArgs {
        valid: tokens.valid.address(),
        slots: tokens.slots.address(),
        logits: apart.as_ref().map_or(grad.address(), Buffer::address),
        grad: grad.address(),
        actions: actions.address(),
        stride: stride as u64,
        grad_stride: shape.stride as u64,
        vocab: shape.vocab as u32,
        tokens: tokens.count as u32,
        inv_tau: pass.inv_tau[0],
        inv_tau_ent: pass.inv_tau[1],
        two: u32::from(two),
        ent: ent.address(),
        max: max.address(),
        ln_sum: ln_sum.address(),
        max_ent: max_ent.address(),
        ln_sum_ent: ln_sum_ent.address(),
        g_logp: g_logp.address(),
        g_ent: g_ent.address(),
    };
    device.launch(kernel::<X>(["token_pass_grad_f32", "token_pass_grad_bf16"]), tokens.count, &args)?;
    grad.finish()
}
