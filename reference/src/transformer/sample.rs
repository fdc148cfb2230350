//! Generation: completions = policy.generate(prompts).

use crate::{
    Mask,
    log_prob::{log_softmax_row, row_of},
    rng::Rng,
    transformer::{Transformer, linear},
};
use nalgebra::DMatrix;

/// Sampled responses, b × t_len.
#[derive(Debug, Clone, PartialEq)]
pub struct Responses {
    /// The sampled tokens, the stop token included; it also fills the slots after a response.
    pub actions: DMatrix<usize>,
    /// m: where a response token is.
    pub mask: Mask,
    /// b: whether the limit came before the stop token.
    pub cut: Vec<bool>,
}

/// A response to each prompt, token by token, until the stop token or the row's limit.
///
/// | symbol | argument  | shape | is                                                                |
/// |--------|-----------|-------|-------------------------------------------------------------------|
/// | x      | `prompts` | b     | none empty                                                        |
/// |        | `limits`  | b     | tokens at most, 1 … t_len of the model's size                     |
/// | τ      | `tau`     | 1     | temperature > 0                                                   |
/// |        | `stop`    | 1     | the token that ends a response                                    |
/// |        | `stream`  |       | the random numbers of a row; its own, so that no other row matters |
///
/// # Panics
///
/// As [`sample_row`], and if there is not one limit per prompt.
pub fn sample(
    model: &Transformer,
    prompts: &[Vec<usize>],
    limits: &[usize],
    tau: f64,
    stop: usize,
    stream: impl Fn(usize) -> Rng,
) -> Responses {
    crate::check::per_row("sample", "limits", limits.len(), prompts.len());
    let of = |row: usize| sample_row(model, &prompts[row], limits[row], tau, stop, &mut stream(row));
    let rows: Vec<Vec<usize>> = (0..prompts.len()).map(of).collect();
    let (b, t_len) = (prompts.len(), model.size.t_len);
    Responses {
        actions: DMatrix::from_fn(b, t_len, |row, t| rows[row].get(t).copied().unwrap_or(stop)),
        mask: Mask::new(DMatrix::from_fn(b, t_len, |row, t| t < rows[row].len())),
        cut: rows.iter().map(|row| row.last() != Some(&stop)).collect(),
    }
}

/// One response: y_t is drawn from π(· | x, y_<t), the softmax of z/τ, as the first token at which the
/// probabilities so far pass a uniform number.
///
/// # Panics
///
/// If the prompt is empty or longer than the size's `prompt_len`, one of its tokens is not below vocab, `limit` is not
/// in 1 … t_len, or `tau` is not > 0.
pub fn sample_row(
    model: &Transformer,
    prompt: &[usize],
    limit: usize,
    tau: f64,
    stop: usize,
    rng: &mut Rng,
) -> Vec<usize> {
    assert!(!prompt.is_empty(), "sample: a prompt is empty, so no state produces the first token");
    let t_len = model.size.t_len;
    assert!((1..=t_len).contains(&limit), "sample: a limit of {limit} tokens, not in 1 … {t_len}");
    let mut response = Vec::new();
    while response.len() < limit && response.last() != Some(&stop) {
        let h = model.states(prompt, &response).h;
        let last = h.rows(h.nrows() - 1, 1).into_owned();
        let logits = row_of(&linear::forward(&model.w_lm, &last), 0);
        response.push(draw(&log_softmax_row(&logits, tau), rng.uniform()));
    }
    response
}

/// The first token at which Σ π passes `uniform`; the last possible one where rounding lets none.
fn draw(logp: &[f64], uniform: f64) -> usize {
    let mut so_far = 0.0;
    let mut drawn = 0;
    for (v, logp) in logp.iter().enumerate() {
        let pi = libm::exp(*logp);
        if pi > 0.0 {
            drawn = v;
        }
        so_far += pi;
        if uniform < so_far {
            return v;
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uniform_number_falls_into_its_token_s_share() {
        let logp = [0.25, 0.0, 0.5, 0.25, 0.0].map(libm::log);
        let tokens = [0.0, 0.2499, 0.25, 0.7499, 0.75, 0.9999].map(|uniform| draw(&logp, uniform));
        assert_eq!(tokens, [0, 0, 2, 2, 3, 3]);
    }

    /// Probabilities that sum to less than the number drawn: never a token of probability 0.
    #[test]
    fn rounding_gives_no_forbidden_token() {
        assert_eq!(draw(&[0.4, 0.5, 0.0].map(libm::log), 0.99), 1);
    }
}
