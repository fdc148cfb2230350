//! Launches `kernel.cu`, of arrays on a device and of the host's: a block a row, or for a few long rows all groups at once.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

mod chain;

pub use chain::fma_chain;

use super::{Truncated, lanes::GROUP};
use crate::{
    Error, Gap, Mask, check,
    cuda::{Address, Batch, Buffer, Device, Out, Place, Plain, Rows, Stream, View, ViewMut},
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
pub(crate) const FEW: usize = 256;
/// Rows of this length are worth reading twice then. Tests have both ways.
pub(crate) const LONG: usize = if cfg!(test) { TILE / 2 } else { 4 * TILE };
/// Groups of a tile.
pub(crate) const GROUPS: usize = TILE / GROUP;

/// For each group of each tile of each row, the row's first valid slot after the group; the row's length if there is
/// none. Nothing where no row has a gap between valid slots: then nobody asks.
pub(crate) fn next_valid(mask: &Mask<'_>) -> Option<Vec<u32>> {
    let has_gap = |row: usize| {
        let valid = &mask.valid()[mask.row(row)][..mask.end(row)];
        valid.iter().skip_while(|valid| !**valid).any(|valid| !valid)
    };
    if mask.is_full() || !(0..mask.b()).any(has_gap) {
        return None;
    }
    let mut all = Vec::new();
    for row in 0..mask.b() {
        let valid = &mask.valid()[mask.row(row)];
        let groups = valid.len().div_ceil(TILE) * GROUPS;
        let start = all.len();
        all.resize(start + groups, valid.len() as u32);
        let mut next = valid.len();
        for group in (0..valid.len().div_ceil(GROUP)).rev() {
            all[start + group] = next as u32;
            let slots = group * GROUP..valid.len().min((group + 1) * GROUP);
            next = slots.clone().find(|slot| valid[*slot]).unwrap_or(next);
        }
    }
    Some(all)
}

/// Where episodes end, as [`crate::Ends`], on a device; a flag is a byte other than 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ends<'a> {
    /// One per row: V after the last valid token. None: 0 in every row.
    pub v_last: Option<View<'a, f32>>,
    /// One per slot: the episode ended with token t.
    pub terminated: Option<View<'a, u8>>,
    /// One per slot: the episode was cut off after token t; and V after it.
    pub truncated: Option<(View<'a, u8>, View<'a, f32>)>,
}

/// λ, the decay, as [`crate::Lambda`], on a device.
#[derive(Debug, Clone, Copy)]
pub enum Lambda<'a> {
    /// The same for every row; rounded to f32 once.
    One(f64),
    /// One per row. Whether each lies in [0, 1] is not asked.
    PerRow(View<'a, f32>),
}

/// What [`gae`] writes on a device, as [`crate::GaeOut`].
#[derive(Debug)]
pub struct GaeOut<'a> {
    /// Â, before whitening.
    pub adv: ViewMut<'a, f32>,
    /// R = Â + V.
    pub ret: Option<ViewMut<'a, f32>>,
}

/// [`crate::gae()`] of arrays on a device, asked of a stream: the same bits.
///
/// # Errors
///
/// As there; if an argument lies elsewhere, or `scratch` is shorter than [`Batch::scratch_len`].
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn gae(
    on: &Stream,
    r: View<'_, f32>,
    v: View<'_, f32>,
    batch: &Batch<'_>,
    ends: &Ends<'_>,
    gap: Gap,
    gamma: f64,
    lambda: Lambda<'_>,
    out: GaeOut<'_>,
    scratch: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::gae";
    batch.check(OP, on, &[r.named("r"), v.named("v"), out.adv.named("adv")])?;
    let (truncated, v_boot) = ends.truncated.unzip();
    let others = [
        out.ret.as_ref().map(|to| to.named("ret")),
        ends.terminated.as_ref().map(|x| x.named("terminated")),
        truncated.as_ref().map(|x| x.named("truncated")),
        v_boot.as_ref().map(|x| x.named("v_boot")),
    ];
    others.into_iter().flatten().try_for_each(|x| batch.check(OP, on, &[x]))?;
    let gamma = check::discount(OP, "gamma", gamma)?;
    let (lambda, lambdas) = match lambda {
        Lambda::One(lambda) => (check::discount(OP, "lambda", lambda)?, None),
        Lambda::PerRow(lambdas) => (0.0, Some(lambdas)),
    };
    for (name, x) in [("v_last", ends.v_last), ("lambda", lambdas)] {
        x.map_or(Ok(()), |x| x.named(name).check(OP, on, batch.mask().b(), "row"))?;
    }
    batch.work(OP, on, &scratch)?;
    let by = By {
        v_last: ends.v_last.place(),
        terminated: ends.terminated.place(),
        truncated: truncated.place(),
        v_boot: v_boot.place(),
        lambdas: lambdas.place(),
        lambda,
        gamma,
        gap,
    };
    let out = [out.adv.address(), out.ret.place()];
    launch(on, batch, [r.address(), v.address()], by, out, scratch.address()).map_err(|err| err.by(OP))
}

/// The operands that may not be there, and the settings.
struct By {
    v_last: Address<f32>,
    terminated: Address<u8>,
    truncated: Address<u8>,
    v_boot: Address<f32>,
    lambdas: Address<f32>,
    lambda: f32,
    gamma: f32,
    gap: Gap,
}

fn launch(
    on: &Stream,
    batch: &Batch<'_>,
    [r, v]: [Address<f32>; 2],
    by: By,
    [adv, ret]: [Address<f32>; 2],
    scratch: Address<f32>,
) -> Result<(), Error> {
    let groups = batch.groups_at_once();
    let args = Args {
        rows: batch.rows(),
        r,
        v,
        v_last: by.v_last,
        terminated: by.terminated,
        truncated: by.truncated,
        v_boot: by.v_boot,
        lambdas: by.lambdas,
        next_valid: batch.next_valid(),
        adv,
        ret,
        d: scratch,
        q: scratch.at(groups),
        carry: scratch.at(2 * groups),
        gamma: by.gamma,
        lambda: by.lambda,
        gap: by.gap as u32,
    };
    if groups == 0 {
        return on.launch(("gae", "gae_rows"), batch.mask().b(), &args);
    }
    on.launch(("gae", "gae_groups"), batch.tiles(), &args)?;
    on.launch(("gae", "gae_chain"), batch.mask().b(), &args)?;
    on.launch(("gae", "gae_tiles"), batch.tiles(), &args)
}

/// An operand of the host's that may not be there.
fn optional<T: Plain>(on: &Stream, x: Option<&[T]>) -> Result<Option<Buffer<T>>, Error> {
    x.map(|x| on.upload(x)).transpose()
}

fn address<T: Plain>(x: &Option<Buffer<T>>) -> Address<T> {
    x.as_ref().map_or(Address::NONE, Buffer::address)
}

fn flags(x: &[bool]) -> Vec<u8> {
    x.iter().map(|flag| u8::from(*flag)).collect()
}

/// Of the host's arrays.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub(super) fn host_gae(
    device: Device,
    [r, v]: [&[f32]; 2],
    mask: &Mask<'_>,
    ends: &super::Ends<'_>,
    gap: Gap,
    gamma: f32,
    lambda: super::Lambda<'_>,
    out: super::GaeOut<'_>,
) -> Result<(), Error> {
    let on = Stream::of_host(device);
    let batch = Batch::new(&on, mask)?;
    let (r, v) = (on.upload(r)?, on.upload(v)?);
    let v_last = optional(&on, ends.v_last)?;
    let terminated = optional(&on, ends.terminated.map(flags).as_deref())?;
    let truncated = optional(&on, ends.truncated.map(|Truncated { at, .. }| flags(at)).as_deref())?;
    let v_boot = optional(&on, ends.truncated.map(|Truncated { v_boot, .. }| v_boot))?;
    let (lambda, lambdas) = match lambda {
        super::Lambda::One(lambda) => (lambda as f32, None),
        super::Lambda::PerRow(lambdas) => (0.0, Some(on.upload(lambdas)?)),
    };
    let (adv, ret) = (Out::new(&on, Some(out.adv))?, Out::new(&on, out.ret)?);
    let scratch: Buffer<f32> = on.room(batch.scratch_len())?;
    let by = By {
        v_last: address(&v_last),
        terminated: address(&terminated),
        truncated: address(&truncated),
        v_boot: address(&v_boot),
        lambdas: address(&lambdas),
        lambda,
        gamma,
        gap,
    };
    let to = [adv.address(), ret.address()];
    launch(&on, &batch, [r.address(), v.address()], by, to, scratch.address())?;
    adv.finish(&on)?;
    ret.finish(&on)
}
