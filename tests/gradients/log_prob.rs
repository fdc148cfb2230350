//! `eq:log-prob` in the logits. No kinks: the maximum that is subtracted cancels.

use crate::{
    differences::{U, hold_each},
    inputs::{log_softmax_err, per_row, per_token, ragged, tokens},
};
use conformance::cases::Rng;
use nalgebra::DMatrix;
use reference::{
    Mask,
    log_prob::{log_prob, log_prob_grad},
};

/// Σ g x over the valid tokens.
pub(crate) fn weighted(g: &DMatrix<f64>, x: &DMatrix<f64>, mask: &Mask) -> f64 {
    tokens(mask).into_iter().map(|slot| g[slot] * x[slot]).sum()
}

/// Row t of a matrix.
pub(crate) fn row(x: &DMatrix<f64>, t: usize) -> Vec<f64> {
    x.row(t).iter().copied().collect()
}

#[test]
fn the_gradient_is_the_slope_at_every_temperature() {
    let mask = ragged();
    for (vocab, tau, forbidden) in [(1, 1.0, false), (2, 0.5, false), (7, 0.7, true), (7, 2.0, false)] {
        let mut rng = Rng::new(vocab as u64);
        let mut logits = per_row(&mask, vocab, &mut rng, 2.0);
        let (b, t_len) = mask.shape();
        let actions = rng.ids(b, t_len, vocab);
        if forbidden {
            forbid_one(&mut logits, &actions, &mask);
        }
        let g = per_token(&mask, |_| rng.normal());
        let err: f64 = tokens(&mask)
            .into_iter()
            .map(|slot| {
                let z = row(&logits[slot.0], slot.1);
                let size =
                    z.iter().filter(|z| z.is_finite()).fold(0.0, |s: f64, z| s.max(2.0 * z.abs() / tau));
                let size = size + (vocab as f64).ln() + 1.0;
                g[slot].abs() * (log_softmax_err(&z, tau) + (mask.count() + 1) as f64 * U * size)
            })
            .sum();
        let grad = log_prob_grad(&logits, &actions, &mask, tau, &g);
        let name = format!("log_prob vocab {vocab} τ = {tau} −∞ {forbidden}");
        hold_each(&name, &logits, &grad, err, |z| weighted(&g, &log_prob(z, &actions, &mask, tau), &mask));
    }
}

/// One logit of every valid row to −∞, never the sampled one.
pub(crate) fn forbid_one(logits: &mut [DMatrix<f64>], actions: &DMatrix<usize>, mask: &Mask) {
    for (row, t) in tokens(mask) {
        let vocab = logits[row].ncols();
        logits[row][(t, (actions[(row, t)] + 1) % vocab)] = f64::NEG_INFINITY;
    }
}
