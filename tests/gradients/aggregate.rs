//! `eq:aggregate`: the weight of each token in every mode.

use crate::{
    differences::hold,
    inputs::{aggregate_err, modes, per_token, ragged, tokens, weight},
};
use conformance::cases::{MASKS, Rng, mask};
use reference::aggregate::{aggregate, aggregate_grad};

#[test]
fn the_weights_are_the_slope_of_every_mode() {
    let (mask, mut rng) = (ragged(), Rng::new(1));
    let x = per_token(&mask, |_| rng.normal());
    for agg in modes() {
        let err = aggregate_err(&mask, agg, |slot| x[slot].abs() + 1.0, |_| 0.0);
        let grad = aggregate_grad(&mask, agg);
        hold(&format!("aggregate {agg:?}"), &x, &grad, err, |x| aggregate(x, &mask, agg));
    }
}

/// The words of each mode, worked out per row, on every mask that has something to count.
#[test]
fn the_weights_are_what_the_modes_say() {
    for (text, reason) in MASKS {
        let mask = mask(text);
        if mask.count() == 0 {
            continue;
        }
        for agg in modes() {
            let grad = aggregate_grad(&mask, agg);
            for slot in tokens(&mask) {
                let (got, want) = (grad[slot], weight(&mask, agg, slot.0));
                // Two divisions against a product and a division.
                let allowed = 4.0 * crate::differences::U * want;
                assert!((got - want).abs() <= allowed, "{text} ({reason}), {agg:?}, {slot:?}: {got} {want}");
            }
        }
    }
}
