//! `policy_loss`: log π, log π_old and Â in, the gradient out.

use crate::work::{EXP, Work, normals};
use ppo_benches::verl;

/// The loss with its gradient, and what a trainer logs: beside the exp, 3 operations for the log-ratio, 6 for the two
/// surrogates and the lesser, 5 for the dual clip, 5 for the gradient, 5 for two sums, two counts and the KL.
pub(crate) fn with_gradient(size: (usize, usize)) -> Work<f32> {
    let reads = normals(3, size, 0.3);
    Work::of_tokens("policy_loss with gradient", 24 + EXP, size, reads, 1, |on, mask, reads, writes| {
        let said = verl::policy_loss(on, mask, reads, writes)?;
        Ok(vec![said.loss, said.clip_frac, said.clip_frac_lower, said.approx_kl])
    })
}
