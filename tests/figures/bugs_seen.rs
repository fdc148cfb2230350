//! Bugs that real trainers had, each by the smallest input that shows it and the number it gave.
//!
//! Those that concern kernels, partitions or configuration have their tests in the other suites.

use crate::{
    fixtures::{plain_whitening, post_clip},
    printed::{exactly, exactly_row, printed, printed_row},
};
use nalgebra::{DMatrix, DVector, dmatrix};
use reference::{
    Agg, CountRows, DoneAt, Ends, EpsAt, Gap, Mask, PolicyClip, Variance, Whitening, dones_of_transitions,
    gae::{gae, td_residual},
    policy_loss::policy_loss,
    reward::reward,
    whiten::whiten,
};

/// B2, ROLL #447: a value of 100 in the pad. With it δ_1 is 101 and δ_2 −100, so 101 − 95 = 6 and 5.7.
#[test]
fn a_value_in_padding_changes_no_advantage() {
    let (r, v, mask) = (dmatrix![0.0, 1.0, 0.0], dmatrix![0.0, 0.0, 100.0], Mask::from_rows(&[[1, 1, 0]]));
    let of = |mask| gae(&r, &v, mask, &Ends::stop(1, 3), Gap::Skip, 1.0, &DVector::from_element(1, 0.95));
    exactly_row(of(&mask).iter(), &[0.95, 1.0, 0.0]);
    printed_row(of(&Mask::full(1, 3)).iter().take(2), "5.70 6.0");
}

/// B9, slime #1370: KL of a tool's tokens kept in the return. Two tokens with a gap of two between, KL 1
/// each, β = 1, γ = .9: −1 − .9³ = −1.729, and not −1 − .9 − .81 − .729 = −3.439.
#[test]
fn the_kl_of_a_tool_s_tokens_is_not_paid() {
    let (placed, kl) = (DMatrix::zeros(1, 4), DMatrix::from_element(1, 4, 1.0));
    let first = |mask: &Mask| {
        let r = reward(&placed, Some(&kl), 1.0, mask);
        let lambda = DVector::from_element(1, 1.0);
        gae(&r, &DMatrix::zeros(1, 4), mask, &Ends::stop(1, 4), Gap::Decay, 0.9, &lambda)[0]
    };
    exactly(first(&Mask::from_rows(&[[1, 0, 0, 1]])), -1.729);
    exactly(first(&Mask::full(1, 4)), -3.439);
}

/// B24, RoboVerse #814: an episode of reward 1 and value 5 ends at t = 1, and the next starts in a state
/// worth 100. γ = .99: δ_1 = 1 − 5 = −4. A flag that stands one slot late pays 1 + 99 − 5 = 95 for ending.
#[test]
fn ending_an_episode_pays_no_bonus() {
    let (r, v) = (dmatrix![1.0, 1.0, 1.0], dmatrix![5.0, 5.0, 100.0]);
    let delta = |terminated: DMatrix<bool>| {
        let ends = Ends { terminated, ..Ends::stop(1, 3) };
        td_residual(&r, &v, &Mask::full(1, 3), &ends, Gap::Skip, 0.99)[1]
    };
    exactly(delta(dmatrix![false, true, false]), -4.0);
    exactly(delta(dmatrix![false, false, true]), 95.0);
    // The flag that is one slot late is right in the other convention, where it says what starts.
    let starts = dmatrix![false, false, true];
    let last = DVector::from_element(1, false);
    exactly(delta(dones_of_transitions(&starts, &last, DoneAt::NextStart, &Mask::full(1, 3))), -4.0);
}

/// B24: nor does anything of the next episode reach back over the end.
#[test]
fn no_credit_passes_over_the_end_of_an_episode() {
    let v = dmatrix![5.0, 5.0, 100.0];
    let ends = Ends { terminated: dmatrix![false, true, false], ..Ends::stop(1, 3) };
    let adv = |last_reward: f64| {
        let r = dmatrix![1.0, 1.0, last_reward];
        gae(&r, &v, &Mask::full(1, 3), &ends, Gap::Skip, 0.99, &DVector::from_element(1, 0.8))
    };
    exactly(adv(1.0)[1], -4.0);
    exactly_row(adv(1e6).iter().take(2), &[1.0 + 0.99 * 5.0 - 5.0 - 0.99 * 0.8 * 4.0, -4.0]);
}

/// B45, NeMo #4158: 10000, 10000.01, … 10000.07. The variance is 1e-4 · (8² − 1)/12 = 5.25e-4; one pass,
/// E[x²] − mean², gives 0 in f32 and loses nine digits in f64.
#[test]
fn the_variance_of_large_near_values_does_not_cancel() {
    let x = DMatrix::from_fn(1, 8, |_, t| 1e4 + 0.01 * t as f64);
    let got = whiten(&x, &Mask::full(1, 8), plain_whitening(Variance::Population));
    printed(got.var, "5.3e-4");
    // Each x is off by at most 2⁻⁴¹, half an ulp of 1e4, on deviations of at most .035.
    assert!((got.var - 5.25e-4).abs() < 4.0 * 0.035 / 2f64.powi(41), "{:e}", got.var);
    let one_pass = x.iter().map(|x| (*x as f32) * (*x as f32)).sum::<f32>() / 8.0
        - (x.iter().map(|x| *x as f32).sum::<f32>() / 8.0).powi(2);
    assert_eq!(one_pass, 0.0);
}

/// B46, verl #6348: rewards 1 and 1.00001, as f32 has it 1.0013e-5 above 1; ε = 1e-6. Beside the standard
/// deviation of 7.08e-6 the ε is small: 5.007e-6 / 8.08e-6 = .6196. As a floor under the variance it is
/// √1e-6 = 1e-3: .005.
#[test]
fn an_epsilon_beside_the_standard_deviation_is_no_floor_under_the_variance() {
    let x = dmatrix![1.0, f64::from(1.00001f32)];
    let of = |eps_at| {
        let how = Whitening { eps_at, eps_w: 1e-6, ..plain_whitening(Variance::Sample) };
        whiten(&x, &Mask::full(1, 2), how).adv
    };
    printed_row(of(EpsAt::Std).iter(), "-.6196 .6196");
    printed_row(of(EpsAt::VarFloor).iter(), "-.005 .005");
}

/// B70, twinkle #292: rows of 1 and 3 tokens, A = +1 and −1, ρ = 1. Over tokens (−1 + 3)/4 = .5; a mean of
/// row means, or of micro-batches of a row each, is (−1 + 1)/2 = 0.
#[test]
fn a_mean_of_means_is_not_the_mean_over_tokens() {
    let (logp, adv) = (DMatrix::zeros(2, 3), dmatrix![1.0, 0.0, 0.0; -1.0, -1.0, -1.0]);
    let mask = Mask::from_rows(&[[1, 0, 0], [1, 1, 1]]);
    let of = |agg| policy_loss(&logp, &logp, &adv, &mask, None, &post_clip(), agg).loss;
    assert_eq!(of(Agg::TokenMean), 0.5);
    assert_eq!(of(Agg::SeqMeanTokenMean { rows: CountRows::WithTokens }), 0.0);
}

/// B63, verl #972: the share of tokens at the dual clip compared the loss after it with its bound, and was
/// always 0. A = −1, ρ = 4, c = 3.
#[test]
fn the_share_of_dual_clipped_tokens_is_taken_before_the_clip() {
    let clip = PolicyClip { c_dual: 3.0, ..post_clip() };
    let (logp, old, adv) = (dmatrix![4f64.ln(), 0.0], dmatrix![0.0, 0.0], dmatrix![-1.0, -1.0]);
    let got = policy_loss(&logp, &old, &adv, &Mask::full(1, 2), None, &clip, Agg::TokenMean);
    assert_eq!(got.clip_frac_lower, 0.5);
    exactly(got.loss, (3.0 + 1.0) / 2.0);
}
