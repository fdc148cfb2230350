//! `value_loss`: V, V_old and R in, the gradient out.

use crate::work::{Work, normals};
use ppo_benches::verl;

/// The loss with its gradient, and what a trainer logs.
pub(crate) fn with_gradient(size: (usize, usize)) -> Work<f32> {
    let reads = normals(3, size, 0.3);
    Work::of_tokens("value_loss with gradient", size, reads, 1, |on, mask, reads, writes| {
        let said = verl::value_loss(on, mask, reads, writes)?;
        Ok(vec![said.loss, said.clip_frac])
    })
}
