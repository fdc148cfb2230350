//! G3: the post's bug in one number. The mean of the critic's target is its own mean.

use crate::{
    fixtures::{g1, g1_settings, listed, mean_of, mean_over},
    printed::{exactly, printed},
};
use reference::{Listing, step::rollout_phase};

const FROM_WHITENED: Listing = Listing { returns_from_whitened: true, ..Listing::CORRECTED };

/// V's mean is (.2 + .1 + .4 + .3 + 0 + .5 + .25 + .75) / 8 = 2.5 / 8.
#[test]
fn the_mean_of_the_values_is_not_the_mean_of_the_returns() {
    let (rollout, got) = (g1(), rollout_phase(&g1(), &g1_settings()));
    printed(mean_over(&rollout.v_old, &rollout.mask), ".312500");
    printed(mean_over(&got.ret, &rollout.mask), ".232879");
}

#[test]
fn returns_from_whitened_advantages_have_the_mean_of_the_values_exactly() {
    let (rollout, got) = (g1(), rollout_phase(&g1(), &listed(g1_settings(), FROM_WHITENED)));
    printed(mean_over(&got.ret, &rollout.mask), ".312500");
    exactly(mean_over(&got.ret, &rollout.mask), 2.5 / 8.0);
}

/// Under the listing as printed the identity is one of all B·L slots, and the mean over valid ones moves.
#[test]
fn under_the_printed_listing_only_the_mean_over_every_slot_stays() {
    let (rollout, got) = (g1(), rollout_phase(&g1(), &listed(g1_settings(), Listing::AS_PRINTED)));
    exactly(mean_of(&got.ret), mean_of(&rollout.v_old));
    let moved = mean_over(&got.ret, &rollout.mask) - 2.5 / 8.0;
    assert!(moved.abs() > 0.01, "{moved}");
}
