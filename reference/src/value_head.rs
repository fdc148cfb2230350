//! What the critic says: `eq:value-head`.

use crate::{Mask, check, written::sum};
use nalgebra::{DMatrix, RowDVector};

/// Which hidden state belongs to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateAt {
    /// The state that produced the token, one position before it: V(x, y_<t) as the equation says.
    BeforeToken,
    /// The state after the token was read. This is V_{t+1}, not V_t: the post's "at token t" taken by
    /// its letter, and an off-by-one that real trainers had.
    AfterToken,
}

/// The hidden states that the response's values are read from, t_len × d_model.
///
/// `hidden` holds one row per position of prompt and response. Token t of the response stands at position
/// prompt_len + t and was produced by the state at prompt_len + t − 1.
///
/// # Panics
///
/// If the prompt is empty (no state produced the first token), or `hidden` has too few rows.
// ANCHOR: response_states
pub fn response_states(hidden: &DMatrix<f64>, prompt_len: usize, t_len: usize, at: StateAt) -> DMatrix<f64> {
    assert!(prompt_len > 0, "response_states: `prompt_len` is 0, so no state produced the first token");
    let first = match at {
        StateAt::BeforeToken => prompt_len - 1,
        StateAt::AfterToken => prompt_len,
    };
    assert!(
        first + t_len <= hidden.nrows(),
        "response_states: `hidden` has {} positions but {} are needed",
        hidden.nrows(),
        first + t_len
    );
    hidden.rows(first, t_len).into_owned()
}
// ANCHOR_END: response_states

/// The value of each state: one learned row vector times the hidden state.
///
/// ```text
/// V_t = W_v h_t = Σ_d W_v,d h_t,d                                          eq:value-head
/// ```
///
/// | symbol | argument | shape                | is                                                                 |
/// |--------|----------|----------------------|--------------------------------------------------------------------|
/// | W_v    | `w_v`    | 1 × d_model          | the value head, a row and not a column                             |
/// | h      | `h`      | b of t_len × d_model | row t is the state that *produced* token t                         |
/// | m      | `mask`   | b × t_len            | 1 where a response token is                                        |
/// | V      | result   | b × t_len            | expected return from token t on, reward's unit; +0 in masked slots |
///
/// The post puts the head on the policy's last layer; verl, OpenRLHF and TRL from 0.12 train a separate
/// critic. Peers slice the states `[prompt−1:−1]`, see [`response_states`].
///
/// Source: Roy, "The Full PPO Training Step", § The value head.
/// Book: `value-head.md`.
///
/// # Panics
///
/// If there are not b matrices of t_len × d_model.
#[doc(alias = "eq:value-head")]
// ANCHOR: value_head
pub fn value_head(w_v: &RowDVector<f64>, h: &[DMatrix<f64>], mask: &Mask) -> DMatrix<f64> {
    check_states(w_v, h, mask);
    mask.each(|(row, t)| sum((0..w_v.len()).map(|d| w_v[d] * h[row][(t, d)])))
}
// ANCHOR_END: value_head

/// The gradients of a loss through the value head.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueHeadGrad {
    /// 1 × d_model: ∂L/∂W_v.
    pub w_v: RowDVector<f64>,
    /// b of t_len × d_model: ∂L/∂h; rows of masked tokens are +0.
    pub h: Vec<DMatrix<f64>>,
}

/// From ∂L/∂V to the head's weights and the hidden states.
///
/// ```text
/// ∂L/∂W_v = Σ_b,t ∂L/∂V_t · h_t        ∂L/∂h_t = ∂L/∂V_t · W_v
/// ```
///
/// `grad_v` is b × t_len; the other arguments are those of [`value_head`].
///
/// # Panics
///
/// As [`value_head`], and if `grad_v` is not b × t_len.
// ANCHOR: value_head_grad
pub fn value_head_grad(
    grad_v: &DMatrix<f64>,
    w_v: &RowDVector<f64>,
    h: &[DMatrix<f64>],
    mask: &Mask,
) -> ValueHeadGrad {
    check_states(w_v, h, mask);
    check::shapes("value_head_grad", mask.shape(), &[("grad_v", grad_v.shape())]);
    let (b, t_len) = mask.shape();
    let tokens = || (0..b).flat_map(|row| mask.tokens_of(row).into_iter().map(move |t| (row, t)));
    ValueHeadGrad {
        w_v: RowDVector::from_fn(w_v.len(), |_, d| {
            sum(tokens().map(|(row, t)| grad_v[(row, t)] * h[row][(t, d)]))
        }),
        h: (0..b)
            .map(|row| {
                DMatrix::from_fn(t_len, w_v.len(), |t, d| {
                    if mask.has((row, t)) { grad_v[(row, t)] * w_v[d] } else { 0.0 }
                })
            })
            .collect(),
    }
}
// ANCHOR_END: value_head_grad

fn check_states(w_v: &RowDVector<f64>, h: &[DMatrix<f64>], mask: &Mask) {
    check::per_row("value_head", "h", h.len(), mask.shape().0);
    for states in h {
        let wanted = (mask.shape().1, w_v.len());
        check::same_shape("value_head", "h", states.shape(), "mask × w_v", wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    /// Four positions numbered by their state: a prompt of two tokens, a response of two.
    #[test]
    fn the_state_before_the_token_gives_its_value() {
        let hidden = dmatrix![0.0; 1.0; 2.0; 3.0];
        let (w_v, mask) = (RowDVector::from_element(1, 10.0), Mask::full(1, 2));
        let before = response_states(&hidden, 2, 2, StateAt::BeforeToken);
        let after = response_states(&hidden, 2, 2, StateAt::AfterToken);
        assert_eq!(value_head(&w_v, &[before], &mask), dmatrix![10.0, 20.0]);
        assert_eq!(value_head(&w_v, &[after], &mask), dmatrix![20.0, 30.0]);
    }

    #[test]
    #[should_panic(expected = "value_head: `h` is 2 × 3 but `mask × w_v` is 2 × 4")]
    fn a_head_of_another_width_is_refused() {
        let (w_v, h) = (RowDVector::from_element(4, 1.0), DMatrix::zeros(2, 3));
        value_head(&w_v, &[h], &Mask::full(1, 2));
    }
}
