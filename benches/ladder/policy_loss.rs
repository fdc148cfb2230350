//! `policy_loss`: log π, log π_old and Â in, the gradient out.

use crate::work::{Work, normals};
use optimized::{Agg, ClipFrac, Grad, Kl, KlOf, PolicyClip, PolicyOut, policy_loss};

/// verl's choices.
const CLIP: PolicyClip = PolicyClip {
    eps_lo: 0.2,
    eps_hi: 0.2,
    c_dual: 3.0,
    log_ratio_clamp: 20.0,
    clip_frac: ClipFrac::Effective,
    kl_kind: Kl::K1,
    kl_of: KlOf::Clamped,
};

/// The loss with its gradient, and what a trainer logs.
pub(crate) fn with_gradient(size: (usize, usize)) -> Work<f32> {
    let reads = normals(3, size, 0.3);
    Work::of_tokens("policy_loss with gradient", size, reads, 1, |on, mask, reads, writes| {
        let ([logp, logp_old, adv], [to]) = (reads, writes) else { unreachable!("three in, one out") };
        let out = PolicyOut { grad: Some(Grad { c: 1.0, to }), ..PolicyOut::default() };
        let said = policy_loss(on, logp, logp_old, adv, mask, None, &CLIP, Agg::TokenMean, out)?;
        Ok(vec![said.loss, said.clip_frac, said.clip_frac_lower, said.approx_kl])
    })
}
