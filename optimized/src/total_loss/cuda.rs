//! Launches `kernel.cu`, and `kl/kernel.cu`, whose estimate the KL loss is: of arrays on a device, and of the host's.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use crate::{
    Agg, Coefficients, Error, KlEstimate, KlGrad, Mask, Put, Sum,
    aggregate::Divisors,
    cuda::{Address, Batch, By, Device, Grad, Out, Place, Plain, Rows, Stream, View, ViewMut, Weight, Work},
    kl::Estimate,
};

/// `KlLoss` of `kl/kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Args {
    rows: Rows,
    weight: Weight,
    clamp_in: f32,
    clamp_out: f32,
    kind: u32,
    logp: Address<f32>,
    logp_ref: Address<f32>,
    grad: Address<f32>,
    kl: Address<f32>,
    straight: u32,
    on_top: u32,
}

/// `TotalLoss` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct TotalArgs {
    terms: [Address<f32>; 4],
    out: Address<f32>,
    c_v: f32,
    minus_c_h: f32,
    beta: f32,
}

// SAFETY: numbers and addresses.
unsafe impl Plain for Args {}
// SAFETY: numbers and addresses.
unsafe impl Plain for TotalArgs {}

/// [`crate::total_loss()`] of numbers on a device, asked of a stream: the same bits. Of each view the first number is read.
/// Where there is no `l_kl`, without a reference model, it is +0.
///
/// # Errors
///
/// If an argument lies elsewhere or is empty, or `l_v` or `ent` is absent whose coefficient is not 0 in f32.
pub fn total_loss(
    on: &Stream,
    l_policy: View<'_, f32>,
    l_v: Option<View<'_, f32>>,
    ent: Option<View<'_, f32>>,
    l_kl: Option<View<'_, f32>>,
    coefficients: Coefficients,
    out: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::total_loss";
    let Coefficients { c_v, c_h, beta_loss } = coefficients;
    let [c_v, minus_c_h, beta] = [c_v as f32, -(c_h as f32), beta_loss as f32];
    let terms = [
        ("l_policy", Some(l_policy), 1.0, "l_policy"),
        ("l_v", l_v, c_v, "`c_v` other than 0"),
        ("ent", ent, minus_c_h, "`c_h` other than 0"),
        ("l_kl", l_kl, 0.0, "l_kl"),
    ];
    for (name, term, c, needs) in terms {
        match term {
            Some(term) => term.named(name).check(OP, on, term.len().max(1), "loss")?,
            None if c != 0.0 => return Err(Error::Missing { op: OP, name, needs }),
            None => {}
        }
    }
    out.named("out").check(OP, on, 1, "total")?;
    let terms = [l_policy.address(), l_v.place(), ent.place(), l_kl.place()];
    let args = TotalArgs { terms, out: out.address(), c_v, minus_c_h, beta };
    on.launch(("total_loss", "total_loss"), 1, &args).map_err(|err| err.by(OP))
}

/// What [`kl_loss`] writes on a device; as [`crate::KlOut`].
#[derive(Debug)]
pub struct KlOut<'a> {
    /// c · ∂L_KL/∂log π.
    pub grad: Option<Grad<'a>>,
    /// Whether it replaces what stands there or is added to it.
    pub put: Put,
    /// One number: L_KL.
    pub loss: ViewMut<'a, f32>,
}

/// [`crate::kl_loss`] of arrays on a device, asked of a stream: the same bits.
///
/// # Errors
///
/// As there; if an argument lies elsewhere, or `scratch` is shorter than [`Batch::scratch_len`].
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn kl_loss(
    on: &Stream,
    logp: View<'_, f32>,
    logp_ref: View<'_, f32>,
    batch: &Batch<'_>,
    estimate: KlEstimate,
    slope: KlGrad,
    agg: Agg,
    out: KlOut<'_>,
    scratch: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::kl_loss";
    let mask = batch.mask();
    mask.refuse_part(OP)?;
    batch.check(OP, on, &[logp.named("logp"), logp_ref.named("logp_ref")])?;
    let estimate = Estimate::new(OP, estimate)?;
    let divisors = Divisors::new(OP, agg, mask.counts())?;
    let (c, grad) = Grad::split(OP, out.grad)?;
    if let Some(grad) = &grad {
        batch.check(OP, on, &[grad.named("grad")])?;
    }
    out.loss.named("loss").check(OP, on, 1, "loss")?;
    let work = batch.work(OP, on, &scratch)?;
    let by = (estimate, slope, Weight::new(&divisors, c, 1.0), out.put == Put::Add);
    launch(on, batch, [logp.address(), logp_ref.address()], by, grad.place(), &work)
        .and_then(|()| batch.total(on, &work, &[By::mode(&divisors, 1.0, out.loss.address())], &[], 1.0))
        .map_err(|err| err.by(OP))
}

/// The kernel alone: what it leaves of each tile waits in `work`.
fn launch(
    on: &Stream,
    batch: &Batch<'_>,
    [logp, logp_ref]: [Address<f32>; 2],
    (estimate, slope, weight, on_top): (Estimate, KlGrad, Weight, bool),
    grad: Address<f32>,
    work: &Work,
) -> Result<(), Error> {
    let args = Args {
        rows: batch.rows(),
        weight,
        clamp_in: estimate.clamp_in,
        clamp_out: estimate.clamp_out,
        kind: estimate.kind as u32,
        logp,
        logp_ref,
        grad,
        kl: work.sums[0],
        straight: u32::from(matches!(slope, KlGrad::StraightThrough)),
        on_top: u32::from(on_top),
    };
    batch.over_tiles(on, ("kl", "kl_loss"), &args)
}

/// The loss's sum, of the host's arrays.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub(super) fn host_kl_loss(
    device: Device,
    [logp, logp_ref]: [&[f32]; 2],
    mask: &Mask<'_>,
    (estimate, slope): (Estimate, KlGrad),
    divisors: &Divisors,
    c: f32,
    on_top: bool,
    grad: Option<&mut [f32]>,
) -> Result<Sum, Error> {
    let on = Stream::of_host(device);
    let batch = Batch::new(&on, mask)?;
    let (logp, logp_ref) = (on.upload(logp)?, on.upload(logp_ref)?);
    let grad = Out::new(&on, grad)?;
    let mut scratch = on.room(batch.scratch_len())?;
    let work = batch.work("kl_loss", &on, &scratch.view_mut())?;
    let by = (estimate, slope, Weight::new(divisors, c, 1.0), on_top);
    launch(&on, &batch, [logp.address(), logp_ref.address()], by, grad.address(), &work)?;
    batch.total(&on, &work, &[By::mode(divisors, 1.0, Address::NONE)], &[], 1.0)?;
    grad.finish(&on)?;
    batch.sum(&on, &work, 0)
}
