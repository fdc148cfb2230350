//! Estimators and slopes against their order, written down a second time.

use super::*;
use crate::{spec::clamp, testing::each_token};

const KINDS: [Kl; 4] = [Kl::K1, Kl::Abs, Kl::K2, Kl::K3];

/// ORDER.md 5.1 once more.
fn written(k1: f32, estimate: KlEstimate) -> f32 {
    let (clamp_in, clamp_out) = (estimate.clamp_in as f32, estimate.clamp_out as f32);
    let k1 = clamp(k1, -clamp_in, clamp_in);
    let k = match estimate.kind {
        Kl::K1 => k1,
        Kl::Abs => k1.abs(),
        Kl::K2 => k1 * k1 * 0.5,
        Kl::K3 => exp_full(-k1) - 1.0 + k1,
    };
    clamp(k, -clamp_out, clamp_out)
}

fn written_slope(k1: f32, estimate: KlEstimate) -> f32 {
    let inside = KlEstimate { clamp_out: f64::INFINITY, ..estimate };
    if k1.abs() > estimate.clamp_in as f32 || written(k1, inside).abs() > estimate.clamp_out as f32 {
        return 0.0;
    }
    match estimate.kind {
        _ if k1.is_nan() => k1,
        Kl::K1 => 1.0,
        Kl::Abs if k1 == 0.0 => 0.0,
        Kl::Abs => k1.signum(),
        Kl::K2 => k1,
        Kl::K3 => 1.0 - exp_full(-k1),
    }
}

fn estimates() -> impl Iterator<Item = KlEstimate> {
    let clamps = [(f64::INFINITY, f64::INFINITY), (0.4, f64::INFINITY), (1.0, 0.1), (20.0, 10.0)];
    let with = move |kind| clamps.map(|(clamp_in, clamp_out)| KlEstimate { kind, clamp_in, clamp_out });
    KINDS.into_iter().flat_map(with)
}

#[test]
fn every_estimator_with_every_clamp_follows_the_written_order() {
    for estimate in estimates() {
        each_token(
            "kl",
            |on, [logp, logp_ref, _], mask, out| kl(on, logp, logp_ref, mask, estimate, out),
            |[logp, logp_ref, _]| written(logp - logp_ref, estimate),
        );
    }
}

#[test]
fn every_slope_with_every_clamp_follows_the_written_order() {
    for estimate in estimates() {
        each_token(
            "kl",
            |on, [a, b, _], mask, out| kl_grad(on, a, b, mask, estimate, KlGrad::Own, out),
            |[logp, logp_ref, _]| written_slope(logp - logp_ref, estimate),
        );
    }
    let estimate = KlEstimate { kind: Kl::K3, clamp_in: 0.1, clamp_out: 0.1 };
    each_token(
        "kl",
        |on, [a, b, _], mask, out| kl_grad(on, a, b, mask, estimate, KlGrad::StraightThrough, out),
        |[logp, logp_ref, _]| logp - logp_ref,
    );
}

#[test]
fn a_slope_at_a_clamp_is_that_of_inside_and_beyond_it_zero() {
    let slope = |clamp_in, clamp_out, k1| {
        Estimate::new("kl", KlEstimate { kind: Kl::K2, clamp_in, clamp_out }).unwrap().token(k1).slope
    };
    let off = f64::INFINITY;
    assert_eq!((slope(0.5, off, 0.5), slope(0.5, off, 0.5000001)), (0.5, 0.0));
    assert_eq!((slope(off, 0.5, 1.0), slope(off, 0.5, 1.0000001)), (1.0, 0.0));
}

#[test]
fn a_clamp_that_rounds_to_zero_is_refused_by_the_function_that_was_called() {
    let (on, mask) = (Backend::best(), Mask::padded(&[true], 1, 1).unwrap());
    let estimate = KlEstimate { kind: Kl::K1, clamp_in: 1e-60, clamp_out: 1.0 };
    let says = kl(on, &[0.0], &[0.0], &mask, estimate, &mut [0.0]).unwrap_err().to_string();
    assert_eq!(says, "kl: `clamp_in` is 1e-60 and must be > 0 (in f32)");
    let says = kl_grad(on, &[0.0], &[0.0], &mask, estimate, KlGrad::Own, &mut [0.0]).unwrap_err();
    assert_eq!(says.to_string(), "kl_grad: `clamp_in` is 1e-60 and must be > 0 (in f32)");
}
