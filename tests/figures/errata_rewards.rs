//! The errata of the post, rows S6 to S9: what a token is paid, the missing mask, and what unit variance is.

use crate::{
    fixtures::{every_slot, g1, g1_adv, g1_settings, listed, mean_of, plain_whitening},
    printed::{exactly, exactly_row, printed},
};
use nalgebra::{DMatrix, dmatrix};
use reference::{Gap, Listing, Mask, Settings, Variance, step::rollout_phase, whiten::whiten};

const BROADCAST: Listing = Listing { score_broadcast: true, ..Listing::CORRECTED };

/// S6: (B,) scores against (B, L) values broadcast along the tokens where B = L, silently. γ = λ = 1.
#[test]
fn scores_without_a_token_axis_pay_the_wrong_tokens() {
    let rollout = every_slot(dmatrix![1.0; 2.0], DMatrix::zeros(2, 2));
    let settings = Settings { lambda: 1.0, ..Settings::default() };
    let wrong = rollout_phase(&rollout, &listed(settings, BROADCAST));
    assert_eq!(wrong.adv_raw, dmatrix![3.0, 2.0; 3.0, 2.0]);
    assert_eq!(rollout_phase(&rollout, &settings).adv_raw, dmatrix![1.0, 1.0; 2.0, 2.0]);
}

/// S6: where B ≠ L torch raises, and so does the step.
#[test]
#[should_panic(expected = "step: `score_broadcast` needs one score per sequence and b = t_len, not 2 × 1 \
                           scores for b = 2, t_len = 6")]
fn scores_without_a_token_axis_are_refused_where_rows_are_not_as_many_as_tokens() {
    rollout_phase(&g1(), &listed(g1_settings(), BROADCAST));
}

/// S7: "zero everywhere except the final token" is the reward without its shape; as soon as β > 0 every
/// token has one.
#[test]
fn a_shaped_reward_is_not_zero_before_the_end() {
    let unshaped = Listing { unshaped_reward: true, ..Listing::CORRECTED };
    let shaped = rollout_phase(&g1(), &g1_settings()).token_rewards;
    exactly_row(shaped.row(0).iter(), &[-0.01, 0.02, -0.03, 0.995, 0.0, 0.0]);
    let got = rollout_phase(&g1(), &listed(g1_settings(), unshaped)).token_rewards;
    assert_eq!(got, dmatrix![0.0, 0.0, 0.0, 1.0, 0.0, 0.0; 0.0, 0.0, 0.0, 0.0, 0.0, -0.5]);
}

/// S8: no mask anywhere. Statistics count padding (verl's carry in it: −.1354 for −.0796), and values in
/// padding reach real tokens.
#[test]
fn without_a_mask_padding_is_counted() {
    let mut adv = g1_adv(Gap::Skip);
    printed(whiten(&adv, &g1().mask, plain_whitening(Variance::Sample)).mean, "-.0796");
    (adv[(1, 2)], adv[(1, 3)]) = (adv[(1, 4)], adv[(1, 4)]);
    printed(whiten(&adv, &Mask::full(2, 6), plain_whitening(Variance::Sample)).mean, "-.1354");

    let unmasked = listed(g1_settings(), Listing { unmasked: true, ..Listing::CORRECTED });
    let with_pad = |v: f64| {
        let mut rollout = g1();
        (rollout.v_old[(0, 4)], rollout.v_old[(0, 5)]) = (v, 0.0);
        rollout
    };
    let first = |rollout, settings| rollout_phase(&rollout, settings).adv_raw[(0, 0)];
    // V = v in the first pad alone adds γ v to δ_3 and takes v from δ_4: (γλ)³ (γ − γλ) v at token 0.
    let moved = first(with_pad(100.0), &unmasked) - first(with_pad(0.0), &unmasked);
    exactly(moved, 0.72 * 0.72 * 0.72 * (0.9 - 0.72) * 100.0);
    assert_eq!(first(with_pad(100.0), &g1_settings()), first(with_pad(0.0), &g1_settings()));
}

/// S9: torch's `std` divides by n − 1, so it is the sample variance that becomes 1: the result is √((n−1)/n)
/// of what the population's gives.
#[test]
fn unit_variance_means_the_sample_variance() {
    let factor = |n: usize| {
        let x = DMatrix::from_fn(1, n, |_, t| ((t * 37) % 101) as f64);
        let [sample, population] = [Variance::Sample, Variance::Population]
            .map(|variance| whiten(&x, &Mask::full(1, n), plain_whitening(variance)).adv);
        let mean_square = mean_of(&sample.component_mul(&sample));
        assert!((mean_square - (n - 1) as f64 / n as f64).abs() < 1e-9, "{mean_square}");
        sample[0] / population[0]
    };
    printed(factor(4), ".866");
    printed(factor(256), ".998");
    printed(1.0 - factor(65536), "8e-6");
}

/// S9: one token has no sample variance, and torch gives NaN; with its ε the post's code does too.
#[test]
fn one_token_cannot_be_whitened_by_the_sample_variance() {
    let rollout = every_slot(dmatrix![1.0], dmatrix![0.25]);
    assert!(rollout_phase(&rollout, &Settings::default()).adv[0].is_nan());
}
