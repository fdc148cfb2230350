//! Each departure of the listing, set alone, changes some output, and the ones it should.

use crate::fixtures::every_slot;
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Ends, Kl, KlEstimate, Listing, Mask, Settings,
    step::{Losses, Now, Rollout, Targets, losses, rollout_phase},
};

/// As many rows as tokens, a pad, a reference model, and a critic and a policy that have moved.
fn outputs(listing: Listing) -> (Targets, Losses) {
    let rollout = Rollout {
        mask: Mask::from_rows(&[[1, 1], [1, 0]]),
        logp_old: dmatrix![-1.0, -2.0; -0.5, -3.0],
        logp_ref: Some(dmatrix![-1.5, -1.75; -0.75, -3.0]),
        ends: Ends::stop(2, 2),
        ..every_slot(dmatrix![1.0; -0.5], dmatrix![0.25, 0.5; -0.25, 4.0])
    };
    let now = Now {
        logp: dmatrix![-0.5, -2.125; -0.75, -2.0],
        ent: dmatrix![1.0, 0.5; 0.25, 2.0],
        v: dmatrix![0.75, 0.25; 0.25, 1.0],
    };
    let kl = KlEstimate::plain(Kl::K1);
    let settings =
        Settings { gamma: 0.9, lambda: 0.8, beta_kl: 0.1, kl, eps_v: 0.45, listing, ..Settings::default() };
    let targets = rollout_phase(&rollout, &settings);
    let losses = losses(&rollout, &targets, &now, &settings);
    (targets, losses)
}

/// The names of what differs from the corrected listing.
fn changes(listing: Listing) -> Vec<&'static str> {
    let ((want, want_losses), (got, got_losses)) = (outputs(Listing::CORRECTED), outputs(listing));
    let differ = |a: &DMatrix<f64>, b: &DMatrix<f64>| a != b;
    [
        ("mask", got.mask != want.mask),
        ("token_rewards", differ(&got.token_rewards, &want.token_rewards)),
        ("adv_raw", differ(&got.adv_raw, &want.adv_raw)),
        ("adv", differ(&got.adv, &want.adv)),
        ("ret", differ(&got.ret, &want.ret)),
        ("policy", got_losses.policy.loss != want_losses.policy.loss),
        ("value", got_losses.value.loss != want_losses.value.loss),
        ("ent", got_losses.ent != want_losses.ent),
        ("total", got_losses.total != want_losses.total),
        ("grad_ent", differ(&got_losses.grad_ent, &want_losses.grad_ent)),
    ]
    .into_iter()
    .filter_map(|(name, changed)| changed.then_some(name))
    .collect()
}

#[test]
fn returns_from_whitened_changes_the_critic_s_target() {
    let listing = Listing { returns_from_whitened: true, ..Listing::CORRECTED };
    assert_eq!(changes(listing), ["ret", "value", "total"]);
}

#[test]
fn unmasked_changes_everything() {
    let listing = Listing { unmasked: true, ..Listing::CORRECTED };
    let all =
        ["mask", "token_rewards", "adv_raw", "adv", "ret", "policy", "value", "ent", "total", "grad_ent"];
    assert_eq!(changes(listing), all);
}

#[test]
fn score_broadcast_changes_the_rewards_and_what_follows_from_them() {
    let listing = Listing { score_broadcast: true, ..Listing::CORRECTED };
    let follows = ["token_rewards", "adv_raw", "adv", "ret", "policy", "value", "total"];
    assert_eq!(changes(listing), follows);
}

#[test]
fn unshaped_reward_changes_the_rewards_and_what_follows_from_them() {
    let listing = Listing { unshaped_reward: true, ..Listing::CORRECTED };
    let follows = ["token_rewards", "adv_raw", "adv", "ret", "policy", "value", "total"];
    assert_eq!(changes(listing), follows);
}

#[test]
fn entropy_added_changes_the_total_and_its_gradient_in_the_entropy() {
    let listing = Listing { entropy_added: true, ..Listing::CORRECTED };
    assert_eq!(changes(listing), ["total", "grad_ent"]);
}

#[test]
fn shared_clip_radius_changes_the_value_loss() {
    let listing = Listing { shared_clip_radius: true, ..Listing::CORRECTED };
    assert_eq!(changes(listing), ["value", "total"]);
}

/// The patterns are exhaustive: a departure that is added does not compile until it has its test.
#[test]
fn the_page_departs_in_two_places_and_the_default_in_none() {
    assert_eq!(Settings::default().listing, Listing::CORRECTED);
    assert_eq!(Listing::default(), Listing::CORRECTED);
    let Listing {
        returns_from_whitened,
        unmasked,
        score_broadcast,
        unshaped_reward,
        entropy_added,
        shared_clip_radius,
    } = Listing::AS_PRINTED;
    assert!(returns_from_whitened && unmasked);
    assert!(!(score_broadcast || unshaped_reward || entropy_added || shared_clip_radius));
    assert!(changes(Listing::CORRECTED).is_empty());
}
