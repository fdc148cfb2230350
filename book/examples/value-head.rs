//! What the chapter on the value head shows: `cargo run -p ppo-book --example value-head`.

use book::Transcript;
use nalgebra::{DMatrix, RowDVector, dmatrix};
use reference::{
    Ends, Gap, Mask, StateAt,
    gae::td_residual,
    transformer::{Size, Transformer},
    value_head::{response_states, value_head, value_head_grad},
};

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    by_hand(&mut page);
    which_state(&mut page);
    gradient(&mut page);
    born_silent(&mut page);
    size(&mut page);
    page
}

/// One learned row.
fn w_v() -> RowDVector<f64> {
    RowDVector::from_row_slice(&[0.5, -1.0])
}

/// States of the three tokens of a response.
fn states() -> DMatrix<f64> {
    dmatrix![1.0, 0.0; 2.0, 0.5; 4.0, 1.0]
}

// ANCHOR: by_hand
fn by_hand(page: &mut Transcript) {
    let (w_v, h, mask) = (w_v(), states(), Mask::full(1, 3));
    page.section("by-hand");
    page.row("W_v", &w_v, 2);
    for t in 0..3 {
        page.row(&format!("h_{t}"), h.row(t).iter(), 2);
    }
    page.row("V", &value_head(&w_v, &[h], &mask), 2);
}
// ANCHOR_END: by_hand

/// Two tokens of prompt and three of response. The state at a position is the number of the position.
fn which_state(page: &mut Transcript) {
    let hidden = dmatrix![0.0; 1.0; 2.0; 3.0; 4.0];
    let (w_v, mask) = (RowDVector::from_element(1, 1.0), Mask::full(1, 3));
    let r = dmatrix![0.0, 0.0, 4.0];
    page.section("which-state");
    for at in [StateAt::BeforeToken, StateAt::AfterToken] {
        let v = value_head(&w_v, &[response_states(&hidden, 2, 3, at)], &mask);
        page.row(&format!("V, {at:?}"), &v, 1);
        page.row("δ", &td_residual(&r, &v, &mask, &Ends::stop(1, 3), Gap::Skip, 1.0), 1);
    }
}

// ANCHOR: gradient
fn gradient(page: &mut Transcript) {
    let (h, mask) = (states(), Mask::full(1, 3));
    let grad_v = dmatrix![-1.0, 0.0, 2.0];
    let grad = value_head_grad(&grad_v, &w_v(), &[h], &mask);
    page.section("gradient");
    page.row("∂L/∂V", &grad_v, 2);
    page.row("∂L/∂W_v", &grad.w_v, 2);
    for t in 0..3 {
        page.row(&format!("∂L/∂h_{t}"), grad.h[0].row(t).iter(), 2);
    }
}
// ANCHOR_END: gradient

/// A head that starts at 0 says 0, and asks nothing of the backbone.
fn born_silent(page: &mut Transcript) {
    let (h, mask) = (states(), Mask::full(1, 3));
    let zero = RowDVector::zeros(2);
    let grad = value_head_grad(&dmatrix![-1.0, 0.0, 2.0], &zero, std::slice::from_ref(&h), &mask);
    page.section("born-silent");
    page.row("V", &value_head(&zero, &[h], &mask), 2);
    page.row("∂L/∂W_v", &grad.w_v, 2);
    page.row("∂L/∂h_2", grad.h[0].row(2).iter(), 2);
}

/// How much of the small transformer the head is.
fn size(page: &mut Transcript) {
    let size = Size { vocab: 9, prompt_len: 5, t_len: 6, d_model: 32, n_heads: 4, d_mlp: 64, n_blocks: 1 };
    let model = Transformer::init(1, size);
    let all: usize = model.named().iter().map(|(_, theta)| theta.len()).sum();
    page.section("size");
    page.line(format!("parameters of the small transformer: {all}"));
    page.line(format!("parameters of its value head: {}", model.w_v.len()));
}
