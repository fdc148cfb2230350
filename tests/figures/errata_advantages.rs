//! The errata of the post, rows S1 to S4 and S15 to S17: values, advantages, returns.
//!
//! S5 (critics are separate models in most trainers) is a matter of fact and has no test.

use crate::{
    fixtures::{every_slot, first_step, g1, g1_settings, listed, mean_of, one_row},
    printed::{exactly, exactly_row, printed, printed_row},
};
use nalgebra::{DMatrix, DVector, RowDVector, dmatrix};
use reference::{
    Ends, Gap, Listing, Mask, Settings, StateAt,
    gae::{gae, td_residual},
    step::{Rollout, rollout_phase},
    value_head::{response_states, value_head},
};

/// Twelve tokens of three rows. The values and then the scores are the first fifteen numbers of Python's
/// `random.Random(1).gauss(0, 1)`, to six digits: the inputs that give the row's three figures.
fn s1(scale: f64) -> Rollout {
    let v_old = dmatrix![1.288185, 1.449446, 0.066336, -0.764544;
                         -1.092173, 0.031335, -1.022103, -1.436829;
                         0.199312, 0.133375, 0.546468, -0.913971];
    every_slot(dmatrix![0.005005; -0.064742; -1.505829] * scale, v_old)
}

/// S1: under the printed listing mean R = mean V_old over all B·L slots, whatever the rewards; the right
/// returns are off by the mean of the raw advantages.
#[test]
fn the_printed_listing_cannot_move_the_mean_of_its_target() {
    let post = Settings::default();
    for (rollout, settings) in
        [(s1(1e-3), post), (s1(1.0), post), (s1(100.0), post), (g1(), post), (g1(), g1_settings())]
    {
        let printed = rollout_phase(&rollout, &listed(settings, Listing::AS_PRINTED));
        exactly(mean_of(&printed.ret), mean_of(&rollout.v_old));
    }
    for scale in [1e-3, 1.0, 100.0] {
        let (rollout, right) = (s1(scale), rollout_phase(&s1(scale), &Settings::default()));
        let moved = mean_of(&right.ret) - mean_of(&rollout.v_old);
        exactly(moved, mean_of(&right.adv_raw));
        assert!(moved.abs() > 0.05, "{moved}");
    }
}

/// S1: at the first inner step the printed L_V is (n − 1)/n · (σ/(σ + 1e-8))², n = 12: the same .916667
/// for rewards of any size, where the right one follows them.
#[test]
fn the_printed_value_loss_of_the_first_step_does_not_know_the_rewards() {
    for (scale, right) in [(1e-3, ".7959"), (1.0, "1.4055"), (100.0, "6531.6")] {
        let as_printed = listed(Settings::default(), Listing::AS_PRINTED);
        let (targets, losses) = first_step(&s1(scale), &as_printed);
        let sigma = targets.whitened.unwrap().1.sqrt();
        let shrunk = sigma / (sigma + 1e-8);
        printed(losses.value.loss, ".916667");
        exactly(losses.value.loss, 11.0 / 12.0 * shrunk * shrunk);

        let (_, losses) = first_step(&s1(scale), &Settings::default());
        printed(losses.value.loss, right);
    }
}

/// S1: a critic that is right to a millionth is pushed by noise of variance one. The ε of 1e-8 shows: σ
/// is (1e-6) √(12/11), so L_V is 11/12 · (1.0445/1.0545)².
#[test]
fn the_printed_listing_pushes_a_perfect_critic() {
    let scores = dmatrix![0.5; -1.0; 2.0];
    // γ = 1, λ = 0: A_t is V_{t+1} − V_t, and score − V at the end. Errors of 1e-6, summed from the end
    // backwards, make every raw advantage ±1e-6.
    let v_old = DMatrix::from_fn(3, 4, |row, t| {
        let signs = [1.0, -1.0, 1.0, -1.0];
        scores[(row, 0)] - 1e-6 * signs[t..].iter().sum::<f64>()
    });
    let (rollout, settings) = (every_slot(scores, v_old), Settings { lambda: 0.0, ..Settings::default() });
    let (targets, losses) = first_step(&rollout, &listed(settings, Listing::AS_PRINTED));
    targets.adv_raw.iter().for_each(|adv| assert!((adv.abs() - 1e-6).abs() < 1e-15, "{adv:e}"));
    printed(losses.value.loss, ".8994");
    printed(11.0 / 12.0 * (1.0445f64 / 1.0545).powi(2), ".8994");
    let (_, losses) = first_step(&rollout, &settings);
    printed(losses.value.loss, "1.0e-12");
}

/// S2: with 0-based tokens the sum ends at L − 1 − t. The printed limit L − t takes δ_L too, the slot past
/// the end: a fourth residual of 8 would come in as 8 · ½³, 8 · ½², 8 · ½.
#[test]
fn the_sum_of_the_advantage_ends_at_the_last_residual() {
    // V = 0, so δ = r; γλ = ½.
    let delta = [1.0, 0.0, 2.0];
    assert_eq!(one_row(&delta, &[0.0; 3], 0.0, 1.0, 0.5), [1.5, 1.0, 2.0]);

    let past_the_end = [1.0, 0.0, 2.0, 8.0];
    let literal = one_row(&past_the_end, &[0.0; 4], 0.0, 1.0, 0.5);
    assert_eq!(literal[..3], [2.5, 3.0, 6.0]);
    let (r, mask) = (DMatrix::from_row_slice(1, 4, &past_the_end), Mask::from_rows(&[[1, 1, 1, 0]]));
    let v = DMatrix::zeros(1, 4);
    let got = gae(&r, &v, &mask, &Ends::stop(1, 4), Gap::Skip, 1.0, &DVector::from_element(1, 0.5));
    assert_eq!(got, dmatrix![1.5, 1.0, 2.0, 0.0], "slot 3 is past the end of this row");
}

/// S3: V after the last token is a choice. "The advantage at the final token is R − V_t" only where it is
/// 0; a bootstrap of 2 adds γ · 2.
#[test]
fn the_last_advantage_is_score_minus_value_only_without_a_bootstrap() {
    let last_of_row_a = |v_last: f64| {
        let rollout = Rollout { ends: Ends::after(DVector::from_element(2, v_last), 6), ..g1() };
        rollout_phase(&rollout, &g1_settings()).adv_raw[(0, 3)]
    };
    exactly(last_of_row_a(0.0), 0.995 - 0.3);
    exactly(last_of_row_a(2.0), 0.995 - 0.3 + 0.9 * 2.0);
}

/// S4: V(x, y_<t) is read one position before token t, `[prompt − 1 : −1]`; the state after the token
/// gives V_{t+1}.
#[test]
fn the_value_of_a_token_is_read_before_it() {
    let (prompt, t_len) = (3, 4);
    // State p of the sequence is (p, 1), and W_v = (1, 10).
    let hidden = DMatrix::from_fn(prompt + t_len, 2, |p, d| if d == 0 { p as f64 } else { 1.0 });
    let v = |at| {
        let states = response_states(&hidden, prompt, t_len, at);
        value_head(&RowDVector::from_row_slice(&[1.0, 10.0]), &[states], &Mask::full(1, 4))
    };
    assert_eq!(v(StateAt::BeforeToken), dmatrix![12.0, 13.0, 14.0, 15.0]);
    assert_eq!(v(StateAt::AfterToken), dmatrix![13.0, 14.0, 15.0, 16.0]);
    // B10: each δ moves with it. r = 0, γ = ½: δ_t = V_{t+1}/2 − V_t, and −V_t at the end.
    let delta = |v: DMatrix<f64>| {
        td_residual(&DMatrix::zeros(1, 4), &v, &Mask::full(1, 4), &Ends::stop(1, 4), Gap::Skip, 0.5)
    };
    assert_eq!(delta(v(StateAt::BeforeToken)), dmatrix![-5.5, -6.0, -6.5, -15.0]);
    assert_eq!(delta(v(StateAt::AfterToken)), dmatrix![-6.0, -6.5, -7.0, -16.0]);
}

/// S15: interior residuals are not 0, so A_t is λ^{T−t} (R − V_t) only where V is constant along the row.
#[test]
fn the_advantage_is_the_decayed_error_only_for_a_constant_value() {
    // γ = 1, λ = ½, score 2: λ^{T−t} (R − V_t) with V = 1 is [¼, ½, 1].
    let r = [0.0, 0.0, 2.0];
    assert_eq!(one_row(&r, &[1.0; 3], 0.0, 1.0, 0.5), [0.25, 0.5, 1.0]);
    // V = [0, 4, 1]: the formula says [½, −1, 1]; δ = [4, −3, 1] says [4 − 1.5 + .25, −3 + .5, 1].
    assert_eq!(one_row(&r, &[0.0, 4.0, 1.0], 0.0, 1.0, 0.5), [2.75, -2.5, 1.0]);
    // λ = 1: no decay at all, A_t = R − V_t.
    assert_eq!(one_row(&r, &[0.0, 4.0, 1.0], 0.0, 1.0, 1.0), [2.0, -2.0, 1.0]);
}

/// S15: at λ = .95 the first of a thousand tokens sees .95^999 of the score.
#[test]
fn the_first_of_a_thousand_tokens_hardly_sees_the_score() {
    let mut r = [0.0; 1000];
    r[999] = 1.0;
    printed(one_row(&r, &[0.0; 1000], 0.0, 1.0, 0.95)[0], "5.6e-23");
    assert_eq!(one_row(&r, &[0.0; 1000], 0.0, 1.0, 1.0)[0], 1.0);
}

/// S16: at λ = 1 the Monte-Carlo return is A_t + V_t, not A_t; at another λ A_t + V_t is not it either.
#[test]
fn the_monte_carlo_return_is_the_advantage_plus_the_value() {
    // γ = .9: G_2 = .3, G_1 = −.2 + .27, G_0 = .1 + .063.
    let (r, v, monte_carlo) = ([0.1, -0.2, 0.3], [0.5, 0.4, -0.1], [0.163, 0.07, 0.3]);
    let adv = one_row(&r, &v, 0.0, 0.9, 1.0);
    exactly_row(&adv, &[0.163 - 0.5, 0.07 - 0.4, 0.3 + 0.1]);
    let lambda_return: Vec<f64> = one_row(&r, &v, 0.0, 0.9, 0.8).iter().zip(v).map(|(a, v)| a + v).collect();
    exactly(lambda_return[2], monte_carlo[2]);
    // R_1 = r_1 + γ ((1 − λ) V_2 + λ G_2) = −.2 + .9 (−.02 + .24).
    exactly(lambda_return[1], -0.2 + 0.9 * 0.22);
}

/// S17: nothing is broadcast. GAE gives a number per token, and in G1 all eight differ.
#[test]
fn every_token_has_an_advantage_of_its_own() {
    let got = rollout_phase(&g1(), &g1_settings());
    assert_eq!(got.adv.shape(), (2, 6));
    printed_row(got.adv_raw.row(0).iter(), ".2581 .5251 .3404 .6950 _ _");
    printed_row(got.adv_raw.row(1).iter(), "-.0312 -.6405 _ _ -.4938 -1.2900");
    let mut bits: Vec<u64> = got.adv.iter().filter(|adv| **adv != 0.0).map(|adv| adv.to_bits()).collect();
    bits.sort_unstable();
    bits.dedup();
    assert_eq!(bits.len(), 8);
}
