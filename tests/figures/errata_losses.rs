//! The errata of the post, rows S10 and S12 to S14: the losses and what their clips do not do.
//!
//! S11 (which c_H is usual) is a matter of fact and has no test.

use crate::{
    fixtures::{SUM, every_slot, g1, g1_settings, listed, post_clip},
    printed::exactly,
};
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Agg, Coefficients, Half, Listing, Mask, PolicyClip, Settings, ValueClip,
    entropy::entropy_row,
    policy_loss::{policy_loss, policy_loss_grad},
    step::{Heads, Losses, Now, Rollout, logits_grad, losses, rollout_phase, say},
    total_loss::total_loss,
    value_loss::{value_loss, value_loss_grad},
};

/// The change of the summed entropy after one step of descent on the logits, advantages all 0.
fn entropy_after_a_step(listing: Listing) -> f64 {
    let rollout = every_slot(dmatrix![0.0], dmatrix![0.0, 0.0]);
    let settings = Settings { whitening: None, ..listed(Settings::default(), listing) };
    let logits = [dmatrix![1.0, 0.0, -2.0; 0.5, 0.25, 3.0]];
    let actions = dmatrix![0, 2];
    let targets = rollout_phase(&rollout, &settings);
    assert_eq!(targets.adv, dmatrix![0.0, 0.0]);
    let heads = Heads { logits: logits.to_vec(), v: rollout.v_old.clone() };
    let now = say(&heads, &actions, &rollout.mask, &settings);
    let losses = losses(&rollout, &targets, &now, &settings);
    let grad = logits_grad(&logits, &actions, &targets, &losses, &settings);
    let stepped = &logits[0] - &grad[0] * 0.5;
    let ent = |logits: &DMatrix<f64>| -> f64 {
        (0..2).map(|t| entropy_row(&logits.row(t).iter().copied().collect::<Vec<_>>(), 1.0)).sum()
    };
    ent(&stepped) - ent(&logits[0])
}

/// S10: in a loss that is minimised the bonus is −c_H H. With + a step of descent lowers the entropy.
#[test]
fn a_step_of_descent_raises_the_entropy() {
    let added = Listing { entropy_added: true, ..Listing::CORRECTED };
    assert!(entropy_after_a_step(Listing::CORRECTED) > 1e-5);
    assert!(entropy_after_a_step(added) < -1e-5);
}

/// S10: so with nothing else in it the loss is −c_H H, below 0, and the parenthesis of the post makes it +.
#[test]
fn the_total_loss_falls_as_the_entropy_rises() {
    let added = Listing { entropy_added: true, ..Listing::CORRECTED };
    for (listing, sign) in [(Listing::CORRECTED, -1.0), (added, 1.0)] {
        let settings = Settings { whitening: None, ..listed(Settings::default(), listing) };
        let rollout = every_slot(dmatrix![0.0], dmatrix![0.0, 0.0]);
        let now = Now { logp: rollout.logp_old.clone(), ent: dmatrix![1.5, 0.5], v: rollout.v_old.clone() };
        let got = losses(&rollout, &rollout_phase(&rollout, &settings), &now, &settings);
        exactly(got.total, sign * 0.01 * 1.0);
    }
}

/// S12: only the product of ½ and c_V can be compared. Post and SB3 have .5 of the mean squared error,
/// CleanRL .25, TRL .05, NeMo-RL .2 (a scale of .4), PufferLib 1.
#[test]
fn only_the_product_of_the_half_and_its_coefficient_says_what_a_critic_gets() {
    // Errors 1 and 3, inside the clip: mean square 5, gradient 2 · err / 2 of it.
    let (v, ret, mask) = (dmatrix![0.0, 0.0], dmatrix![1.0, -3.0], Mask::full(1, 2));
    for (half, c_v, effective) in [
        (Half::No, 0.5, 0.5),
        (Half::Yes, 0.5, 0.25),
        (Half::Yes, 0.1, 0.05),
        (Half::Yes, 0.4, 0.2),
        (Half::Yes, 2.0, 1.0),
    ] {
        let form = ValueClip::Max;
        let l_v = value_loss(&v, &v, &ret, &mask, 0.2, form, Agg::TokenMean, half).loss;
        let grad = value_loss_grad(&v, &v, &ret, &mask, 0.2, form, Agg::TokenMean, half) * c_v;
        exactly(
            total_loss(0.0, l_v, 0.0, 0.0, Coefficients { c_v, c_h: 0.0, beta_loss: 0.0 }),
            effective * 5.0,
        );
        exactly(grad[0], -effective);
        exactly(grad[1], effective * 3.0);
    }
    let post = Settings::default();
    exactly(post.half.factor() * post.coefficients.c_v, 0.5);
}

/// G1 with rewards, old values and new values multiplied by k; β too, since it turns nats into reward.
fn in_units_of(k: f64, eps_v: f64, listing: Listing) -> Losses {
    let rollout = Rollout { scores: g1().scores * k, v_old: g1().v_old * k, ..g1() };
    let settings = listed(Settings { eps_v, beta_kl: 0.125 * k, ..g1_settings() }, listing);
    let now = Now {
        logp: rollout.logp_old.clone(),
        ent: DMatrix::zeros(2, 6),
        // Drifts of −.75 to .5, so that some tokens are clipped and some are not.
        v: (g1().v_old + DMatrix::from_fn(2, 6, |row, t| 0.25 * ((row + 2 * t) % 6) as f64 - 0.75)) * k,
    };
    losses(&rollout, &rollout_phase(&rollout, &settings), &now, &settings)
}

/// S13: ε_v is in units of the return. Everything in another unit, ε_v too: L_V is k² times as large and
/// the same tokens are clipped. k is a power of 2, so both are exact.
#[test]
fn the_value_loss_scales_with_the_square_of_the_unit() {
    let (one, four) = (in_units_of(1.0, 0.2, Listing::CORRECTED), in_units_of(4.0, 0.8, Listing::CORRECTED));
    assert!(one.value.clip_frac > 0.0 && one.value.clip_frac < 1.0);
    assert_eq!(four.value.loss, 16.0 * one.value.loss);
    assert_eq!(four.value.clip_frac, one.value.clip_frac);
    assert_eq!(four.value.per_token, one.value.per_token * 16.0);
}

/// S13: with ε_v left alone neither holds.
#[test]
fn a_radius_that_does_not_follow_the_unit_changes_what_is_clipped() {
    let (one, left) = (in_units_of(1.0, 0.4, Listing::CORRECTED), in_units_of(4.0, 0.4, Listing::CORRECTED));
    assert_ne!(left.value.loss, 16.0 * one.value.loss);
    assert_ne!(left.value.clip_frac, one.value.clip_frac);
}

/// S13: "the same clip radius" is the ratio's .2, whatever ε_v is set to.
#[test]
fn a_shared_radius_ignores_the_value_s_own() {
    let shared = Listing { shared_clip_radius: true, ..Listing::CORRECTED };
    let alone = in_units_of(4.0, 0.2, Listing::CORRECTED);
    for eps_v in [0.1, 0.8, f64::INFINITY] {
        assert_eq!(in_units_of(4.0, eps_v, shared).value, alone.value);
        assert_ne!(in_units_of(4.0, eps_v, Listing::CORRECTED).value, alone.value);
    }
}

/// ∂L_V/∂V of one token with V_old = 0, R = 1, ε_v = .2.
fn value_slope(v: f64) -> f64 {
    let (v, zero, one) = (dmatrix![v], dmatrix![0.0], dmatrix![1.0]);
    value_loss_grad(&v, &zero, &one, &Mask::full(1, 1), 0.2, ValueClip::Max, SUM, Half::No)[0]
}

/// S14: the clip is no bound on V. It takes the gradient away past the bound on R's side only (G5 row 1);
/// on the other it stays whole (G5 row 2), and one large step from inside leaps over the bound.
#[test]
fn the_value_clip_does_not_bound_the_drift() {
    exactly(value_slope(0.5), 0.0);
    exactly(value_slope(-0.5), -3.0);
    exactly(value_slope(-100.0), -202.0);
    let after_one_step = 0.1 - 1.0 * value_slope(0.1);
    exactly(after_one_step, 1.9);
    assert!(after_one_step > 0.2);
}

/// S14: nor is the ratio bounded where A < 0: loss and gradient grow with it, until a dual clip.
#[test]
fn the_ratio_is_not_bounded_for_a_bad_token() {
    let (old, adv, mask) = (dmatrix![0.0], dmatrix![-1.0], Mask::full(1, 1));
    let dual = PolicyClip { c_dual: 3.0, ..post_clip() };
    for ratio in [4.0f64, 1e3, 1e6] {
        let logp = dmatrix![ratio.ln()];
        let loss = |clip| policy_loss(&logp, &old, &adv, &mask, None, &clip, SUM).loss;
        let grad = |clip| policy_loss_grad(&logp, &old, &adv, &mask, None, &clip, SUM)[0];
        assert!((loss(post_clip()) / ratio - 1.0).abs() < 1e-14);
        assert!((grad(post_clip()) / ratio - 1.0).abs() < 1e-14);
        assert_eq!((loss(dual), grad(dual)), (3.0, 0.0));
    }
}
