//! `value_loss`: V, V_old and R in, the gradient out.

use crate::work::{Work, normals};
use ppo_benches::verl;

/// The loss with its gradient, and what a trainer logs: 4 operations for the clip, 2 for each error and its square, 1 for
/// the larger, 3 for the gradient, 2 for the sum and the count.
pub(crate) fn with_gradient(size: (usize, usize)) -> Work<f32> {
    let reads = normals(3, size, 0.3);
    Work::of_tokens("value_loss with gradient", 14, size, reads, 1, |on, mask, reads, writes| {
        let said = verl::value_loss(on, mask, reads, writes)?;
        Ok(vec![said.loss, said.clip_frac])
    })
}
