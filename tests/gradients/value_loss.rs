//! `eq:value-loss` in V: three forms, with and without ½, in six modes.
//!
//! Kinks: V = V_old ± ε_v where the clip begins, and, for the max, V = 2 R − V_clip where the two errors
//! change places.

use crate::{
    differences::{H, Keeps, U, hold, hold_kink},
    inputs::{aggregate_err, modes, per_token, ragged, tokens},
};
use conformance::cases::{Rng, on_grid};
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Agg, Half, Mask, ValueClip,
    value_loss::{value_loss, value_loss_grad},
};

const FORMS: [ValueClip; 3] = [ValueClip::Max, ValueClip::ClippedOnly, ValueClip::Off];
const HALVES: [Half; 2] = [Half::No, Half::Yes];

/// How far V is from the nearest kink.
fn to_kink(v: f64, v_old: f64, ret: f64, eps_v: f64) -> f64 {
    let outside = (v - v_old).abs() - eps_v;
    if outside <= 0.0 {
        return -outside;
    }
    let v_clip = v_old + eps_v * (v - v_old).signum();
    outside.min((v - (2.0 * ret - v_clip)).abs())
}

/// What the loss may be off by. Both errors are below E = |V − R| + |V_old − R| + ε_v + 2h (ε_v and V_old
/// only where there is a clip); the square is three roundings of E², and the clipped value, a sum of two,
/// is off by a rounding of |V_old| + ε_v, which the square doubles and multiplies by E.
fn err(v: &DMatrix<f64>, v_old: &DMatrix<f64>, ret: &DMatrix<f64>, mask: &Mask, eps_v: f64, agg: Agg) -> f64 {
    let (reach, has_clip) = if eps_v.is_finite() { (eps_v, 1.0) } else { (0.0, 0.0) };
    let worst = |slot: (usize, usize)| {
        let clipped = has_clip * ((v_old[slot] - ret[slot]).abs() + reach);
        (v[slot] - ret[slot]).abs().max(clipped) + 2.0 * H
    };
    let per_token = |slot| {
        let clip = has_clip * 2.0 * worst(slot) * (v_old[slot].abs() + reach);
        U * (3.0 * worst(slot) * worst(slot) + clip)
    };
    aggregate_err(mask, agg, |slot| worst(slot) * worst(slot), per_token)
}

#[test]
fn the_gradient_is_the_slope_away_from_the_kinks() {
    let mask = ragged();
    for (seed, eps_v) in [(1, 0.25), (2, 0.5), (3, f64::INFINITY)] {
        let mut rng = Rng::new(seed);
        let v_old = per_token(&mask, |_| rng.normal());
        let ret = per_token(&mask, |_| 2.0 * rng.normal());
        let v = per_token(&mask, |slot| {
            loop {
                let v = on_grid(v_old[slot] + rng.between(-1.5, 1.5));
                if to_kink(v, v_old[slot], ret[slot], eps_v) >= 10.0 * H {
                    return v;
                }
            }
        });
        let mut flat = 0;
        for slot in tokens(&mask) {
            assert!(to_kink(v[slot], v_old[slot], ret[slot], eps_v) >= 10.0 * H);
        }
        for (form, agg, half) in choices() {
            let name = format!("value_loss ε_v = {eps_v} {form:?} ½ {half:?} {agg:?}");
            let grad = value_loss_grad(&v, &v_old, &ret, &mask, eps_v, form, agg, half);
            flat += tokens(&mask).iter().filter(|slot| grad[**slot] == 0.0).count();
            let err = err(&v, &v_old, &ret, &mask, eps_v, agg);
            hold(&name, &v, &grad, err, |v| value_loss(v, &v_old, &ret, &mask, eps_v, form, agg, half).loss);
        }
        assert_eq!(flat > 0, eps_v.is_finite(), "ε_v = {eps_v}: the clip is on some tokens and not on all");
    }
}

fn choices() -> Vec<(ValueClip, Agg, Half)> {
    let mut all = Vec::new();
    for form in FORMS {
        for agg in modes() {
            all.extend(HALVES.map(|half| (form, agg, half)));
        }
    }
    all
}

/// One token at a kink, everything exact: V_old = 0, ε_v = ¼.
fn at_kink(form: ValueClip, v: f64, ret: f64, keeps: Keeps, other: f64) {
    let (mask, v_old, ret) = (Mask::full(1, 1), dmatrix![0.0], dmatrix![ret]);
    let loss =
        |v: f64| value_loss(&dmatrix![v], &v_old, &ret, &mask, 0.25, form, Agg::TokenMean, Half::No).loss;
    let grad = value_loss_grad(&dmatrix![v], &v_old, &ret, &mask, 0.25, form, Agg::TokenMean, Half::No)[0];
    assert_eq!(grad, 2.0 * (v - ret[0]), "a tie keeps the unclipped branch");
    let err = err(&dmatrix![v], &v_old, &ret, &mask, 0.25, Agg::TokenMean);
    hold_kink(&format!("value_loss {form:?}"), v, grad, keeps, other, err, loss);
}

/// Inside the range the clipped error is the plain one; beyond it, towards R, it is flat.
#[test]
fn at_the_bound_a_tie_keeps_the_unclipped_branch() {
    at_kink(ValueClip::Max, 0.25, 1.0, Keeps::Left, 0.0);
    at_kink(ValueClip::Max, -0.25, -1.0, Keeps::Right, 0.0);
    for ret in [1.0, -1.0] {
        at_kink(ValueClip::ClippedOnly, 0.25, ret, Keeps::Left, 0.0);
        at_kink(ValueClip::ClippedOnly, -0.25, ret, Keeps::Right, 0.0);
    }
}

/// R halfway between V and V_clip: both errors are ¼, and the plain one rules on the far side.
#[test]
fn where_the_errors_change_places_a_tie_keeps_the_unclipped_branch() {
    at_kink(ValueClip::Max, 0.75, 0.5, Keeps::Right, 0.0);
    at_kink(ValueClip::Max, -0.75, -0.5, Keeps::Left, 0.0);
}
