//! Launches `kernel.cu`: of arrays on a device, and of the host's.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use super::lanes::Clip;
use crate::{
    Agg, Error, KlOf, Mask, PolicyClip, Sum,
    aggregate::Divisors,
    check,
    cuda::{Address, Batch, By, Device, Grad, Out, Place, Plain, Rows, Stream, View, ViewMut, Weight, Work},
};

/// `PolicyLoss` of `kernel.cu`.
#[derive(Clone, Copy)]
#[repr(C)]
struct Args {
    rows: Rows,
    weight: Weight,
    operands: [Address<f32>; 3],
    weights: Address<f32>,
    outputs: [Address<f32>; 3],
    sums: [Address<f32>; 2],
    counts: [Address<u32>; 2],
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

/// What [`policy_loss`] writes on a device; per token as [`crate::PolicyOut`].
#[derive(Debug)]
pub struct PolicyOut<'a> {
    /// The loss of each token before aggregation.
    pub per_token: Option<ViewMut<'a, f32>>,
    /// ρ.
    pub ratio: Option<ViewMut<'a, f32>>,
    /// c · ∂L_policy/∂log π.
    pub grad: Option<Grad<'a>>,
    /// Four numbers: those of [`crate::PolicyLoss`], in its order.
    pub figures: ViewMut<'a, f32>,
}

/// [`crate::policy_loss()`] of arrays on a device, asked of a stream: the same bits.
///
/// # Errors
///
/// As there; if an argument lies elsewhere, or `scratch` is shorter than [`Batch::scratch_len`].
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn policy_loss(
    on: &Stream,
    logp: View<'_, f32>,
    logp_old: View<'_, f32>,
    adv: View<'_, f32>,
    batch: &Batch<'_>,
    weights: Option<View<'_, f32>>,
    clip: &PolicyClip,
    agg: Agg,
    out: PolicyOut<'_>,
    scratch: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::policy_loss";
    let mask = batch.mask();
    mask.refuse_part(OP)?;
    batch.check(OP, on, &[logp.named("logp"), logp_old.named("logp_old"), adv.named("adv")])?;
    let clip = Clip::new(OP, clip)?;
    check::has_tokens(OP, mask.counts())?;
    let divisors = Divisors::new(OP, agg, mask.counts())?;
    let PolicyOut { per_token, ratio, grad, figures } = out;
    let (c, grad) = Grad::split(OP, grad)?;
    let others = [
        weights.as_ref().map(|x| x.named("weights")),
        per_token.as_ref().map(|to| to.named("per_token")),
        ratio.as_ref().map(|to| to.named("ratio")),
        grad.as_ref().map(|to| to.named("grad")),
    ];
    others.into_iter().flatten().try_for_each(|x| batch.check(OP, on, &[x]))?;
    figures.named("figures").check(OP, on, 4, "figure")?;
    let work = batch.work(OP, on, &scratch)?;
    let operands = [logp, logp_old, adv].map(|x| x.address());
    let outputs = [per_token.place(), ratio.place(), grad.place()];
    let weight = Weight::new(&divisors, c, 1.0);
    launch(on, batch, operands, weights.place(), (&clip, weight), outputs, &work)
        .and_then(|()| {
            let figure = |i| figures.address().at(i);
            let tokens = mask.counts().tokens as f32;
            let sums = [By::mode(&divisors, 1.0, figure(0)), By::count(tokens, figure(3))];
            batch.total(on, &work, &sums, &[figure(1), figure(2)], tokens)
        })
        .map_err(|err| err.by(OP))
}

/// The kernel alone: what it leaves of each tile waits in `work`.
fn launch(
    on: &Stream,
    batch: &Batch<'_>,
    operands: [Address<f32>; 3],
    weights: Address<f32>,
    (clip, weight): (&Clip, Weight),
    outputs: [Address<f32>; 3],
    work: &Work,
) -> Result<(), Error> {
    let args = Args {
        rows: batch.rows(),
        weight,
        operands,
        weights,
        outputs,
        sums: work.sums,
        counts: work.counts,
        lo: clip.lo,
        hi: clip.hi,
        c_dual: clip.c_dual,
        log_ratio_clamp: clip.log_ratio_clamp,
        clip_frac: clip.clip_frac as u32,
        kl_kind: clip.kl_kind as u32,
        kl_clamped: u32::from(matches!(clip.kl_of, KlOf::Clamped)),
    };
    batch.over_tiles(on, ("policy_loss", "policy_loss"), &args)
}

/// The sums of loss and KL, and how many tokens the clip counts and the dual clip holds, of the host's arrays.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub(super) fn sums(
    device: Device,
    operands: [&[f32]; 3],
    weights: Option<&[f32]>,
    mask: &Mask<'_>,
    clip: &Clip,
    divisors: &Divisors,
    c: f32,
    outputs: [Option<&mut [f32]>; 3],
) -> Result<([Sum; 2], [u64; 2]), Error> {
    let on = Stream::of_host(device);
    let batch = Batch::new(&on, mask)?;
    let [logp, logp_old, adv] = operands.map(|x| on.upload(x));
    let (logp, logp_old, adv) = (logp?, logp_old?, adv?);
    let operands = [&logp, &logp_old, &adv].map(|x| x.address());
    let weights = weights.map(|weights| on.upload(weights)).transpose()?;
    let [per_token, ratio, grad] = outputs.map(|to| Out::new(&on, to));
    let outputs = [per_token?, ratio?, grad?];
    let mut scratch = on.room(batch.scratch_len())?;
    let work = batch.work("policy_loss", &on, &scratch.view_mut())?;
    let weighted = weights.as_ref().map_or(Address::NONE, |weights| weights.address());
    let (by, nowhere) = ((clip, Weight::new(divisors, c, 1.0)), Address::NONE);
    launch(&on, &batch, operands, weighted, by, outputs.each_ref().map(Out::address), &work)?;
    let all = [By::mode(divisors, 1.0, nowhere), By::count(1.0, nowhere)];
    batch.total(&on, &work, &all, &[nowhere; 2], 1.0)?;
    outputs.into_iter().try_for_each(|out| out.finish(&on))?;
    let sums = [batch.sum(&on, &work, 0)?, batch.sum(&on, &work, 1)?];
    Ok((sums, [batch.count(&on, &work, 0)?, batch.count(&on, &work, 1)?]))
}
