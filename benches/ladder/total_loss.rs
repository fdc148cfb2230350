//! `total_loss` is four numbers; what of it takes time is the KL as a loss: log π and log π_ref in, the
//! gradient out.

use crate::work::{EXP, Work, normals};
use optimized::{Agg, Grad, Kl, KlEstimate, KlGrad, KlOut, Put, kl_loss};

/// K3, the estimator that needs an exp, with its own gradient.
pub(crate) fn kl_with_gradient(size: (usize, usize)) -> Work<f32> {
    const K3: KlEstimate = KlEstimate { kind: Kl::K3, clamp_in: f64::INFINITY, clamp_out: f64::INFINITY };
    let reads = normals(2, size, 0.3);
    Work::of_tokens("kl_loss with gradient", 7 + EXP, size, reads, 1, |on, mask, reads, writes| {
        let ([logp, logp_ref], [to]) = (reads, writes) else { unreachable!("two in, one out") };
        let out = KlOut { grad: Some(Grad { c: 0.05, to }), put: Put::Replace };
        Ok(vec![kl_loss(on, logp, logp_ref, mask, K3, KlGrad::Own, Agg::TokenMean, out)?])
    })
}
