//! `eq:entropy` and `eq:log-prob`: bounds, sums and shifts.

use crate::{
    case::Case,
    oracle::{U, roundings},
};
use reference::{
    entropy::entropy_row,
    log_prob::{log_prob_row, log_softmax_row},
};

/// Vocabularies round a tile of eight lanes, temperatures on both sides of 1.
fn rows(case: &Case) -> Vec<(Vec<f64>, f64)> {
    let mut rng = case.rng(1);
    let mut one = |vocab: usize, tau: f64, size: f64| {
        ((0..vocab).map(|_| size * rng.normal()).collect::<Vec<f64>>(), tau)
    };
    let mut all = Vec::new();
    for vocab in [1, 2, 7, 8, 9, 50] {
        for (tau, size) in [(1.0, 1.0), (0.5, 5.0), (2.0, 20.0)] {
            all.push(one(vocab, tau, size));
        }
    }
    all
}

/// What log π may be off by: the shift by the maximum is off by 4 u X (X the largest |z|/τ), which exp, sum
/// and ln hand on once more; exp and ln have two roundings, the sum one for each token, the end one of log π.
fn allowed(logits: &[f64], tau: f64) -> f64 {
    let x = logits.iter().fold(0.0, |so_far: f64, z| so_far.max((z / tau).abs()));
    U * (10.0 * x + 4.0 * logits.len() as f64 + 8.0)
}

property! {
    fn equal_logits_have_the_entropy_of_a_fair_die(case) {
        let mut rng = case.rng(2);
        for vocab in [1, 2, 3, 7, 8, 9, 100, 1000] {
            let (level, tau) = (50.0 * rng.normal(), rng.between(0.25, 4.0));
            let (ent, most) = (entropy_row(&vec![level; vocab], tau), (vocab as f64).ln());
            // The shift is exactly 0: exp is 1, the sum vocab, and what is left is ln, one product and the
            // sum of vocab terms.
            let allowed = roundings(vocab + 6) * most;
            ensure!((ent - most).abs() <= allowed, "vocab {vocab}: {ent} for {most}, allowed {allowed:e}");
        }
    }
}

property! {
    fn the_entropy_is_between_zero_and_that_of_a_fair_die(case) {
        for (logits, tau) in rows(case) {
            let (ent, most) = (entropy_row(&logits, tau), (logits.len() as f64).ln());
            let slack = (1.0 + most) * allowed(&logits, tau);
            ensure!(ent >= -slack && ent <= most + slack, "{} tokens: {ent}, at most {most}", logits.len());
        }
    }
}

property! {
    fn probabilities_sum_to_one_and_their_logs_are_not_positive(case) {
        for (logits, tau) in rows(case) {
            let logp = log_softmax_row(&logits, tau);
            let sum: f64 = logp.iter().map(|logp| logp.exp()).sum();
            let off = allowed(&logits, tau) + roundings(logits.len() + 2);
            ensure!((sum - 1.0).abs() <= off, "{} tokens: Σ π = {sum}, allowed {off:e}", logits.len());
            ensure!(logp.iter().all(|logp| *logp <= 0.0), "a probability above 1 in {logp:?}");
        }
    }
}

property! {
    /// A shift by a power of two is exact for these logits up to one rounding each of the larger number.
    fn a_shift_of_all_logits_changes_nothing(case) {
        for (logits, tau) in rows(case) {
            for by in [-256.0, 256.0] {
                let moved: Vec<f64> = logits.iter().map(|z| z + by).collect();
                let (a, b) = (log_softmax_row(&logits, tau), log_softmax_row(&moved, tau));
                let off = allowed(&logits, tau) + allowed(&moved, tau) + 4.0 * U * 512.0 / tau;
                let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                ensure!(worst <= off, "by {by}: off {worst:e}, allowed {off:e}");
            }
        }
    }
}

property! {
    /// A token at −∞ is as good as absent, wherever it stands.
    fn a_forbidden_token_is_an_absent_one(case) {
        let mut rng = case.rng(3);
        for (logits, tau) in rows(case) {
            let at = rng.below(logits.len() + 1);
            let mut wider = logits.clone();
            wider.insert(at, f64::NEG_INFINITY);
            let (a, b) = (entropy_row(&logits, tau), entropy_row(&wider, tau));
            ensure!(a == b, "entropy {a:e} with and {b:e} without");
            let token = rng.below(logits.len());
            let (a, b) = (
                log_prob_row(&logits, token, tau),
                log_prob_row(&wider, token + usize::from(at <= token), tau),
            );
            ensure!(a.to_bits() == b.to_bits(), "log π {a:e} with and {b:e} without");
        }
    }
}
