//! The widget of entropy: one distribution.

use crate::{Answer, Reader};
use reference::{
    entropy::{entropy_grad_row, entropy_row},
    log_prob::log_softmax_row,
};

/// A temperature-scaled distribution, its entropy, and the gradient of that in the logits.
///
/// In: `tau`, the list `logits`, and the range of τ as `from`, `to`, `points`, all > 0.
/// Out: π, log π, \[H, the largest H of so many tokens\], ∂H/∂z; then τ and H along the range.
///
/// # Errors
///
/// If the input is not that.
pub fn entropy(mut input: Reader<'_>) -> Answer {
    let tau = input.positive("tau")?;
    let logits = input.list("logits")?;
    let range = input.range("tau")?;
    input.end()?;
    if let Some(tau) = range.iter().find(|tau| **tau <= 0.0) {
        return input.wrong(&format!("the range of `tau` holds {tau} and must be > 0"));
    }

    let logp = log_softmax_row(&logits, tau);
    let level: Vec<f64> = logits.iter().map(|_| 0.0).collect();
    Ok(vec![
        log_softmax_row(&logits, tau).into_iter().map(libm::exp).collect(),
        logp,
        vec![entropy_row(&logits, tau), entropy_row(&level, 1.0)],
        entropy_grad_row(&logits, tau, 1.0),
        range.clone(),
        range.iter().map(|tau| entropy_row(&logits, *tau)).collect(),
    ])
}

#[cfg(test)]
mod tests {
    use crate::call;

    #[test]
    fn two_equal_tokens_have_ln_2_and_no_gradient() {
        let got = call("entropy", &[0.5, 2.0, 3.0, 3.0, 0.5, 2.0, 2.0]).unwrap();
        let ln_2 = libm::log(2.0);
        assert_eq!(got[0], [0.5, 0.5]);
        assert_eq!((&got[2][..], &got[3][..]), (&[ln_2, ln_2][..], &[0.0, 0.0][..]));
        assert_eq!(got[5], [ln_2, ln_2]);
    }

    #[test]
    fn the_most_that_three_tokens_can_have_is_ln_3() {
        let got = call("entropy", &[1.0, 3.0, 2.0, 0.0, -1.0, 0.5, 2.0, 2.0]).unwrap();
        let (ent, most) = (got[2][0], got[2][1]);
        assert!((most - libm::log(3.0)).abs() < 1e-15 && ent < 0.8 * most, "{ent} of {most}");
    }

    #[test]
    fn a_range_that_reaches_zero_is_refused() {
        let sentence = call("entropy", &[0.5, 1.0, 3.0, 0.0, 2.0, 2.0]).unwrap_err();
        assert_eq!(sentence, "entropy: the range of `tau` holds 0 and must be > 0");
    }
}
