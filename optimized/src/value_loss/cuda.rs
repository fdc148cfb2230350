//! Launches `kernel.cu`: of arrays on a device, and of the host's.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use crate::{
    Agg, Error, Half, Mask, Sum, ValueClip,
    aggregate::Divisors,
    check,
    cuda::{Address, Batch, By, Device, Grad, Out, Place, Plain, Rows, Stream, View, ViewMut, Weight, Work},
};

/// `ValueLoss` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Args {
    rows: Rows,
    weight: Weight,
    v: Address<f32>,
    v_old: Address<f32>,
    ret: Address<f32>,
    per_token: Address<f32>,
    grad: Address<f32>,
    loss: Address<f32>,
    clipped: Address<u32>,
    eps_v: f32,
    form: u32,
}

// SAFETY: numbers and addresses.
unsafe impl Plain for Args {}

/// What [`value_loss`] writes on a device; per token as [`crate::ValueOut`].
#[derive(Debug)]
pub struct ValueOut<'a> {
    /// The squared error of each token, before ½ and aggregation.
    pub per_token: Option<ViewMut<'a, f32>>,
    /// c · ∂L_V/∂V.
    pub grad: Option<Grad<'a>>,
    /// Two numbers: those of [`crate::ValueLoss`], in its order.
    pub figures: ViewMut<'a, f32>,
}

/// [`crate::value_loss()`] of arrays on a device, asked of a stream: the same bits.
///
/// # Errors
///
/// As there; if an argument lies elsewhere, or `scratch` is shorter than [`Batch::scratch_len`].
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn value_loss(
    on: &Stream,
    v: View<'_, f32>,
    v_old: View<'_, f32>,
    ret: View<'_, f32>,
    batch: &Batch<'_>,
    eps_v: f64,
    form: ValueClip,
    agg: Agg,
    half: Half,
    out: ValueOut<'_>,
    scratch: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::value_loss";
    let mask = batch.mask();
    mask.refuse_part(OP)?;
    batch.check(OP, on, &[v.named("v"), v_old.named("v_old"), ret.named("ret")])?;
    let eps_v = check::positive(OP, "eps_v", eps_v)?;
    check::has_tokens(OP, mask.counts())?;
    let divisors = Divisors::new(OP, agg, mask.counts())?;
    let ValueOut { per_token, grad, figures } = out;
    let (c, grad) = Grad::split(OP, grad)?;
    let outputs =
        [per_token.as_ref().map(|to| to.named("per_token")), grad.as_ref().map(|to| to.named("grad"))];
    outputs.into_iter().flatten().try_for_each(|to| batch.check(OP, on, &[to]))?;
    figures.named("figures").check(OP, on, 2, "figure")?;
    let work = batch.work(OP, on, &scratch)?;
    let half = half.factor() as f32;
    let settings = (eps_v, form, Weight::new(&divisors, c, half));
    let operands = [v, v_old, ret].map(|x| x.address());
    launch(on, batch, operands, settings, [per_token.place(), grad.place()], &work)
        .and_then(|()| {
            let loss = By::mode(&divisors, half, figures.address());
            let tokens = mask.counts().tokens as f32;
            batch.total(on, &work, &[loss], &[figures.address().at(1)], tokens)
        })
        .map_err(|err| err.by(OP))
}

/// The kernel alone: what it leaves of each tile waits in `work`.
fn launch(
    on: &Stream,
    batch: &Batch<'_>,
    [v, v_old, ret]: [Address<f32>; 3],
    (eps_v, form, weight): (f32, ValueClip, Weight),
    [per_token, grad]: [Address<f32>; 2],
    work: &Work,
) -> Result<(), Error> {
    let (loss, clipped) = (work.sums[0], work.counts[0]);
    let rows = batch.rows();
    let args = Args { rows, weight, v, v_old, ret, per_token, grad, loss, clipped, eps_v, form: form as u32 };
    batch.over_tiles(on, ("value_loss", "value_loss"), &args)
}

/// The loss's sum, and how many tokens are clipped, of the host's arrays.
pub(super) fn sums(
    device: Device,
    operands: [&[f32]; 3],
    mask: &Mask<'_>,
    (eps_v, form): (f32, ValueClip),
    divisors: &Divisors,
    (c, half): (f32, f32),
    [per_token, grad]: [Option<&mut [f32]>; 2],
) -> Result<(Sum, u64), Error> {
    let on = Stream::of_host(device);
    let batch = Batch::new(&on, mask)?;
    let [v, v_old, ret] = operands.map(|x| on.upload(x));
    let (v, v_old, ret) = (v?, v_old?, ret?);
    let (per_token, grad) = (Out::new(&on, per_token)?, Out::new(&on, grad)?);
    let mut scratch = on.room(batch.scratch_len())?;
    let work = batch.work("value_loss", &on, &scratch.view_mut())?;
    let operands = [&v, &v_old, &ret].map(|x| x.address());
    let settings = (eps_v, form, Weight::new(divisors, c, half));
    launch(&on, &batch, operands, settings, [per_token.address(), grad.address()], &work)?;
    let nowhere = Address::NONE;
    batch.total(&on, &work, &[By::mode(divisors, half, nowhere)], &[nowhere], 1.0)?;
    per_token.finish(&on)?;
    grad.finish(&on)?;
    Ok((batch.sum(&on, &work, 0)?, batch.count(&on, &work, 0)?))
}
