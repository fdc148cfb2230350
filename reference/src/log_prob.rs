//! How likely the sampled token is: `eq:log-prob`.

use crate::{Mask, check, nan::greater, written::sum};
use nalgebra::DMatrix;

/// log π of every token of the vocabulary, from one row of logits.
///
/// ```text
/// log π(v) = z_v/τ − ln Σ_v′ exp(z_v′/τ)
/// ```
///
/// The largest z/τ is subtracted first, which changes nothing in exact arithmetic and keeps exp from
/// overflowing. A logit of −∞ (a token the vocabulary mask forbids) has log π = −∞; a row that is all −∞,
/// or holds a NaN or +∞, is NaN.
///
/// # Panics
///
/// If the row is empty or `tau` is not > 0.
// ANCHOR: log_softmax_row
pub fn log_softmax_row(logits: &[f64], tau: f64) -> Vec<f64> {
    check::positive("log_prob", "tau", tau);
    assert!(!logits.is_empty(), "log_prob: a row of logits is empty");
    let x: Vec<f64> = logits.iter().map(|z| z / tau).collect();
    let max = x.iter().copied().fold(f64::NEG_INFINITY, greater);
    let ln_sum = libm::log(sum(x.iter().map(|x| libm::exp(x - max))));
    x.iter().map(|x| (x - max) - ln_sum).collect()
}
// ANCHOR_END: log_softmax_row

/// [`log_prob`] of one token from its row of logits.
///
/// # Panics
///
/// If the row is empty, `action` is not below its length, or `tau` is not > 0.
pub fn log_prob_row(logits: &[f64], action: usize, tau: f64) -> f64 {
    check_action(logits, action);
    log_softmax_row(logits, tau)[action]
}

/// ∂L/∂z for one row of logits, given g = ∂L/∂log π(a).
///
/// ```text
/// ∂ log π(a) / ∂z_v = ([v = a] − π(v)) / τ
/// ```
///
/// # Panics
///
/// As [`log_prob_row`].
// ANCHOR: log_prob_grad_row
pub fn log_prob_grad_row(logits: &[f64], action: usize, tau: f64, g: f64) -> Vec<f64> {
    check_action(logits, action);
    let pi = log_softmax_row(logits, tau).into_iter().map(libm::exp);
    pi.enumerate().map(|(v, pi)| g * (f64::from(v == action) - pi) / tau).collect()
}
// ANCHOR_END: log_prob_grad_row

/// The log-probability of each sampled token under the policy.
///
/// ```text
/// log π(y_t | x, y_<t) = z_t,a/τ − ln Σ_v exp(z_t,v/τ),   a = y_t          eq:log-prob
/// ```
///
/// | symbol | argument  | shape              | is                                           |
/// |--------|-----------|--------------------|----------------------------------------------|
/// | z      | `logits`  | b of t_len × vocab | row t *produced* token t; before temperature |
/// | y      | `actions` | b × t_len          | the sampled token ids, below vocab           |
/// | m      | `mask`    | b × t_len          | 1 where a response token is                  |
/// | τ      | `tau`     | 1                  | temperature > 0, the one that sampled        |
/// | log π  | result    | b × t_len          | nats, ≤ 0; +0 in masked slots                |
///
/// TRL divides by τ + 1e-7; OpenRLHF and verl by τ. Old and new log-probs must use the same τ, or the
/// ratio is not 1 at the first inner step.
///
/// Source: Roy, "The Full PPO Training Step", § One iteration, in code, which calls it (`per_token_logps`,
/// `policy.log_probs`) and does not print it.
/// Book: `log-prob.md`. Fast: `optimized::log_prob`, `optimized::token_pass`.
///
/// # Panics
///
/// If the shapes differ, an action of a valid slot is not below vocab, or `tau` is not > 0.
#[doc(alias = "eq:log-prob")]
// ANCHOR: log_prob
pub fn log_prob(logits: &[DMatrix<f64>], actions: &DMatrix<usize>, mask: &Mask, tau: f64) -> DMatrix<f64> {
    check_logits(logits, actions, mask);
    mask.each(|(row, t)| log_prob_row(&row_of(&logits[row], t), actions[(row, t)], tau))
}
// ANCHOR_END: log_prob

/// [`log_prob_grad_row`] for every token: b of t_len × vocab, +0 in the rows of masked ones, given `g` = ∂L/∂log π,
/// b × t_len.
///
/// # Panics
///
/// As [`log_prob`], and if `g` is not b × t_len.
pub fn log_prob_grad(
    logits: &[DMatrix<f64>],
    actions: &DMatrix<usize>,
    mask: &Mask,
    tau: f64,
    g: &DMatrix<f64>,
) -> Vec<DMatrix<f64>> {
    check_logits(logits, actions, mask);
    check::shapes("log_prob_grad", mask.shape(), &[("g", g.shape())]);
    each_row(logits, mask, |row, t, z| log_prob_grad_row(z, actions[(row, t)], tau, g[(row, t)]))
}

/// Row t of a t_len × vocab matrix as a plain list.
pub(crate) fn row_of(logits: &DMatrix<f64>, t: usize) -> Vec<f64> {
    logits.row(t).iter().copied().collect()
}

/// One row of the gradient for every valid token, +0 in the rows of masked ones.
pub(crate) fn each_row(
    logits: &[DMatrix<f64>],
    mask: &Mask,
    formula: impl Fn(usize, usize, &[f64]) -> Vec<f64>,
) -> Vec<DMatrix<f64>> {
    let fill = |row: usize, logits: &DMatrix<f64>| {
        let mut out = DMatrix::zeros(logits.nrows(), logits.ncols());
        for t in mask.tokens_of(row) {
            let grad = formula(row, t, &row_of(logits, t));
            for (v, g) in grad.into_iter().enumerate() {
                out[(t, v)] = g;
            }
        }
        out
    };
    logits.iter().enumerate().map(|(row, logits)| fill(row, logits)).collect()
}

fn check_action(logits: &[f64], action: usize) {
    assert!(
        action < logits.len(),
        "log_prob: action {action} is not below the vocabulary of {}",
        logits.len()
    );
}

fn check_logits(logits: &[DMatrix<f64>], actions: &DMatrix<usize>, mask: &Mask) {
    check::shapes("log_prob", mask.shape(), &[("actions", actions.shape())]);
    check::logits("log_prob", logits, mask.shape());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_equal_logits_have_a_half_each() {
        assert_eq!(log_prob_row(&[3.0, 3.0], 1, 1.0), -core::f64::consts::LN_2);
    }

    #[test]
    fn a_forbidden_token_counts_nothing() {
        let free = log_softmax_row(&[0.5, -1.0], 0.7);
        let masked = log_softmax_row(&[0.5, f64::NEG_INFINITY, -1.0], 0.7);
        assert_eq!(masked, [free[0], f64::NEG_INFINITY, free[1]]);
        assert_eq!(log_prob_grad_row(&[0.5, f64::NEG_INFINITY, -1.0], 0, 0.7, 2.0)[1], 0.0);
    }

    /// Kernels whose running maximum begins at 0 lose rows like this one.
    #[test]
    fn a_row_far_below_zero_is_an_ordinary_row() {
        assert_eq!(log_softmax_row(&[-200.0, -201.0], 1.0), log_softmax_row(&[1.0, 0.0], 1.0));
    }

    #[test]
    fn temperature_divides_the_logits() {
        assert_eq!(log_softmax_row(&[1.0, 3.0], 2.0), log_softmax_row(&[0.5, 1.5], 1.0));
    }

    #[test]
    fn nothing_allowed_is_nan() {
        assert!(log_prob_row(&[f64::NEG_INFINITY; 3], 0, 1.0).is_nan());
        assert!(log_prob_row(&[0.0, f64::NAN], 0, 1.0).is_nan());
    }

    #[test]
    #[should_panic(expected = "action 7 is not below the vocabulary of 2")]
    fn an_action_outside_the_vocabulary_is_refused() {
        log_prob_row(&[0.0, 0.0], 7, 1.0);
    }
}
