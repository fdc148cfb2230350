//! How tokens become states: a row for what stands there plus a row for where.

use crate::{check::same_shape, written::sum};
use nalgebra::DMatrix;

/// The state of each position before any layer.
///
/// ```text
/// h_i = E[ids_i] + P[first + i]
/// ```
///
/// | symbol | argument | shape               | is                                       |
/// |--------|----------|---------------------|------------------------------------------|
/// | E      | `tokens` | vocab × d_model     | a row per token                          |
/// | P      | `places` | positions × d_model | a row per position                       |
/// |        | `ids`    | n_pos               | prompt and response, one after the other |
/// |        | `first`  | 1                   | the place of the first of them           |
/// | h      | result   | n_pos × d_model     | a row per position                       |
///
/// # Panics
///
/// If an id is not below vocab, or there are more tokens than places.
pub fn forward(tokens: &DMatrix<f64>, places: &DMatrix<f64>, ids: &[usize], first: usize) -> DMatrix<f64> {
    check_ids(tokens.nrows(), places.nrows(), ids, first);
    DMatrix::from_fn(ids.len(), tokens.ncols(), |i, d| tokens[(ids[i], d)] + places[(first + i, d)])
}

/// The gradients of a loss through [`forward`].
#[derive(Debug, Clone, PartialEq)]
pub struct Grad {
    /// vocab × d_model: ∂L/∂E.
    pub tokens: DMatrix<f64>,
    /// positions × d_model: ∂L/∂P.
    pub places: DMatrix<f64>,
}

/// From ∂L/∂h, n_pos × d_model, to both tables of `vocab` and `positions` rows.
///
/// ```text
/// ∂L/∂E_v = Σ_i [ids_i = v] ∂L/∂h_i                    ∂L/∂P_{first + i} = ∂L/∂h_i
/// ```
///
/// # Panics
///
/// As [`forward`], and if `grad_out` has not a row per id.
pub fn backward(
    (vocab, positions): (usize, usize),
    ids: &[usize],
    first: usize,
    grad_out: &DMatrix<f64>,
) -> Grad {
    let (n, d_model) = grad_out.shape();
    same_shape("embedding", "grad_out", (n, d_model), "ids", (ids.len(), d_model));
    check_ids(vocab, positions, ids, first);
    let of = |v: usize, d: usize| sum((0..n).filter(|i| ids[*i] == v).map(|i| grad_out[(i, d)]));
    let at = |place: usize, d: usize| {
        if (first..first + n).contains(&place) { grad_out[(place - first, d)] } else { 0.0 }
    };
    Grad { tokens: DMatrix::from_fn(vocab, d_model, of), places: DMatrix::from_fn(positions, d_model, at) }
}

fn check_ids(vocab: usize, positions: usize, ids: &[usize], first: usize) {
    for id in ids {
        assert!(*id < vocab, "embedding: token {id} is not below the vocabulary of {vocab}");
    }
    let end = first + ids.len();
    assert!(end <= positions, "embedding: {} tokens from place {first} on, of {positions}", ids.len());
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    #[test]
    fn a_state_is_what_stands_there_plus_where() {
        let (tokens, places) = (dmatrix![1.0; 2.0; 4.0], dmatrix![10.0; 20.0; 30.0; 40.0]);
        assert_eq!(forward(&tokens, &places, &[2, 0, 2], 1), dmatrix![24.0; 31.0; 44.0]);
        let grad = backward((3, 4), &[2, 0, 2], 1, &dmatrix![1.0; 8.0; 2.0]);
        assert_eq!(grad.tokens, dmatrix![8.0; 0.0; 3.0]);
        assert_eq!(grad.places, dmatrix![0.0; 1.0; 8.0; 2.0]);
    }

    #[test]
    #[should_panic(expected = "embedding: 2 tokens from place 1 on, of 2")]
    fn a_text_longer_than_its_places_is_refused() {
        forward(&DMatrix::zeros(1, 1), &DMatrix::zeros(2, 1), &[0, 0], 1);
    }
}
