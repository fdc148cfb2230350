//! `gae` and `returns`: r and V in, Â and R out.

use crate::work::{Work, normals};
use optimized::returns;
use ppo_benches::verl;

/// Advantages and returns in one pass, γ = 0.99 and λ = 0.95: δ is 2 operations, three strides over a group 3 each, the
/// carry 2, the return 1.
pub(crate) fn with_returns(size: (usize, usize)) -> Work<f32> {
    Work::of_tokens("gae and returns", 14, size, normals(2, size, 1.0), 2, |on, mask, reads, writes| {
        verl::gae(on, mask, reads, writes)?;
        Ok(Vec::new())
    })
}

/// Returns from advantages that are there: Â and V in, R out.
pub(crate) fn returns_alone(size: (usize, usize)) -> Work<f32> {
    Work::of_tokens("returns", 1, size, normals(2, size, 1.0), 1, |on, mask, reads, writes| {
        returns(on, &reads[0], &reads[1], mask, &mut writes[0])?;
        Ok(Vec::new())
    })
}
