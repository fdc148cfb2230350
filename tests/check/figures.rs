//! Mistakes whose numbers were worked out by hand, elsewhere: no code of ours made them.

use crate::scene::{Scene, followed, named};

/// B34: r = [.1, −.2, .3], V = [.5, .4, −.1], V_T = 2, γ = .9, λ = 1. Right are [1.121, 1.29, 2.2].
#[test]
fn the_bootstrap_that_is_carried_and_in_delta() {
    let scene = Scene::default().row("rewards", &[0.1, -0.2, 0.3]).row("old_values", &[0.5, 0.4, -0.1]);
    let scene = scene.tensor("truncated", &[1], &[1.0]).tensor("last_values", &[1], &[2.0]);
    let scene = scene.says("gamma", "0.9").says("lam", "1.0");
    let right = scene.clone().row("advantages_raw", &[1.121, 1.29, 2.2]);
    assert!(!right.finding("advantages_raw").failed());
    let wrong = scene.row("advantages_raw", &[2.579, 2.91, 4.0]);
    assert_eq!(named(&wrong.finding("advantages_raw")), ["BootstrapTwice"]);
}

/// B2: m = 110, r = [0, 1, 0], V = [0, 0, 100], γ = 1, λ = .95. Right are [.95, 1].
#[test]
fn the_value_of_a_pad_read_by_gae() {
    let scene = Scene::default().row("response_mask", &[1.0, 1.0, 0.0]).row("rewards", &[0.0, 1.0, 0.0]);
    let scene = scene.row("old_values", &[0.0, 0.0, 100.0]).says("gamma", "1").says("lam", "0.95");
    let right = scene.clone().row("advantages_raw", &[0.95, 1.0, 0.0]);
    assert!(!right.finding("advantages_raw").failed());
    let wrong = scene.row("advantages_raw", &[5.7, 6.0, 0.0]).finding("advantages_raw");
    assert!(wrong.failed(), "{:?}: {wrong:?}", followed(&wrong));
    assert_eq!(followed(&wrong), [["listing = unmasked"]]);
}

/// S6: B = L = 2, scores [1, 2]: token rewards [[1, 2], [1, 2]] for [[0, 1], [0, 2]].
#[test]
fn a_score_that_was_broadcast_over_tokens() {
    let scene = Scene::default().tensor("scores", &[2], &[1.0, 2.0]).tensor("old_values", &[2, 2], &[0.0; 4]);
    let finding = scene.tensor("token_rewards", &[2, 2], &[1.0, 2.0, 1.0, 2.0]).finding("token_rewards");
    assert_eq!(named(&finding), ["ScoreBroadcast"]);
}

/// One token of the policy loss, A and ρ as said, ε = .2.
fn policy(adv: f64, ratio: f64) -> Scene {
    let scene = Scene::default().row("log_probs", &[ratio.ln()]).row("old_log_probs", &[0.0]);
    scene.row("advantages", &[adv]).says("cliprange", "0.2")
}

/// B66, B64 and B63, of figure G7.
#[test]
fn clips_of_the_ratio_that_are_wrong() {
    let of = |scene: Scene, name: &str, x: f64| named(&scene.tensor(name, &[], &[x]).finding(name));
    assert_eq!(
        of(policy(-1.0, 0.5), "pg_loss", 0.5),
        ["ClipToEpsilon", "ClipOfTheProduct", "MinimumOfLosses", "ClipForgotten"]
    );
    assert_eq!(of(policy(1.0, 5.0).says("clip_ratio_c", "3"), "pg_loss", -3.0), ["DualClipOfGoodTokens"]);
    // One token upside down is not beyond the bound either.
    let uncounted = of(policy(-1.0, 4.0).says("clip_ratio_c", "3"), "pg_clipfrac_lower", 0.0);
    assert!(uncounted.contains(&"DualClipNeverCounted"), "{uncounted:?}");
}

/// B54, row 1 of figure G5: V = .5, V_old = 0, R = 1, ε_v = .2. Right is .64.
#[test]
fn the_smaller_squared_error() {
    let scene = Scene::default().row("values", &[0.5]).row("old_values", &[0.0]).row("returns", &[1.0]);
    let scene = scene.says("cliprange_value", "0.2").says("value_clip_form", "max").says("vf_half", "false");
    assert!(!scene.clone().tensor("vf_loss", &[], &[0.64]).finding("vf_loss").failed());
    let finding = scene.tensor("vf_loss", &[], &[0.25]).finding("vf_loss");
    assert!(finding.failed());
    assert!(named(&finding).contains(&"SmallerError"), "{:?}", named(&finding));
}

/// Figure G1, row B: a gap that cuts credit and whose first slot is read, as open-instruct's packed rows have it.
#[test]
fn a_gap_whose_first_value_is_read() {
    let scene = Scene::default()
        .row("response_mask", &[1.0, 1.0, 0.0, 0.0, 1.0, 1.0])
        .row("rewards", &[-0.02, -0.01, 0.0, 0.0, 0.01, -0.54])
        .row("old_values", &[0.0, 0.5, 3.3, -2.2, 0.25, 0.75])
        .says("gamma", "0.9")
        .says("lam", "0.8");
    let adv = [0.49048, 0.084, -3.3, 2.2, -0.4938, -1.29];
    let finding = scene.row("advantages_raw", &adv).finding("advantages_raw");
    assert_eq!(named(&finding), ["cut-after-first-gap-token"], "{:?}", finding.fits);
    assert!(!finding.failed());
}

/// Figure G1, row A: V of the padding is read, 9.9 and −7.7.
#[test]
fn values_of_padding() {
    let scene = Scene::default()
        .row("response_mask", &[1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
        .row("rewards", &[-0.01, 0.02, -0.03, 0.995, 0.0, 0.0])
        .row("old_values", &[0.2, 0.1, 0.4, 0.3, 9.9, -7.7])
        .says("gamma", "0.9")
        .says("lam", "0.8");
    let by = |adv: &[f64]| scene.clone().row("advantages_raw", adv).finding("advantages_raw");
    // −.01 + .9 · .1 − .2 + .72 Â_1 and so on back from 0 − (−7.7).
    let wrong = back(&[-0.12, 0.28, -0.16, 9.605, -16.83, 7.7]);
    assert!((wrong[0] - 0.5507).abs() < 5e-5 && (wrong[3] - 1.4791).abs() < 5e-5, "{wrong:?}");
    assert_eq!(named(&by(&wrong)), ["PadValuesRead"]);
    let right = back(&[-0.12, 0.28, -0.16, 0.695]);
    assert!(!by(&[&right[..], &[0.0, 0.0]].concat()).failed());
}

/// The sum Σ .72ˡ δ of each token, from its δ.
fn back(delta: &[f64]) -> Vec<f64> {
    let mut adv = delta.to_vec();
    for t in (0..adv.len() - 1).rev() {
        adv[t] += 0.72 * adv[t + 1];
    }
    adv
}

/// Figure G4: rewards [0, 1] and [0, 0, 0, 3], V = 0, γ = 1, λ = .95. Whitened and masked again, row 0 has
/// [1.0110, .9419]; with what whitening makes of the pads, [1.2155, 1.1571].
#[test]
fn whitened_rewards_leak_from_padding() {
    let mask = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    let scene = Scene::default()
        .tensor("response_mask", &[2, 4], &mask)
        .tensor("rewards", &[2, 4], &[0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0])
        .tensor("old_values", &[2, 4], &[0.0; 8])
        .says("gamma", "1")
        .says("lam", "0.95");
    let (mean, scale) = (2.0 / 3.0, (22.0f64 / 15.0 + 1e-8).sqrt());
    let whitened = |r: f64| (r - mean) / scale + mean;
    let (zero, one, three) = (whitened(0.0), whitened(1.0), whitened(3.0));
    let row_1 = [three, zero + 0.95 * three, zero + 0.95 * (zero + 0.95 * three)];
    let row_1 = [zero + 0.95 * row_1[2], row_1[2], row_1[1], row_1[0]];
    let by = |row_0: [f64; 2]| {
        let adv = [row_0[0], row_0[1], 0.0, 0.0, row_1[0], row_1[1], row_1[2], row_1[3]];
        scene.clone().tensor("advantages_raw", &[2, 4], &adv).finding("advantages_raw")
    };
    let leaked = one + 0.95 * (zero + 0.95 * zero);
    assert!((leaked - 1.1571).abs() < 5e-5 && (zero + 0.95 * leaked - 1.2155).abs() < 5e-5);
    let leaking = by([zero + 0.95 * leaked, leaked]);
    assert!(leaking.failed());
    assert_eq!(named(&leaking), ["WhitenedPadsLeak"]);
    let masked = by([zero + 0.95 * one, one]);
    assert!(!masked.failed());
    assert_eq!(named(&masked), ["whitened-rewards"]);
}

/// B9: m = 1001, KL 1 everywhere, β = 1, γ = .9, λ = 1, V = 0: −3.439 for −1.9, which skips the gap.
#[test]
fn the_kl_of_a_gap_is_counted() {
    let scene = Scene::default()
        .row("response_mask", &[1.0, 0.0, 0.0, 1.0])
        .row("rewards", &[-1.0; 4])
        .row("old_values", &[0.0; 4])
        .says("gamma", "0.9")
        .says("lam", "1")
        .row("advantages_raw", &[-3.439, 0.0, 0.0, -1.0]);
    let finding = scene.finding("advantages_raw");
    assert!(named(&finding).contains(&"GapRewardsRead"), "{:?}", finding.fits);
}

/// B70: lengths 1 and 3, A = +1 and −1, one ρ: the loss is ρ (−1 + 3) / 4, and 0 by the mean of two means.
#[test]
fn the_mean_of_two_means() {
    let per_token = |x: [f64; 2]| [x[0], 0.0, 0.0, x[1], x[1], x[1]];
    let twice = |row: [f64; 6]| [row, row].concat();
    let scene = Scene::default()
        .tensor("response_mask", &[2, 3], &[1.0, 0.0, 0.0, 1.0, 1.0, 1.0])
        .tensor("advantages", &[2, 3], &per_token([1.0, -1.0]))
        .tensor("log_probs", &[2, 3], &[-1.9; 6])
        .tensor("old_log_probs", &[2, 3], &[-2.0; 6]);
    let right = 0.5 * 0.1f64.exp();
    assert!(!scene.clone().tensor("pg_loss", &[], &[right]).finding("pg_loss").failed());
    let claimed = scene.says("loss_agg_mode", "token-mean").tensor("pg_loss", &[], &[0.0]).finding("pg_loss");
    assert!(claimed.failed());
    let mode = vec!["loss_agg_mode = seq-mean-token-mean".to_owned()];
    assert!(followed(&claimed).contains(&mode), "{:?}", claimed.fits);
    // Two rows a micro-batch, of 2 and 6 tokens: no mode has that mean.
    let mask = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    let adv = [1.0, 0.0, 0.0, 1.5, 0.0, 0.0, -1.0, -2.0, -1.0, 0.5, -1.0, -1.0];
    let scene = Scene::default()
        .tensor("response_mask", &[4, 3], &mask)
        .tensor("advantages", &[4, 3], &adv)
        .tensor("log_probs", &[4, 3], &twice([0.0; 6]))
        .tensor("old_log_probs", &[4, 3], &twice([0.0; 6]));
    // (−2.5 / 2 + 5.5 / 6) / 2
    let finding = scene.tensor("pg_loss", &[], &[(-1.25 + 5.5 / 6.0) / 2.0]).finding("pg_loss");
    assert_eq!(named(&finding), ["MeanOfMeans"], "{:?}", finding.fits);
}

/// B46: rewards of a group, 1 and 1.00001, over √max(σ², 10⁻⁶): ± .005 for ± .62.
#[test]
fn a_variance_that_is_floored() {
    let scene = Scene::default().row("advantages_raw", &[1.0, 1.00001]).says("eps", "1e-6");
    let finding = scene.row("whitened", &[-0.005, 0.005]).finding("whitened");
    assert_eq!(followed(&finding), [["eps_at = var-floor"]], "{:?}", finding.fits);
}
