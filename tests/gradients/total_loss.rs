//! `eq:kl-loss` in log π for every kind and mode, and `eq:total-loss` in each of its parts.
//!
//! Kinks: those of `kl.rs`. The total is linear.

use crate::{
    differences::{U, hold},
    inputs::{aggregate_err, modes, ragged},
    kl::{err, estimates, pair, size},
};
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Coefficients, Kl, KlEstimate, KlGrad,
    total_loss::{kl_loss, kl_loss_grad, total_loss},
};

#[test]
fn the_gradient_of_the_kl_loss_is_its_slope() {
    let mask = ragged();
    for (seed, estimate) in estimates().into_iter().enumerate() {
        let (logp, logp_ref) = pair(&mask, &estimate, 100 + seed as u64);
        let k1 = |slot| logp[slot] - logp_ref[slot];
        for agg in modes() {
            let bound = |kind| aggregate_err(&mask, agg, |s| size(k1(s), kind), |s| err(k1(s), kind));
            let own = kl_loss_grad(&logp, &logp_ref, &mask, estimate, KlGrad::Own, agg);
            let name = format!("kl_loss {estimate:?} {agg:?}");
            hold(&name, &logp, &own, bound(estimate.kind), |logp| {
                kl_loss(logp, &logp_ref, &mask, estimate, agg)
            });
            let through = kl_loss_grad(&logp, &logp_ref, &mask, estimate, KlGrad::StraightThrough, agg);
            hold(&format!("{name} straight through"), &logp, &through, bound(Kl::K2), |logp| {
                kl_loss(logp, &logp_ref, &mask, KlEstimate::plain(Kl::K2), agg)
            });
        }
    }
}

/// Its gradient in (L_policy, L_V, H, L_KL) is (1, c_V, −c_H, β_loss).
#[test]
fn the_total_has_its_coefficients_for_a_gradient() {
    let parts = dmatrix![0.5, 1.25, 0.75, -0.25];
    for (c_v, c_h, beta_loss) in [(0.5, 0.01, 0.1), (0.0, 0.0, 0.0), (0.25, -0.01, 0.0)] {
        let c = Coefficients { c_v, c_h, beta_loss };
        let total = |x: &DMatrix<f64>| total_loss(x[0], x[1], x[2], x[3], c);
        // Three products, three sums, of parts that are together under 3.
        let err = 6.0 * U * 3.0;
        hold(&format!("total_loss {c:?}"), &parts, &dmatrix![1.0, c_v, -c_h, beta_loss], err, total);
    }
}
