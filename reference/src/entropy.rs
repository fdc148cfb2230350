//! How undecided the policy is: `eq:entropy`.

use crate::{
    Mask, check,
    log_prob::{each_row, log_softmax_row, row_of},
    written::sum,
};
use nalgebra::DMatrix;

/// [`entropy`] of one row of logits.
///
/// # Panics
///
/// If the row is empty or `tau` is not > 0.
// ANCHOR: entropy_row
pub fn entropy_row(logits: &[f64], tau: f64) -> f64 {
    -sum(log_softmax_row(logits, tau).into_iter().map(weighted))
}
// ANCHOR_END: entropy_row

/// ∂L/∂z for one row of logits, given g = ∂L/∂H.
///
/// ```text
/// ∂H/∂z_v = −π(v) (log π(v) + H) / τ
/// ```
///
/// A token of probability 0 has gradient 0.
///
/// # Panics
///
/// As [`entropy_row`].
// ANCHOR: entropy_grad_row
pub fn entropy_grad_row(logits: &[f64], tau: f64, g: f64) -> Vec<f64> {
    let ent = entropy_row(logits, tau);
    let logp = log_softmax_row(logits, tau);
    logp.into_iter().map(|logp| -g * (weighted(logp) + libm::exp(logp) * ent) / tau).collect()
}
// ANCHOR_END: entropy_grad_row

/// The Shannon entropy of the next-token distribution, per token.
///
/// ```text
/// H_t = −Σ_v π(v | x, y_<t) log π(v | x, y_<t)                             eq:entropy
/// ```
///
/// | symbol | argument | shape              | is                                           |
/// |--------|----------|--------------------|----------------------------------------------|
/// | z      | `logits` | b of t_len × vocab | row t *produced* token t; before temperature |
/// | m      | `mask`   | b × t_len          | 1 where a response token is                  |
/// | τ      | `tau`    | 1                  | temperature > 0, the step's τ_ent            |
/// | H      | result   | b × t_len          | nats, in [0, ln vocab]; +0 in masked slots   |
///
/// 0 · log 0 is 0: a token that the vocabulary mask forbids (logit −∞) adds nothing. The distribution is
/// the one that sampled, after temperature; OpenRLHF measured it before, until #1319.
///
/// Source: Roy, "The Full PPO Training Step", § The entropy bonus.
/// Book: `entropy.md`. Fast: `optimized::entropy`, `optimized::token_pass`.
///
/// # Panics
///
/// If the shapes differ or `tau` is not > 0.
#[doc(alias = "eq:entropy")]
// ANCHOR: entropy
pub fn entropy(logits: &[DMatrix<f64>], mask: &Mask, tau: f64) -> DMatrix<f64> {
    check::logits("entropy", logits, mask.shape());
    mask.each(|(row, t)| entropy_row(&row_of(&logits[row], t), tau))
}
// ANCHOR_END: entropy

/// [`entropy_grad_row`] for every token: b of t_len × vocab, +0 in the rows of masked ones, given `g` = ∂L/∂H,
/// b × t_len.
///
/// # Panics
///
/// As [`entropy`], and if `g` is not b × t_len.
pub fn entropy_grad(logits: &[DMatrix<f64>], mask: &Mask, tau: f64, g: &DMatrix<f64>) -> Vec<DMatrix<f64>> {
    check::logits("entropy_grad", logits, mask.shape());
    check::shapes("entropy_grad", mask.shape(), &[("g", g.shape())]);
    each_row(logits, mask, |row, t, z| entropy_grad_row(z, tau, g[(row, t)]))
}

/// π log π from log π, with 0 · log 0 = 0.
fn weighted(logp: f64) -> f64 {
    if logp == f64::NEG_INFINITY { 0.0 } else { libm::exp(logp) * logp }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_logits_have_the_largest_entropy() {
        for vocab in [1, 2, 7, 1000] {
            let (ent, most) = (entropy_row(&vec![0.3; vocab], 0.7), libm::log(vocab as f64));
            // A sum of vocab terms is off by at most vocab roundings, exp, ln and products by a few more.
            let allowed = (vocab as f64 + 8.0) * (f64::EPSILON / 2.0) * most;
            assert!((ent - most).abs() <= allowed, "{vocab}: {ent} for {most}, allowed {allowed}");
        }
    }

    #[test]
    fn a_decided_policy_has_none() {
        assert_eq!(entropy_row(&[f64::NEG_INFINITY, 4.0, f64::NEG_INFINITY], 1.0), 0.0);
    }

    #[test]
    fn shifting_every_logit_changes_nothing() {
        assert_eq!(entropy_row(&[0.5, -1.0, 2.0], 1.0), entropy_row(&[64.5, 63.0, 66.0], 1.0));
    }
}
