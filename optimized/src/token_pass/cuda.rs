//! Launches `kernel.cu`, a block a token, and what it takes of the host's arrays.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

mod resident;

pub use resident::{
    Logits, LogitsMut, TokenOut, TokenStats, token_pass, token_pass_grad, token_pass_grad_in_place,
};

use super::{Logit, forward::Rooms, grad::Backward, lanes::Triple, logits::Shape};
use crate::{
    Error, Mask,
    cuda::{Address, Batch, Buffer, Device, Out, Plain, Stream},
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

/// m, S and W of each tile of these logits, which are the host's.
pub(super) fn shard<X: Logit>(device: Device, logits: &[X], inv_tau: f32) -> Result<Vec<Triple>, Error> {
    let on = Stream::of_host(device);
    let tiles = logits.len().div_ceil(TILE);
    let x = on.upload(logits)?;
    let [m, s, w]: [Buffer<f32>; 3] = [on.room(tiles)?, on.room(tiles)?, on.room(tiles)?];
    let to = [&m, &s, &w].map(Buffer::address);
    let args = ShardArgs { logits: x.address(), to, count: logits.len() as u32, inv_tau };
    let blocks = tiles.div_ceil(8);
    on.launch(kernel::<X>(["token_pass_shard_f32", "token_pass_shard_bf16"]), blocks, &args)?;
    let (m, s, w) = (m.read(&on)?, s.read(&on)?, w.read(&on)?);
    Ok(m.into_iter().zip(s).zip(w).map(|((m, s), w)| Triple { m, s, w }).collect())
}

/// A kernel for logits of this format.
fn kernel<X: Logit>(of: [&'static str; 2]) -> (&'static str, &'static str) {
    ("token_pass", of[usize::from(size_of::<X>() == 2)])
}

/// An output that is not asked for.
const NONE: Address<f32> = Address::NONE;

/// One pass where the temperatures are equal; else one for each of the two that is asked for.
fn launch<X: Logit>(
    on: &Stream,
    batch: &Batch<'_>,
    (logits, shape): (Address<X>, Shape),
    actions: Address<u32>,
    inv_tau: [f32; 2],
    to: [Address<f32>; 6],
) -> Result<(), Error> {
    let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = to;
    let passes = if inv_tau[0] == inv_tau[1] {
        [(inv_tau[0], to), (inv_tau[0], [NONE; 6])]
    } else {
        [
            (inv_tau[0], [logp, NONE, max, ln_sum, NONE, NONE]),
            (inv_tau[1], [NONE, ent, NONE, NONE, max_ent, ln_sum_ent]),
        ]
    };
    let (slots, tokens) = batch.slots();
    for (inv_tau, out) in passes {
        if out.iter().all(|to| to.is_none()) {
            continue;
        }
        let args = ForwardArgs {
            valid: batch.valid(),
            slots,
            logits,
            actions,
            stride: shape.stride as u64,
            vocab: shape.vocab as u32,
            inv_tau,
            out,
        };
        on.launch(kernel::<X>(["token_pass_f32", "token_pass_bf16"]), tokens, &args)?;
    }
    Ok(())
}

/// Of the host's arrays.
pub(super) fn forward<X: Logit>(
    device: Device,
    logits: super::Logits<'_, X>,
    actions: Option<&[u32]>,
    mask: &Mask<'_>,
    inv_tau: [f32; 2],
    out: Rooms<'_>,
) -> Result<(), Error> {
    let on = Stream::of_host(device);
    let batch = Batch::new(&on, mask)?;
    let x = on.upload(logits.data)?;
    let actions = actions.map(|actions| on.upload(actions)).transpose()?;
    let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = out.map(|out| Out::new(&on, out));
    let out = [logp?, ent?, max?, ln_sum?, max_ent?, ln_sum_ent?];
    let actions = actions.as_ref();
    let at = actions.map_or(Address::NONE, Buffer::address);
    launch(&on, &batch, (x.address(), logits.shape), at, inv_tau, out.each_ref().map(Out::address))?;
    out.into_iter().try_for_each(|out| out.finish(&on))
}

/// What flows back through each token, by its place.
#[derive(Clone, Copy)]
struct Flow {
    actions: Address<u32>,
    inv_tau: [f32; 2],
    ent: Address<f32>,
    /// max and ln_sum, of log π and of H.
    of_logp: [Address<f32>; 2],
    of_ent: [Address<f32>; 2],
    g: [Address<f32>; 2],
}

fn launch_grad<X: Logit>(
    on: &Stream,
    batch: &Batch<'_>,
    (logits, stride): (Address<X>, usize),
    (grad, shape): (Address<X>, Shape),
    flow: Flow,
) -> Result<(), Error> {
    let (slots, tokens) = batch.slots();
    let args = BackwardArgs {
        valid: batch.valid(),
        slots,
        logits,
        grad,
        actions: flow.actions,
        stride: stride as u64,
        grad_stride: shape.stride as u64,
        vocab: shape.vocab as u32,
        inv_tau: flow.inv_tau[0],
        inv_tau_ent: flow.inv_tau[1],
        two: u32::from(flow.inv_tau[0] != flow.inv_tau[1]),
        ent: flow.ent,
        max: flow.of_logp[0],
        ln_sum: flow.of_logp[1],
        max_ent: flow.of_ent[0],
        ln_sum_ent: flow.of_ent[1],
        g_logp: flow.g[0],
        g_ent: flow.g[1],
    };
    on.launch(kernel::<X>(["token_pass_grad_f32", "token_pass_grad_bf16"]), tokens, &args)
}

/// The gradient of the host's `logits` into `grad`, or in their place where there are none.
pub(super) fn backward<X: Logit>(
    device: Device,
    pass: &Backward<'_>,
    logits: Option<super::Logits<'_, X>>,
    grad: super::LogitsMut<'_, X>,
) -> Result<(), Error> {
    let on = Stream::of_host(device);
    let batch = Batch::new(&on, &pass.mask)?;
    let super::LogitsMut { data, shape } = grad;
    let apart = logits.map(|logits| on.upload(logits.data)).transpose()?;
    let grad = Out::new(&on, Some(data))?;
    let stride = logits.map_or(shape.stride, |logits| logits.shape.stride);
    let stats = pass.stats;
    let (max_ent, ln_sum_ent) = stats.of_ent.unwrap_or((&[], &[]));
    let numbers = [stats.ent, stats.max, stats.ln_sum, max_ent, ln_sum_ent, pass.g_logp, pass.g_ent];
    let numbers = numbers.into_iter().map(|x| on.upload(x)).collect::<Result<Vec<_>, _>>()?;
    let actions = on.upload(pass.actions)?;
    let at = |i: usize| numbers[i].address();
    let flow = Flow {
        actions: actions.address(),
        inv_tau: pass.inv_tau,
        ent: at(0),
        of_logp: [at(1), at(2)],
        of_ent: [at(3), at(4)],
        g: [at(5), at(6)],
    };
    let from = apart.as_ref().map_or(grad.address(), Buffer::address);
    launch_grad(&on, &batch, (from, stride), (grad.address(), shape), flow)?;
    grad.finish(&on)
}
