//! `eq:entropy` in the logits. No kinks.

use crate::{
    differences::{U, hold_each},
    inputs::{entropy_err, per_row, per_token, ragged, tokens},
    log_prob::{forbid_one, row, weighted},
};
use conformance::cases::Rng;
use reference::entropy::{entropy, entropy_grad};

#[test]
fn the_gradient_is_the_slope_at_every_temperature() {
    let mask = ragged();
    for (vocab, tau, forbidden) in [(2, 1.0, false), (3, 0.5, false), (7, 0.7, true), (7, 2.0, false)] {
        let mut rng = Rng::new(10 + vocab as u64);
        let mut logits = per_row(&mask, vocab, &mut rng, 2.0);
        let (b, t_len) = mask.shape();
        if forbidden {
            forbid_one(&mut logits, &rng.ids(b, t_len, vocab), &mask);
        }
        let g = per_token(&mask, |_| rng.normal());
        let err: f64 = tokens(&mask)
            .into_iter()
            .map(|slot| {
                let z = row(&logits[slot.0], slot.1);
                let sum = (mask.count() + 1) as f64 * U * (vocab as f64).ln();
                g[slot].abs() * (entropy_err(&z, tau) + sum)
            })
            .sum();
        let grad = entropy_grad(&logits, &mask, tau, &g);
        let name = format!("entropy vocab {vocab} τ = {tau} −∞ {forbidden}");
        hold_each(&name, &logits, &grad, err, |z| weighted(&g, &entropy(z, &mask, tau), &mask));
    }
}

/// With one token to choose from there is nothing to decide, and nothing to pull.
#[test]
fn one_possible_token_has_no_slope() {
    let (mask, mut rng) = (ragged(), Rng::new(3));
    let logits = per_row(&mask, 1, &mut rng, 2.0);
    let g = per_token(&mask, |_| 1.0);
    for grad in entropy_grad(&logits, &mask, 0.7, &g) {
        assert!(grad.iter().all(|g| *g == 0.0), "{grad}");
    }
}
