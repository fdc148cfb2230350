//! `eq:value-head` in W_v and in the hidden states. No kinks: it is linear in each.

use crate::{
    differences::{U, hold, hold_each},
    inputs::{per_row, per_token, ragged, tokens},
    log_prob::weighted,
};
use conformance::cases::{Rng, on_grid};
use nalgebra::{DMatrix, RowDVector};
use reference::value_head::{value_head, value_head_grad};

#[test]
fn the_gradients_are_the_slopes_in_weights_and_states() {
    let mask = ragged();
    for d_model in [1, 3, 8] {
        let mut rng = Rng::new(d_model as u64);
        let h = per_row(&mask, d_model, &mut rng, 1.0);
        let w_v = DMatrix::from_fn(1, d_model, |_, _| on_grid(rng.normal()));
        let grad_v = per_token(&mask, |_| rng.normal());
        // d_model products and additions in V, one product and n additions in the sum over tokens; + ¼ for
        // what 2h adds to |W_v| and |h|.
        let roundings = (d_model + mask.count() + 2) as f64 * U;
        let size = |row: usize, t: usize, d: usize| (w_v[d].abs() + 0.25) * (h[row][(t, d)].abs() + 0.25);
        let err: f64 = tokens(&mask)
            .into_iter()
            .map(|(row, t)| {
                let size: f64 = (0..d_model).map(|d| size(row, t, d)).sum();
                roundings * grad_v[(row, t)].abs() * size
            })
            .sum();
        let head = |w_v: &DMatrix<f64>| RowDVector::from_row_slice(w_v.as_slice());
        let grad = value_head_grad(&grad_v, &head(&w_v), &h, &mask);
        let grad_w = DMatrix::from_row_slice(1, d_model, grad.w_v.as_slice());
        hold(&format!("value_head W_v, d_model {d_model}"), &w_v, &grad_w, err, |w_v| {
            weighted(&grad_v, &value_head(&head(w_v), &h, &mask), &mask)
        });
        hold_each(&format!("value_head h, d_model {d_model}"), &h, &grad.h, err, |h| {
            weighted(&grad_v, &value_head(&head(&w_v), h, &mask), &mask)
        });
    }
}
