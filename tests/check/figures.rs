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
        ["ClipToEpsilon", "ClipOfTheProduct", "MinimumOfLosses"]
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
