//! What each position takes from those before it: causal attention in several heads.

use crate::{
    check::same_shape,
    nan::greater,
    transformer::linear,
    written::{number, product, sum},
};
use nalgebra::DMatrix;

/// The four matrices of attention, each d_model × d_model. As a gradient: ∂L by each of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// W_query: what a position asks for.
    pub w_query: DMatrix<f64>,
    /// W_key: what it is found by.
    pub w_key: DMatrix<f64>,
    /// W_content: what it hands over.
    pub w_content: DMatrix<f64>,
    /// W_join: what becomes of all heads' findings together.
    pub w_join: DMatrix<f64>,
}

/// What [`forward`] computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// n_pos × d_model.
    pub query: DMatrix<f64>,
    /// n_pos × d_model.
    pub key: DMatrix<f64>,
    /// n_pos × d_model.
    pub content: DMatrix<f64>,
    /// n_heads of n_pos × n_pos: α, row i over what position i reads; +0 for j > i.
    pub alpha: Vec<DMatrix<f64>>,
    /// n_pos × d_model: what each head found, side by side.
    pub found: DMatrix<f64>,
    /// n_pos × d_model: o.
    pub out: DMatrix<f64>,
}

/// Causal attention: position i reads those j ≤ i, each by how well its key meets i's query.
///
/// ```text
/// query = W_query u      key = W_key u      content = W_content u          cut into heads of d_head columns
/// e_i,j = query_i · key_j / √d_head                                        j ≤ i
/// α_i,j = exp(e_i,j) / Σ_{j′ ≤ i} exp(e_i,j′)                              0 for j > i
/// found_i = Σ_{j ≤ i} α_i,j content_j          o = W_join found            heads side by side
/// ```
///
/// | symbol | argument  | shape           | is                  |
/// |--------|-----------|-----------------|---------------------|
/// | W      | `w`       |                 | see [`Weights`]     |
/// |        | `n_heads` | 1               | divides d_model     |
/// | u      | `input`   | n_pos × d_model | a row per position  |
/// | o      | result    | n_pos × d_model | with what led to it |
///
/// What others write Q, K and V is query, key and content here: K is a number of epochs and V the critic's.
///
/// Source: Vaswani et al., "Attention Is All You Need" (2017).
///
/// # Panics
///
/// If the widths differ or `n_heads` does not divide d_model.
pub fn forward(w: &Weights, n_heads: usize, input: &DMatrix<f64>) -> Attention {
    let query = linear::forward(&w.w_query, input);
    let key = linear::forward(&w.w_key, input);
    let content = linear::forward(&w.w_content, input);
    let d_head = head_width(n_heads, query.ncols());
    let one = |head: usize| {
        let (query, key) = (columns(&query, head, d_head), columns(&key, head, d_head));
        let affinity = product(&query, &key.transpose()) / number(d_head).sqrt();
        causal_softmax(&affinity)
    };
    let alpha: Vec<DMatrix<f64>> = (0..n_heads).map(one).collect();
    let found =
        side_by_side((0..n_heads).map(|head| product(&alpha[head], &columns(&content, head, d_head))));
    let out = linear::forward(&w.w_join, &found);
    Attention { query, key, content, alpha, found, out }
}

/// The gradients of a loss through [`forward`].
#[derive(Debug, Clone, PartialEq)]
pub struct Grad {
    /// ∂L/∂W of the four.
    pub w: Weights,
    /// n_pos × d_model: ∂L/∂u.
    pub input: DMatrix<f64>,
}

/// From ∂L/∂o, n_pos × d_model, to weights and input; `made` is what [`forward`] gave.
///
/// ```text
/// ∂L/∂found = W_joinᵀ ∂L/∂o                                                and in each head
/// ∂L/∂content_j = Σ_i α_i,j ∂L/∂found_i        ∂L/∂α_i,j = ∂L/∂found_i · content_j
/// ∂L/∂e_i,j = α_i,j ( ∂L/∂α_i,j − Σ_j′ α_i,j′ ∂L/∂α_i,j′ )
/// ∂L/∂query_i = Σ_j ∂L/∂e_i,j key_j / √d_head  ∂L/∂key_j = Σ_i ∂L/∂e_i,j query_i / √d_head
/// ∂L/∂u     = what the three linear maps send back, added: query, key, content
/// ```
///
/// # Panics
///
/// If the shapes do not meet.
pub fn backward(
    w: &Weights,
    n_heads: usize,
    input: &DMatrix<f64>,
    made: &Attention,
    grad_out: &DMatrix<f64>,
) -> Grad {
    same_shape("attention", "grad_out", grad_out.shape(), "out", made.out.shape());
    let join = linear::backward(&w.w_join, &made.found, grad_out);
    let d_head = head_width(n_heads, made.query.ncols());
    let root = number(d_head).sqrt();
    let (mut queries, mut keys, mut contents) = (Vec::new(), Vec::new(), Vec::new());
    for (head, alpha) in made.alpha.iter().enumerate() {
        let of = |x: &DMatrix<f64>| columns(x, head, d_head);
        let grad_found = of(&join.input);
        contents.push(product(&alpha.transpose(), &grad_found));
        let grad_alpha = product(&grad_found, &of(&made.content).transpose());
        let grad_affinity = causal_softmax_grad(alpha, &grad_alpha);
        queries.push(product(&grad_affinity, &of(&made.key)) / root);
        keys.push(product(&grad_affinity.transpose(), &of(&made.query)) / root);
    }
    let query = linear::backward(&w.w_query, input, &side_by_side(queries));
    let key = linear::backward(&w.w_key, input, &side_by_side(keys));
    let content = linear::backward(&w.w_content, input, &side_by_side(contents));
    Grad {
        w: Weights { w_query: query.w, w_key: key.w, w_content: content.w, w_join: join.w },
        input: query.input + key.input + content.input,
    }
}

/// α of each row over its first i + 1 entries, the largest taken off first; the rest is +0 and never read.
fn causal_softmax(affinity: &DMatrix<f64>) -> DMatrix<f64> {
    let n = affinity.nrows();
    let mut alpha = DMatrix::zeros(n, n);
    for i in 0..n {
        let max = (0..=i).map(|j| affinity[(i, j)]).fold(f64::NEG_INFINITY, greater);
        let exp: Vec<f64> = (0..=i).map(|j| libm::exp(affinity[(i, j)] - max)).collect();
        let total = sum(exp.iter().copied());
        for j in 0..=i {
            alpha[(i, j)] = exp[j] / total;
        }
    }
    alpha
}

fn causal_softmax_grad(alpha: &DMatrix<f64>, grad_alpha: &DMatrix<f64>) -> DMatrix<f64> {
    let n = alpha.nrows();
    let mean: Vec<f64> = (0..n).map(|i| sum((0..=i).map(|j| alpha[(i, j)] * grad_alpha[(i, j)]))).collect();
    DMatrix::from_fn(n, n, |i, j| if j <= i { alpha[(i, j)] * (grad_alpha[(i, j)] - mean[i]) } else { 0.0 })
}

/// The columns of one head.
fn columns(x: &DMatrix<f64>, head: usize, d_head: usize) -> DMatrix<f64> {
    x.columns(head * d_head, d_head).into_owned()
}

/// The heads' columns next to each other again.
fn side_by_side(heads: impl IntoIterator<Item = DMatrix<f64>>) -> DMatrix<f64> {
    let heads: Vec<DMatrix<f64>> = heads.into_iter().collect();
    let (n, d_head) = heads[0].shape();
    DMatrix::from_fn(n, d_head * heads.len(), |i, d| heads[d / d_head][(i, d % d_head)])
}

fn head_width(n_heads: usize, d_model: usize) -> usize {
    assert!(
        n_heads > 0 && d_model.is_multiple_of(n_heads),
        "attention: {n_heads} heads do not share {d_model} columns"
    );
    d_model / n_heads
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::dmatrix;

    fn identities(d_model: usize) -> Weights {
        let one = DMatrix::identity(d_model, d_model);
        Weights { w_query: one.clone(), w_key: one.clone(), w_content: one.clone(), w_join: one }
    }

    /// One column: position 0 sees itself; position 1 has affinities 1 · 0 and 1 · 1, so weights 1 : e.
    #[test]
    fn two_positions_by_hand() {
        let made = forward(&identities(1), 1, &dmatrix![0.0; 1.0]);
        let share = 1.0 / (libm::exp(-1.0) + 1.0);
        assert_eq!(made.alpha[0], dmatrix![1.0, 0.0; libm::exp(-1.0) / (libm::exp(-1.0) + 1.0), share]);
        assert_eq!(made.out, dmatrix![0.0; share]);
    }

    /// Each head attends by its own columns: here the first is torn between equals, the second is not.
    #[test]
    fn heads_do_not_see_each_other_s_columns() {
        let input = dmatrix![0.0, 0.0; 0.0, 40.0];
        let made = forward(&identities(2), 2, &input);
        assert_eq!(made.alpha[0], dmatrix![1.0, 0.0; 0.5, 0.5]);
        assert!(made.alpha[1][(1, 0)] < 1e-300 && made.alpha[1][(1, 1)] == 1.0);
    }

    #[test]
    #[should_panic(expected = "attention: 2 heads do not share 3 columns")]
    fn heads_of_unequal_width_are_refused() {
        forward(&identities(3), 2, &DMatrix::zeros(1, 3));
    }
}
