//! `eq:value-clip`, `eq:value-loss` and the slope: 13 bytes read a token, 4 written with the gradient.

use crate::{
    ValueClip,
    lanes::{clamp, select_greater, select_lesser},
};

/// What one token does.
struct Token {
    loss: f32,
    slope: f32,
    /// The clipped error is strictly the larger.
    clipped: bool,
}

#[inline(always)]
// ANCHOR: token
fn token(v: f32, v_old: f32, ret: f32, eps_v: f32, form: ValueClip) -> Token {
    let (lo, hi) = (v_old - eps_v, v_old + eps_v);
    let err = v - ret;
    let plain = err * err;
    let v_clip = match form {
        // Drops a NaN of v alone, which is in `plain`: that is why the larger one needs no better clamp.
        ValueClip::Max => select_greater(select_lesser(v, hi), lo),
        ValueClip::ClippedOnly | ValueClip::Off => clamp(v, lo, hi),
    };
    let clip_err = v_clip - ret;
    let of_clip = clip_err * clip_err;
    let clipped = of_clip > plain;
    let twice = err + err;
    let or_nan = |flat| {
        if of_clip.is_nan() {
            of_clip
        } else if flat {
            0.0
        } else {
            twice
        }
    };
    let (loss, slope) = match form {
        ValueClip::Max => (if clipped | of_clip.is_nan() { of_clip } else { plain }, or_nan(clipped)),
        ValueClip::ClippedOnly => (of_clip, or_nan(v_clip != v)),
        ValueClip::Off => (plain, twice),
    };
    Token { loss, slope, clipped }
}
// ANCHOR_END: token

/// The operands of a piece of a row; all of one length.
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    pub(super) v: &'a [f32],
    pub(super) v_old: &'a [f32],
    pub(super) ret: &'a [f32],
    pub(super) valid: &'a [bool],
    pub(super) full: bool,
}

/// Loss and scaled slope of each token, +0 in masked slots; gives how many are clipped.
#[inline(always)]
pub(super) fn piece(
    x: Operands<'_>,
    eps_v: f32,
    form: ValueClip,
    scale: f32,
    loss: &mut [f32],
    grad: &mut [f32],
) -> u32 {
    use ValueClip::{ClippedOnly, Max, Off};
    // One loop for each: a choice inside it would be made once a token.
    match (form, x.full) {
        (Max, true) => each(x, scale, loss, grad, |_| true, |v, old, ret| token(v, old, ret, eps_v, Max)),
        (Max, false) => each(x, scale, loss, grad, |m| m, |v, old, ret| token(v, old, ret, eps_v, Max)),
        (ClippedOnly, _) => {
            each(x, scale, loss, grad, |m| m, |v, old, ret| token(v, old, ret, eps_v, ClippedOnly))
        }
        (Off, _) => each(x, scale, loss, grad, |m| m, |v, old, ret| token(v, old, ret, eps_v, Off)),
    }
}

#[inline(always)]
fn each(
    Operands { v, v_old, ret, valid, .. }: Operands<'_>,
    scale: f32,
    loss: &mut [f32],
    grad: &mut [f32],
    is_valid: impl Fn(bool) -> bool,
    token: impl Fn(f32, f32, f32) -> Token,
) -> u32 {
    let n = valid.len();
    let (v, v_old, ret, loss, grad) = (&v[..n], &v_old[..n], &ret[..n], &mut loss[..n], &mut grad[..n]);
    let mut clipped = 0;
    for i in 0..n {
        let token = token(v[i], v_old[i], ret[i]);
        let valid = is_valid(valid[i]);
        loss[i] = if valid { token.loss } else { 0.0 };
        grad[i] = if valid { token.slope * scale } else { 0.0 };
        clipped += u32::from(valid & token.clipped);
    }
    clipped
}
