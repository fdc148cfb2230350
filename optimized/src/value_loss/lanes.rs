//! `eq:value-clip`, `eq:value-loss` and the slope: 13 bytes read a token, 4 written with the gradient.

use crate::{
    ValueClip,
    lanes::{clamp, greater},
};

/// What one token does.
struct Token {
    loss: f32,
    slope: f32,
    /// The clipped error is strictly the larger.
    clipped: bool,
}

#[inline(always)]
fn token(v: f32, v_old: f32, ret: f32, eps_v: f32, form: ValueClip) -> Token {
    let err = v - ret;
    let plain = err * err;
    let v_clip = clamp(v, v_old - eps_v, v_old + eps_v);
    let clip_err = v_clip - ret;
    let of_clip = clip_err * clip_err;
    let clipped = of_clip > plain;
    let twice = 2.0 * err;
    let (loss, slope) = match form {
        ValueClip::Max => (greater(plain, of_clip), if clipped { 0.0 } else { nan_or(of_clip, twice) }),
        ValueClip::ClippedOnly => {
            (of_clip, if v_clip != v { nan_or(of_clip, 0.0) } else { nan_or(of_clip, twice) })
        }
        ValueClip::Off => (plain, twice),
    };
    Token { loss, slope, clipped }
}

/// x, or the NaN that was found.
#[inline(always)]
fn nan_or(found: f32, x: f32) -> f32 {
    if found.is_nan() { found } else { x }
}

/// The operands of one tile of a row; all of one length.
#[derive(Clone, Copy)]
pub(super) struct Tile<'a> {
    pub(super) v: &'a [f32],
    pub(super) v_old: &'a [f32],
    pub(super) ret: &'a [f32],
    pub(super) valid: &'a [bool],
}

/// Loss and scaled slope of each token of a tile, +0 in masked slots; gives how many are clipped.
#[inline(always)]
pub(super) fn tile(
    on: Tile<'_>,
    eps_v: f32,
    form: ValueClip,
    scale: f32,
    loss: &mut [f32],
    grad: &mut [f32],
) -> u32 {
    match form {
        ValueClip::Max => {
            each(on, scale, loss, grad, |v, v_old, ret| token(v, v_old, ret, eps_v, ValueClip::Max))
        }
        ValueClip::ClippedOnly => {
            each(on, scale, loss, grad, |v, v_old, ret| token(v, v_old, ret, eps_v, ValueClip::ClippedOnly))
        }
        ValueClip::Off => {
            each(on, scale, loss, grad, |v, v_old, ret| token(v, v_old, ret, eps_v, ValueClip::Off))
        }
    }
}

#[inline(always)]
fn each(
    Tile { v, v_old, ret, valid }: Tile<'_>,
    scale: f32,
    loss: &mut [f32],
    grad: &mut [f32],
    token: impl Fn(f32, f32, f32) -> Token,
) -> u32 {
    let n = valid.len();
    let (v, v_old, ret, loss, grad) = (&v[..n], &v_old[..n], &ret[..n], &mut loss[..n], &mut grad[..n]);
    let mut clipped = 0;
    for i in 0..n {
        let token = token(v[i], v_old[i], ret[i]);
        loss[i] = if valid[i] { token.loss } else { 0.0 };
        grad[i] = if valid[i] { token.slope * scale } else { 0.0 };
        clipped += u32::from(valid[i] & token.clipped);
    }
    clipped
}
