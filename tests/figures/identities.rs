//! What holds for any input: the limits of λ and ε, even logits, and the first inner step.

use crate::{
    fixtures::{SUM, first_step, g1, g1_adv, g1_settings, mean_over, one_row, post_clip},
    printed::{exactly, exactly_row},
};
use core::f64::consts::{LN_2, LN_10};
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Gap, Half, Kl, Mask, PolicyClip, Settings, ValueClip,
    entropy::{entropy, entropy_grad_row, entropy_row},
    log_prob::log_prob_row,
    policy_loss::policy_loss,
    step::rollout_phase,
    value_loss::{value_loss, value_loss_grad},
};

const R: [f64; 3] = [0.1, -0.2, 0.3];
const V: [f64; 3] = [0.5, 0.4, -0.1];
const V_LAST: f64 = 2.0;

/// δ = [.1 + .36 − .5, −.2 − .09 − .4, .3 + 1.8 + .1].
#[test]
fn lambda_zero_is_the_td_residual() {
    exactly_row(&one_row(&R, &V, V_LAST, 0.9, 0.0), &[-0.04, -0.69, 2.2]);
}

/// B34, rl-triton #4: with V after the end in δ already, a carry that starts with it counts it twice. The
/// oracle of its tests had the same bug, so this one is the discounted return by hand:
/// G = [.1 + .9 · 1.69, −.2 + .9 · 2.1, .3 + .9 · 2] = [1.621, 1.69, 2.1], and Â = G − V.
#[test]
fn lambda_one_is_the_discounted_return_minus_the_value() {
    let got = one_row(&R, &V, V_LAST, 0.9, 1.0);
    exactly_row(&got, &[1.621 - 0.5, 1.69 - 0.4, 2.1 + 0.1]);
    exactly_row(&got, &[1.121, 1.29, 2.2]);
    let seeded: Vec<f64> = got.iter().zip([0.729, 0.81, 0.9]).map(|(adv, decay)| adv + decay * 2.0).collect();
    exactly_row(&seeded, &[2.579, 2.91, 4.0]);
    for (got, bug) in got.iter().zip([2.579, 2.91, 4.0]) {
        assert!((got - bug).abs() > 1.0, "{got} is the figure of the bug");
    }
}

/// The value loss is a plain squared error once the range holds every value, and stays it up to ∞.
#[test]
fn a_value_clip_without_bound_is_the_squared_error() {
    let (v, v_old, ret) = (dmatrix![3.0, -1.0], dmatrix![0.0, 0.5], dmatrix![1.0, 1.0]);
    let mask = Mask::full(1, 2);
    for eps_v in [3.0, 1e6, f64::INFINITY] {
        for form in [ValueClip::Max, ValueClip::ClippedOnly, ValueClip::Off] {
            let got = value_loss(&v, &v_old, &ret, &mask, eps_v, form, SUM, Half::No);
            assert_eq!((got.loss, got.clip_frac), (4.0 + 4.0, 0.0), "{form:?} at {eps_v}");
            let grad = value_loss_grad(&v, &v_old, &ret, &mask, eps_v, form, SUM, Half::No);
            assert_eq!(grad, dmatrix![4.0, -4.0]);
        }
    }
}

/// The policy loss is the importance-weighted objective −ρ A once the range holds every ratio.
#[test]
fn a_policy_clip_without_bound_is_the_weighted_advantage() {
    let (logp, old) = (dmatrix![0.0, 4f64.ln(), 0.25f64.ln()], dmatrix![0.0, 0.0, 0.0]);
    let adv = dmatrix![1.0, 2.0, -8.0];
    for eps in [3.0, 1e6, f64::INFINITY] {
        let clip = PolicyClip { eps_lo: eps, eps_hi: eps, ..post_clip() };
        let got = policy_loss(&logp, &old, &adv, &Mask::full(1, 3), None, &clip, SUM);
        exactly(got.loss, -1.0 - 8.0 + 2.0);
        assert_eq!(got.clip_frac, 0.0);
    }
}

/// Even logits: −log π of any token and H are both ln vocab, at any temperature, and H has no slope.
#[test]
fn even_logits_have_entropy_ln_vocab() {
    for (vocab, ln_vocab) in [(2, LN_2), (10, LN_10), (1000, 3.0 * LN_10)] {
        for tau in [0.5, 1.0, 3.0] {
            let logits = vec![-7.25; vocab];
            let close = |got: f64| assert!((got - ln_vocab).abs() < 1e-12, "{got} for ln {vocab}");
            close(entropy_row(&logits, tau));
            close(-log_prob_row(&logits, vocab - 1, tau));
            let slope = entropy_grad_row(&logits, tau, 1.0);
            assert!(slope.iter().all(|slope| slope.abs() < 1e-12));
        }
    }
    let rows = [DMatrix::from_element(2, 4, 1.5)];
    let ent = entropy(&rows, &Mask::from_rows(&[[1, 0]]), 1.0);
    exactly_row(ent.iter(), &[2.0 * LN_2, 0.0]);
}

/// ρ ≡ 1, so nothing is clipped, every estimate of the KL is 0 and L_policy is −mean A = 0.
#[test]
fn at_the_first_inner_step_the_policy_loss_is_zero_and_nothing_is_clipped() {
    for kl_kind in [Kl::K1, Kl::Abs, Kl::K2, Kl::K3] {
        let clip = PolicyClip { kl_kind, c_dual: 3.0, ..post_clip() };
        let (targets, losses) = first_step(&g1(), &Settings { clip, ..g1_settings() });
        let policy = &losses.policy;
        assert!(policy.ratio.iter().zip(&targets.adv).all(|(rho, adv)| *rho == f64::from(*adv != 0.0)));
        assert_eq!((policy.clip_frac, policy.clip_frac_lower, policy.approx_kl), (0.0, 0.0, 0.0));
        exactly(policy.loss, 0.0);
        assert_eq!(losses.value.clip_frac, 0.0);
    }
    let (_, raw) = first_step(&g1(), &Settings { whitening: None, ..g1_settings() });
    assert!((raw.policy.loss - 0.079621).abs() <= 0.5e-6, "minus the mean of G2");
}

/// V = V_old and R − V_old = A, so L_V is the mean square of the raw advantages, and half of it with ½.
#[test]
fn at_the_first_inner_step_the_value_loss_is_the_mean_square_of_the_raw_advantages() {
    let adv = g1_adv(Gap::Skip);
    let mean_square = mean_over(&adv.map(|adv| adv * adv), &g1().mask);
    for (half, share) in [(Half::No, 1.0), (Half::Yes, 0.5)] {
        let (_, losses) = first_step(&g1(), &Settings { half, ..g1_settings() });
        exactly(losses.value.loss, share * mean_square);
    }
    // By G2's figures: σ² (population) + μ² = .401212 + .079621².
    assert!((mean_square - (0.401212 + 0.079621 * 0.079621)).abs() < 1e-6);
}

/// Σ (R − V_old) = Σ Â before whitening, in every convention of a gap (B62).
#[test]
fn the_returns_move_the_critic_s_level_by_the_mean_raw_advantage() {
    for gap in [Gap::Skip, Gap::Decay, Gap::Cut] {
        let got = rollout_phase(&g1(), &Settings { gap, ..g1_settings() });
        let mask = g1().mask;
        let moved = mean_over(&got.ret, &mask) - mean_over(&g1().v_old, &mask);
        exactly(moved, mean_over(&got.adv_raw, &mask));
        assert!(moved.abs() > 0.05, "{moved}");
    }
}

/// Mean 0 over valid tokens, and a mean square of (n − 1)/n.
#[test]
fn whitened_advantages_have_mean_zero_and_sample_variance_one() {
    let (adv, mask) = (rollout_phase(&g1(), &g1_settings()).adv, g1().mask);
    exactly(mean_over(&adv, &mask), 0.0);
    let mean_square = mean_over(&adv.map(|adv| adv * adv), &mask);
    // The post's ε of 1e-8 on a σ of .68 takes 3e-8 of it.
    assert!((mean_square - 7.0 / 8.0).abs() < 1e-7, "{mean_square}");
}
