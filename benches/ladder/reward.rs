//! `kl` and `reward`: the KL of each token, and the reward that it takes from.

use crate::work::{EXP, Work, normals};
use optimized::{Kl, KlEstimate, kl, reward};

/// K3, the estimator that needs an exp: log π and log π_ref in, the KL out.
pub(crate) fn kl_of_tokens(size: (usize, usize)) -> Work<f32> {
    const K3: KlEstimate = KlEstimate { kind: Kl::K3, clamp_in: f64::INFINITY, clamp_out: f64::INFINITY };
    Work::of_tokens("kl", 4 + EXP, size, normals(2, size, 0.3), 1, |on, mask, reads, writes| {
        kl(on, &reads[0], &reads[1], mask, K3, &mut writes[0])?;
        Ok(Vec::new())
    })
}

/// Scores in their slots and the KL in, r out.
pub(crate) fn shaped(size: (usize, usize)) -> Work<f32> {
    Work::of_tokens("reward", 1, size, normals(2, size, 1.0), 1, |on, mask, reads, writes| {
        reward(on, &reads[0], Some(&reads[1]), 0.05, mask, &mut writes[0])?;
        Ok(Vec::new())
    })
}
