//! `eq:ratio`, `eq:policy-loss` and the slope: 13 bytes read a token (17 with weights), 4 written with the
//! gradient.

use crate::{
    ClipFrac, Error, Kl, KlOf, PolicyClip, check,
    lanes::{TAME as TAME_UP_TO, clamp, exp_full, exp_tame, keep, select_greater, select_lesser},
    tiles::STAGE,
};

/// The choices in f32, with what is derived from them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clip {
    /// 1 − ε_lo and 1 + ε_hi.
    pub(super) lo: f32,
    pub(super) hi: f32,
    pub(super) c_dual: f32,
    pub(super) log_ratio_clamp: f32,
    pub(super) clip_frac: ClipFrac,
    pub(super) kl_kind: Kl,
    pub(super) kl_of: KlOf,
}

impl Clip {
    pub(super) fn new(op: &'static str, clip: &PolicyClip) -> Result<Clip, Error> {
        Ok(Clip {
            lo: 1.0 - check::positive(op, "eps_lo", clip.eps_lo)?,
            hi: 1.0 + check::positive(op, "eps_hi", clip.eps_hi)?,
            c_dual: check::setting(op, "c_dual", clip.c_dual, "be > 1", |c| c > 1.0)?,
            log_ratio_clamp: check::positive(op, "log_ratio_clamp", clip.log_ratio_clamp)?,
            clip_frac: clip.clip_frac,
            kl_kind: clip.kl_kind,
            kl_of: clip.kl_of,
        })
    }
}

/// What one token does, from its ratio on.
struct Token {
    loss: f32,
    slope: f32,
    /// The clipped surrogate is strictly the smaller.
    clipped: bool,
    /// The dual clip is the smaller loss.
    dual: bool,
}

/// `DUAL` off leaves the dual clip out, which an ∞ switches off: fewer operations, the same bits.
#[inline(always)]
// ANCHOR: token
fn token<const DUAL: bool>(ratio: f32, clamped: bool, adv: f32, clip: &Clip) -> Token {
    // Drops a NaN of the ratio, which stays in `surrogate`.
    let clipped_ratio = select_greater(select_lesser(ratio, clip.hi), clip.lo);
    let (surrogate, clipped_surrogate) = (ratio * adv, clipped_ratio * adv);
    // Where the surrogates tie they have the same bits, and a NaN is in the first, so this is the lesser one.
    let clipped = clipped_surrogate < surrogate;
    let pessimistic = if clipped { -clipped_surrogate } else { -surrogate };
    let bound = -(adv * clip.c_dual);
    let dual = DUAL & (adv < 0.0) & (bound < pessimistic);
    let flat = clipped | dual | (clamped & !surrogate.is_nan());
    let loss = if dual { bound } else { pessimistic };
    Token { loss, slope: if flat { 0.0 } else { -surrogate }, clipped, dual }
}
// ANCHOR_END: token

/// The operands of a piece of a row; all of one length.
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    pub(super) logp: &'a [f32],
    pub(super) logp_old: &'a [f32],
    pub(super) adv: &'a [f32],
    pub(super) weights: Option<&'a [f32]>,
    pub(super) valid: &'a [bool],
    pub(super) full: bool,
}

/// Where the numbers of each token go.
pub(super) struct Room<'a> {
    pub(super) loss: &'a mut [f32; STAGE],
    pub(super) kl: &'a mut [f32; STAGE],
    pub(super) ratio: &'a mut [f32; STAGE],
    pub(super) grad: &'a mut [f32; STAGE],
}

/// Loss, KL estimate, ratio and scaled slope of each token, +0 in masked slots; gives how many the clip counts
/// and how many the dual clip holds.
///
/// A piece is tame where every |log ρ| is within the clamp and the range of the shorter exp, as nearly all are:
/// fewer operations, the same bits; what turns out not to be is computed once more. What is not in every call
/// has a loop of its own over what is staged.
#[inline(always)]
pub(super) fn piece(x: Operands<'_>, clip: &Clip, scale: f32, mut to: Room<'_>) -> [u32; 2] {
    let all = |_| true;
    let some = |valid| valid;
    let tame =
        if x.full { ratios::<true>(x, clip, &mut to, all) } else { ratios::<true>(x, clip, &mut to, some) };
    if !tame {
        ratios::<false>(x, clip, &mut to, some);
    }
    let dual = clip.c_dual < f32::INFINITY;
    let [clipped, lower] = match (tame, dual, x.full) {
        (true, false, true) => losses::<false, true>(x, clip, scale, &mut to, all),
        (true, true, true) => losses::<true, true>(x, clip, scale, &mut to, all),
        (true, false, false) => losses::<false, true>(x, clip, scale, &mut to, some),
        (true, true, false) => losses::<true, true>(x, clip, scale, &mut to, some),
        (false, ..) => losses::<true, false>(x, clip, scale, &mut to, some),
    };
    if let Some(weights) = x.weights {
        weigh(x.valid, weights, to.loss);
        weigh(x.valid, weights, to.grad);
    }
    let kl = &mut to.kl[..x.valid.len()];
    match clip.kl_kind {
        Kl::K1 => {}
        Kl::Abs => kl.iter_mut().for_each(|k| *k = k.abs()),
        Kl::K2 => kl.iter_mut().for_each(|k| *k = (*k * *k) * 0.5),
        // exp(−k1) is the ratio, where nothing was clamped.
        Kl::K3 if tame => {
            for ((k, ratio), valid) in kl.iter_mut().zip(to.ratio.iter()).zip(x.valid) {
                *k = keep((*ratio - 1.0) + *k, *valid);
            }
        }
        Kl::K3 => kl.iter_mut().for_each(|k| *k = (exp_full(-*k) - 1.0) + *k),
    }
    let counted = match clip.clip_frac {
        ClipFrac::Effective => clipped,
        ClipFrac::SignBlind => outside(x, to.ratio, |ratio, _| (ratio < clip.lo) | (ratio > clip.hi)),
        ClipFrac::Signed => outside(x, to.ratio, |ratio, adv| {
            ((ratio < clip.lo) & (adv < 0.0)) | ((ratio > clip.hi) & (adv > 0.0))
        }),
    };
    [counted, lower]
}

/// ρ of each token, and k1 = −log ρ, after the clamp where that is asked for; whether all are tame. If they are
/// not and `TAME` was said, what was computed means nothing. A loop apart from what follows, so that a CPU sees
/// many of exp's long chains at once.
#[inline(always)]
fn ratios<const TAME: bool>(
    x: Operands<'_>,
    clip: &Clip,
    to: &mut Room<'_>,
    is_valid: impl Fn(bool) -> bool,
) -> bool {
    let n = x.valid.len();
    let (logp, logp_old, valid) = (&x.logp[..n], &x.logp_old[..n], &x.valid[..n]);
    let (kl, ratio) = (&mut to.kl[..n], &mut to.ratio[..n]);
    let bound = clip.log_ratio_clamp;
    let mut widest = 0;
    for i in 0..n {
        let valid = is_valid(valid[i]);
        let log_ratio = keep(logp[i] - logp_old[i], valid);
        // By its bits |log ρ| has the order of numbers, and a NaN is above them all.
        widest = widest.max(log_ratio.abs().to_bits());
        if TAME {
            ratio[i] = keep(exp_tame(log_ratio), valid);
            kl[i] = keep(-log_ratio, valid);
        } else {
            let within = clamp(log_ratio, -bound, bound);
            ratio[i] = keep(exp_full(within), valid);
            kl[i] = keep(-if matches!(clip.kl_of, KlOf::Raw) { log_ratio } else { within }, valid);
        }
    }
    widest <= select_lesser(bound, TAME_UP_TO).to_bits()
}

/// What follows from ρ; how many tokens the clip holds, and how many the dual clip.
#[inline(always)]
fn losses<const DUAL: bool, const TAME: bool>(
    x: Operands<'_>,
    clip: &Clip,
    scale: f32,
    to: &mut Room<'_>,
    is_valid: impl Fn(bool) -> bool,
) -> [u32; 2] {
    let n = x.valid.len();
    let (logp, logp_old, adv, valid) = (&x.logp[..n], &x.logp_old[..n], &x.adv[..n], &x.valid[..n]);
    let (loss, ratio, grad) = (&mut to.loss[..n], &to.ratio[..n], &mut to.grad[..n]);
    let bound = clip.log_ratio_clamp;
    let (mut clipped, mut lower) = (0, 0);
    for i in 0..n {
        let valid = is_valid(valid[i]);
        let clamped = !TAME && (logp[i] - logp_old[i]).abs() > bound;
        let token = token::<DUAL>(ratio[i], clamped, adv[i], clip);
        loss[i] = keep(token.loss, valid);
        grad[i] = keep(token.slope * scale, valid);
        clipped += u32::from(token.clipped) & u32::from(valid);
        lower += u32::from(token.dual) & u32::from(valid);
    }
    [clipped, lower]
}

/// x w of each token, +0 in masked slots.
#[inline(always)]
fn weigh(valid: &[bool], weights: &[f32], x: &mut [f32; STAGE]) {
    for ((x, w), valid) in x.iter_mut().zip(weights).zip(valid) {
        *x = keep(*x * *w, *valid);
    }
}

/// How many valid tokens the clip fraction counts by their ratio and advantage.
#[inline(always)]
fn outside(x: Operands<'_>, ratio: &[f32; STAGE], counts: impl Fn(f32, f32) -> bool) -> u32 {
    let tokens = x.valid.iter().zip(ratio).zip(x.adv);
    tokens.map(|((valid, ratio), adv)| u32::from(*valid) & u32::from(counts(*ratio, *adv))).sum()
}
