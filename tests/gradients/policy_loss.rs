//! `eq:policy-loss` in log π: both radii, the dual clip, the clamp of log ρ, importance weights, six modes.
//!
//! Kinks, in log π: ρ = 1 + ε_hi where Â > 0, ρ = 1 − ε_lo where Â < 0, ρ = c where Â < 0 and c is finite,
//! and |log ρ| at its clamp. The inputs keep clear of every one of them whatever the sign of Â.

use crate::{
    differences::{H, Keeps, U, hold, hold_kink},
    inputs::{aggregate_err, modes, per_token, ragged, tokens},
};
use conformance::cases::{Rng, on_grid};
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Agg, ClipFrac, Kl, KlOf, Mask, PolicyClip,
    policy_loss::{policy_loss, policy_loss_grad},
};

/// The post's clip: two radii and nothing else.
pub(crate) const CLIP: PolicyClip = PolicyClip {
    eps_lo: 0.2,
    eps_hi: 0.25,
    c_dual: f64::INFINITY,
    log_ratio_clamp: f64::INFINITY,
    clip_frac: ClipFrac::Effective,
    kl_kind: Kl::K1,
    kl_of: KlOf::Raw,
};

/// The clips that this file goes through, each with what it adds.
fn clips() -> [(&'static str, PolicyClip); 5] {
    let inf = f64::INFINITY;
    [
        ("two radii", CLIP),
        ("dual clip", PolicyClip { c_dual: 1.5, ..CLIP }),
        ("clamp inside the radii", PolicyClip { log_ratio_clamp: 0.1, ..CLIP }),
        ("dual clip and clamp beyond it", PolicyClip { c_dual: 1.5, log_ratio_clamp: 0.75, ..CLIP }),
        ("no clip", PolicyClip { eps_lo: inf, eps_hi: inf, ..CLIP }),
    ]
}

/// How far log ρ is from the nearest kink of any sign of Â.
pub(crate) fn to_kink(log_ratio: f64, clip: &PolicyClip) -> f64 {
    // ln of what is not positive is no kink: NaN and −∞ are never the smaller distance.
    let kinks = [1.0 - clip.eps_lo, 1.0 + clip.eps_hi, clip.c_dual].map(f64::ln);
    let clamps = [clip.log_ratio_clamp, -clip.log_ratio_clamp];
    let distance = |kink: &f64| (log_ratio - kink).abs();
    kinks.iter().chain(&clamps).map(distance).fold(f64::INFINITY, f64::min)
}

/// What one token may be off by, in units of |w Â| max(ρ, 1), which bounds its loss (c_dual and 1 + ε_hi are
/// taken only below ρ): log ρ has one rounding of itself, which exp hands on, exp two more, the products
/// with Â and w and the bounds 1 − ε_lo, 1 + ε_hi and c_dual Â four. 2h adds under 1 %, allowed as a fifth.
pub(crate) fn token_err(log_ratio: f64) -> f64 {
    U * (log_ratio.abs() + 8.0)
}

struct Inputs {
    logp: DMatrix<f64>,
    logp_old: DMatrix<f64>,
    adv: DMatrix<f64>,
    weights: DMatrix<f64>,
}

fn inputs(mask: &Mask, clip: &PolicyClip, seed: u64) -> Inputs {
    let mut rng = Rng::new(seed);
    let logp_old = per_token(mask, |_| -rng.between(0.5, 4.0));
    let adv = per_token(mask, |_| rng.normal());
    let weights = per_token(mask, |_| rng.between(0.25, 2.0));
    let logp = per_token(mask, |slot| {
        loop {
            let logp = on_grid(logp_old[slot] + rng.between(-1.0, 1.0));
            if to_kink(logp - logp_old[slot], clip) >= 10.0 * H {
                return logp;
            }
        }
    });
    Inputs { logp, logp_old, adv, weights }
}

#[test]
fn the_gradient_is_the_slope_away_from_the_kinks() {
    let mask = ragged();
    for (what, clip) in clips() {
        let (mut flat, mut steep) = (0, 0);
        for seed in 0..3 {
            let Inputs { logp, logp_old, adv, weights } = inputs(&mask, &clip, seed);
            for slot in tokens(&mask) {
                assert!(to_kink(logp[slot] - logp_old[slot], &clip) >= 10.0 * H);
            }
            for (agg, w) in modes().into_iter().flat_map(|agg| [(agg, None), (agg, Some(&weights))]) {
                let size = |slot: (usize, usize)| {
                    let ratio = f64::exp(logp[slot] - logp_old[slot]);
                    let weight: f64 = w.map_or(1.0, |w| w[slot]);
                    1.2 * (adv[slot] * weight).abs() * ratio.max(1.0)
                };
                let err = aggregate_err(&mask, agg, size, |slot| {
                    size(slot) * token_err(logp[slot] - logp_old[slot])
                });
                let grad = policy_loss_grad(&logp, &logp_old, &adv, &mask, w, &clip, agg);
                let zeros = tokens(&mask).iter().filter(|slot| grad[**slot] == 0.0).count();
                (flat, steep) = (flat + zeros, steep + mask.count() - zeros);
                let name = format!("policy_loss {what}, seed {seed}, weights {}, {agg:?}", w.is_some());
                hold(&name, &logp, &grad, err, |logp| {
                    policy_loss(logp, &logp_old, &adv, &mask, w, &clip, agg).loss
                });
            }
        }
        assert_eq!(flat > 0, what != "no clip", "{what}: some tokens are clipped");
        assert!(steep > 0, "{what}: some tokens are not");
    }
}

/// ρ of one token as the reference computes it, so that a bound can be put exactly on it.
fn ratio_at(log_ratio: f64) -> f64 {
    let (zero, one) = (dmatrix![0.0], dmatrix![1.0]);
    let mask = Mask::full(1, 1);
    policy_loss(&dmatrix![log_ratio], &zero, &one, &mask, None, &CLIP, Agg::TokenMean).ratio[0]
}

/// One token at a kink, where the loss of the unclipped branch is −ρ Â and so is its slope.
fn at_kink(what: &str, log_ratio: f64, adv: f64, clip: PolicyClip, keeps: Keeps) {
    let (mask, old, advs) = (Mask::full(1, 1), dmatrix![0.0], dmatrix![adv]);
    let loss = |x: f64| policy_loss(&dmatrix![x], &old, &advs, &mask, None, &clip, Agg::TokenMean).loss;
    let grad = policy_loss_grad(&dmatrix![log_ratio], &old, &advs, &mask, None, &clip, Agg::TokenMean)[0];
    assert_eq!(grad, -ratio_at(log_ratio) * adv, "{what}: a tie keeps the unclipped branch");
    let err = 1.2 * adv.abs() * ratio_at(log_ratio).max(1.0) * (token_err(log_ratio) + 4.0 * U);
    hold_kink(&format!("policy_loss {what}"), log_ratio, grad, keeps, 0.0, err, loss);
}

#[test]
fn at_the_bound_of_the_ratio_a_tie_keeps_the_unclipped_branch() {
    let (up, down) = (0.25, -0.25);
    let hi = PolicyClip { eps_hi: ratio_at(up) - 1.0, ..CLIP };
    let lo = PolicyClip { eps_lo: 1.0 - ratio_at(down), ..CLIP };
    assert_eq!((1.0 + hi.eps_hi, 1.0 - lo.eps_lo), (ratio_at(up), ratio_at(down)), "exactly at the bound");
    at_kink("ρ = 1 + ε_hi", up, 1.5, hi, Keeps::Left);
    at_kink("ρ = 1 − ε_lo", down, -1.5, lo, Keeps::Right);
}

#[test]
fn where_the_dual_clip_begins_a_tie_keeps_the_unclipped_branch() {
    let clip = PolicyClip { c_dual: ratio_at(0.5), ..CLIP };
    at_kink("ρ = c", 0.5, -1.5, clip, Keeps::Left);
}

#[test]
fn where_the_clamp_begins_a_tie_keeps_the_unclipped_branch() {
    let clip = PolicyClip { log_ratio_clamp: 0.125, ..CLIP };
    for adv in [1.5, -1.5] {
        at_kink("log ρ = clamp", 0.125, adv, clip, Keeps::Left);
        at_kink("log ρ = −clamp", -0.125, adv, clip, Keeps::Right);
    }
}
