//! The terms over tokens with verl's choices, as `peers/rivals` has them: what `peers/speed.py` times beside others,
//! and the ladder on every backend. Arrays in, arrays out, in the order of the arguments.

use optimized::{
    Agg, Backend, ClipFrac, Ends, EpsAt, Error, GaeOut, Gap, Grad, Half, Kl, KlOf, Lambda, Mask, PolicyClip,
    PolicyLoss, PolicyOut, ShiftMean, ValueClip, ValueLoss, ValueOut, Variance, Whitened, Whitening,
};

const WHITENING: Whitening = Whitening {
    variance: Variance::Sample,
    eps_at: EpsAt::UnderRoot,
    eps_w: 1e-8,
    shift_mean: ShiftMean::Yes,
};

/// How the policy loss clips.
pub const CLIP: PolicyClip = PolicyClip {
    eps_lo: 0.2,
    eps_hi: 0.2,
    c_dual: 3.0,
    log_ratio_clamp: 20.0,
    clip_frac: ClipFrac::Effective,
    kl_kind: Kl::K1,
    kl_of: KlOf::Clamped,
};

/// Advantages and returns in one pass: r and V in, Â and R out.
///
/// # Errors
///
/// That of the term, as of all here.
pub fn gae(on: Backend, mask: &Mask<'_>, reads: &[Vec<f32>], writes: &mut [Vec<f32>]) -> Result<(), Error> {
    let ([r, v], [adv, ret]) = (reads, writes) else { unreachable!("two in, two out") };
    let out = GaeOut { adv, ret: Some(ret) };
    optimized::gae(on, r, v, mask, &Ends::default(), Gap::Skip, 0.99, Lambda::One(0.95), out)
}

/// Â in, Âʷ out.
pub fn whiten(
    on: Backend,
    mask: &Mask<'_>,
    reads: &[Vec<f32>],
    writes: &mut [Vec<f32>],
) -> Result<Whitened, Error> {
    let ([adv], [out]) = (reads, writes) else { unreachable!("one in, one out") };
    optimized::whiten(on, adv, mask, WHITENING, out)
}

/// log π, log π_old and Â in, the gradient out.
pub fn policy_loss(
    on: Backend,
    mask: &Mask<'_>,
    reads: &[Vec<f32>],
    writes: &mut [Vec<f32>],
) -> Result<PolicyLoss, Error> {
    let ([logp, logp_old, adv], [to]) = (reads, writes) else { unreachable!("three in, one out") };
    let out = PolicyOut { grad: Some(Grad { c: 1.0, to }), ..PolicyOut::default() };
    optimized::policy_loss(on, logp, logp_old, adv, mask, None, &CLIP, Agg::TokenMean, out)
}

/// V, V_old and R in, the gradient out.
pub fn value_loss(
    on: Backend,
    mask: &Mask<'_>,
    reads: &[Vec<f32>],
    writes: &mut [Vec<f32>],
) -> Result<ValueLoss, Error> {
    let ([v, v_old, ret], [to]) = (reads, writes) else { unreachable!("three in, one out") };
    let out = ValueOut { per_token: None, grad: Some(Grad { c: 1.0, to }) };
    optimized::value_loss(on, v, v_old, ret, mask, 0.2, ValueClip::Max, Agg::TokenMean, Half::Yes, out)
}
