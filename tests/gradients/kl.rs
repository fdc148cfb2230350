//! `eq:kl` in log π: every kind, with and without its clamps, its own gradient and the straight-through one.
//!
//! Kinks, in k1: ± the clamp before; where the estimate reaches the clamp after; 0 for |k1|.

use crate::{
    differences::{H, Keeps, U, hold, hold_kink},
    inputs::{per_token, ragged, tokens},
    log_prob::weighted,
};
use conformance::cases::{Rng, on_grid};
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Kl, KlEstimate, KlGrad, Mask,
    kl::{kl, kl_grad},
};

const KINDS: [Kl; 4] = [Kl::K1, Kl::Abs, Kl::K2, Kl::K3];

/// Every kind, without clamps and with one or both of them where k1 reaches.
pub(crate) fn estimates() -> Vec<KlEstimate> {
    let inf = f64::INFINITY;
    let clamps = [(inf, inf), (0.75, inf), (inf, 0.5), (1.25, 0.5)];
    let with = |kind| clamps.map(|(clamp_in, clamp_out)| KlEstimate { kind, clamp_in, clamp_out });
    KINDS.into_iter().flat_map(with).collect()
}

/// Where the estimate of this kind has the size of its outer clamp. k3 reaches a bound twice, and its
/// roots are found by halving: e^{−x} − 1 + x falls to 0 at 0 and rises after it.
fn outer_kinks(kind: Kl, out: f64) -> Vec<f64> {
    if out == f64::INFINITY {
        return vec![];
    }
    match kind {
        Kl::K1 | Kl::Abs => vec![-out, out],
        Kl::K2 => vec![-(2.0 * out).sqrt(), (2.0 * out).sqrt()],
        Kl::K3 => [-1.0, 1.0].map(|side| k3_reaches(out, side)).to_vec(),
    }
}

fn k3_reaches(out: f64, side: f64) -> f64 {
    let (mut below, mut above) = (0.0, side * (out + 2.0));
    for _ in 0..60 {
        let mid: f64 = 0.5 * (below + above);
        if (-mid).exp() - 1.0 + mid < out { below = mid } else { above = mid }
    }
    above
}

/// How far k1 is from the nearest kink.
pub(crate) fn to_kink(k1: f64, estimate: &KlEstimate) -> f64 {
    let mut kinks = vec![estimate.clamp_in, -estimate.clamp_in];
    kinks.extend(outer_kinks(estimate.kind, estimate.clamp_out));
    if estimate.kind == Kl::Abs {
        kinks.push(0.0);
    }
    kinks.iter().map(|kink| (k1 - kink).abs()).fold(f64::INFINITY, f64::min)
}

/// Size of one estimate, its parts without their signs.
pub(crate) fn size(k1: f64, kind: Kl) -> f64 {
    let k1 = k1.abs() + 2.0 * H;
    match kind {
        Kl::K1 | Kl::Abs => k1,
        Kl::K2 => 0.5 * k1 * k1,
        Kl::K3 => k1.exp() + 1.0 + k1,
    }
}

/// What it may be off by: k1 has one rounding of itself, which exp turns into |k1| of its own; exp has two
/// and the two sums one each.
pub(crate) fn err(k1: f64, kind: Kl) -> f64 {
    U * (k1.abs() + 5.0) * size(k1, kind)
}

/// log π and log π_ref of every valid token, clear of every kink.
pub(crate) fn pair(mask: &Mask, estimate: &KlEstimate, seed: u64) -> (DMatrix<f64>, DMatrix<f64>) {
    let mut rng = Rng::new(seed);
    let logp_ref = per_token(mask, |_| -rng.between(0.5, 4.0));
    let logp = per_token(mask, |slot| {
        loop {
            let logp = on_grid(logp_ref[slot] + rng.between(-2.0, 2.0));
            if to_kink(logp - logp_ref[slot], estimate) >= 10.0 * H {
                return logp;
            }
        }
    });
    for slot in tokens(mask) {
        assert!(to_kink(logp[slot] - logp_ref[slot], estimate) >= 10.0 * H);
    }
    (logp, logp_ref)
}

fn weighted_err(g: &DMatrix<f64>, k1: impl Fn((usize, usize)) -> f64, kind: Kl, mask: &Mask) -> f64 {
    let sum = (mask.count() + 1) as f64 * U;
    let one = |slot: (usize, usize)| g[slot].abs() * (err(k1(slot), kind) + sum * size(k1(slot), kind));
    tokens(mask).into_iter().map(one).sum()
}

#[test]
fn the_own_gradient_is_the_slope_of_the_estimate() {
    let mask = ragged();
    for (seed, estimate) in estimates().into_iter().enumerate() {
        let (logp, logp_ref) = pair(&mask, &estimate, seed as u64);
        let g = per_token(&mask, |(row, t)| 1.0 + row as f64 - 0.25 * t as f64);
        let err = weighted_err(&g, |slot| logp[slot] - logp_ref[slot], estimate.kind, &mask);
        let slope = kl_grad(&logp, &logp_ref, &mask, estimate, KlGrad::Own);
        let grad = mask.each(|slot| g[slot] * slope[slot]);
        hold(&format!("kl {estimate:?}"), &logp, &grad, err, |logp| {
            weighted(&g, &kl(logp, &logp_ref, &mask, estimate), &mask)
        });
    }
}

/// Whatever the estimator and its clamps, what is handed back is the slope of k2 = ½ k1² without clamps.
#[test]
fn the_straight_through_gradient_is_the_slope_of_plain_k2() {
    let (mask, k2) = (ragged(), KlEstimate::plain(Kl::K2));
    for (seed, estimate) in estimates().into_iter().enumerate() {
        let (logp, logp_ref) = pair(&mask, &estimate, seed as u64);
        let g = per_token(&mask, |(row, t)| 1.0 + row as f64 - 0.25 * t as f64);
        let err = weighted_err(&g, |slot| logp[slot] - logp_ref[slot], Kl::K2, &mask);
        let slope = kl_grad(&logp, &logp_ref, &mask, estimate, KlGrad::StraightThrough);
        let grad = mask.each(|slot| g[slot] * slope[slot]);
        hold(&format!("kl {estimate:?} straight through"), &logp, &grad, err, |logp| {
            weighted(&g, &kl(logp, &logp_ref, &mask, k2), &mask)
        });
    }
}

/// One token at k1, log π_ref = 0.
fn at_kink(what: &str, k1: f64, estimate: KlEstimate, keeps: Keeps, kept: f64, other: f64) {
    let (mask, zero) = (Mask::full(1, 1), dmatrix![0.0]);
    let value = |x: f64| kl(&dmatrix![x], &zero, &mask, estimate)[0];
    let grad = kl_grad(&dmatrix![k1], &zero, &mask, estimate, KlGrad::Own)[0];
    assert_eq!(grad, kept, "{what} {estimate:?}");
    let err = err(k1, estimate.kind);
    hold_kink(&format!("kl {what} {:?}", estimate.kind), k1, grad, keeps, other, err, value);
}

/// The slope of each kind without clamps, written out.
fn slope(kind: Kl, k1: f64) -> f64 {
    match kind {
        Kl::K1 => 1.0,
        Kl::Abs => k1.signum(),
        Kl::K2 => k1,
        // As the estimator rounds it: exp(−k1) is what is left of k3 when the rest is taken off.
        Kl::K3 => {
            kl_grad(&dmatrix![k1], &dmatrix![0.0], &Mask::full(1, 1), KlEstimate::plain(kind), KlGrad::Own)[0]
        }
    }
}

#[test]
fn at_a_clamp_a_tie_keeps_the_unclipped_branch() {
    for kind in KINDS {
        let plain = KlEstimate::plain(kind);
        for (k1, keeps) in [(0.75, Keeps::Left), (-0.75, Keeps::Right)] {
            let before = KlEstimate { clamp_in: 0.75, ..plain };
            at_kink("k1 at its clamp", k1, before, keeps, slope(kind, k1), 0.0);
            let after = KlEstimate { clamp_out: plain.of(k1).abs(), ..plain };
            at_kink("estimate at its clamp", k1, after, keeps, slope(kind, k1), 0.0);
        }
    }
}

/// |k1| has no slope at 0; the closed form takes 0, between −1 and 1.
#[test]
fn where_the_policies_agree_the_absolute_value_pulls_nowhere() {
    at_kink("k1 = 0", 0.0, KlEstimate::plain(Kl::Abs), Keeps::Zero, 0.0, 1.0);
}
