//! Budgets of `eq:value-clip` and `eq:value-loss`.

use super::{
    Approx, Grid, Precision,
    total_loss::{aggregate, share},
};
use reference::{Agg, Half, Mask, ValueClip};

/// What `eq:value-loss` may be off.
pub struct ValueBudget {
    /// The squared error of each token.
    pub per_token: Grid,
    /// L_V.
    pub loss: Approx,
    /// Tokens whose clip flag may differ.
    pub clip_in_doubt: usize,
}

/// `eq:value-clip`, `eq:value-loss`. V − R cancels, so the error follows the operands and not the loss: a
/// bound relative to the loss would be too tight near a good critic.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn value_loss(
    p: Precision,
    v: &Grid,
    v_old: &Grid,
    ret: &Grid,
    mask: &Mask,
    eps_v: f64,
    form: ValueClip,
    agg: Agg,
    half: Half,
) -> ValueBudget {
    let per_token = p.each(mask, |slot| {
        let (plain, clipped) = errors(p, v[slot], v_old[slot], ret[slot], eps_v);
        match form {
            ValueClip::Max => plain.square().greater(clipped.square()),
            ValueClip::ClippedOnly => clipped.square(),
            ValueClip::Off => plain.square(),
        }
    });
    let doubtful =
        p.each(mask, |slot| p.given(f64::from(value_in_doubt(p, v[slot], v_old[slot], ret[slot], eps_v))));
    ValueBudget {
        loss: p.given(half.factor()) * aggregate(p, &per_token, mask, agg),
        clip_in_doubt: doubtful.iter().filter(|x| x.value == 1.0).count(),
        per_token,
    }
}

/// V − R and V_clip − R, the clip by its two bounds as the equation has it: inside them V_clip is V to the
/// bit. (V_old + clamp(V − V_old), as the post's code has it, rounds there and may set a clip flag.)
fn errors(p: Precision, v: Approx, v_old: Approx, ret: Approx, eps_v: f64) -> (Approx, Approx) {
    let eps_v = p.setting(eps_v);
    (v - ret, v.clamp(v_old - eps_v, v_old + eps_v) - ret)
}

/// Whether the clipped error may be the larger for one evaluation alone: V at its bound, or the two errors
/// of one size beyond it.
fn value_in_doubt(p: Precision, v: Approx, v_old: Approx, ret: Approx, eps_v: f64) -> bool {
    let (plain, clipped) = errors(p, v, v_old, ret, eps_v);
    let tie = (v - v_old).value.abs() > eps_v && plain.square().may_cross(clipped.square());
    tie || at_bound(p, v, v_old, eps_v)
}

/// Whether V may be inside its range for one evaluation alone. A bound rounds at the size of V_old, which ε_v
/// does not know; V − V_old, clamped as in the post's code, rounds at its own.
fn at_bound(p: Precision, v: Approx, v_old: Approx, eps_v: f64) -> bool {
    let radius = p.setting(eps_v);
    let moved = (v - v_old).abs();
    v.may_cross(v_old - radius) || v.may_cross(v_old + radius) || moved.may_cross(radius)
}

/// ∂L_V/∂V: 2 (V − R) or 0; either, where the clip is in doubt.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn value_loss_grad(
    p: Precision,
    v: &Grid,
    v_old: &Grid,
    ret: &Grid,
    mask: &Mask,
    eps_v: f64,
    form: ValueClip,
    agg: Agg,
    half: Half,
) -> Grid {
    let share = share(p, mask, agg);
    p.each(mask, |slot| {
        let (plain, clipped) = errors(p, v[slot], v_old[slot], ret[slot], eps_v);
        let beyond = (v[slot] - v_old[slot]).value.abs() > eps_v;
        let (flat, doubt) = match form {
            ValueClip::Off => (false, false),
            ValueClip::ClippedOnly => (beyond, at_bound(p, v[slot], v_old[slot], eps_v)),
            ValueClip::Max => (
                beyond && clipped.square().value > plain.square().value,
                value_in_doubt(p, v[slot], v_old[slot], ret[slot], eps_v),
            ),
        };
        let (sloped, zero) = (p.given(2.0) * plain, p.given(0.0));
        let slope = match (flat, doubt) {
            (false, false) => sloped,
            (true, false) => zero,
            (false, true) => sloped.or(zero),
            (true, true) => zero.or(sloped),
        };
        p.given(half.factor()) * share[slot] * slope
    })
}
