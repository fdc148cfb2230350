//! `total_loss` is four numbers; what of it takes time is the KL as a loss: log π and log π_ref in, the
//! gradient out.

use crate::work::{Work, normal, ragged, tokens};
use optimized::{Agg, Grad, Kl, KlEstimate, KlGrad, KlOut, Mask, Put, kl_loss};

/// K3, the estimator that needs an exp, with its own gradient.
pub(crate) fn kl_with_gradient(size: (usize, usize)) -> Work<f32> {
    let valid = ragged(size);
    let reads = vec![normal(1, valid.len(), -3.0, 0.3), normal(2, valid.len(), -3.0, 0.3)];
    let estimate = KlEstimate { kind: Kl::K3, clamp_in: f64::INFINITY, clamp_out: f64::INFINITY };
    let what = "kl_loss with gradient";
    Work::new(
        what,
        size,
        tokens(&valid),
        reads,
        1,
        Box::new(move |on, reads, writes| {
            let mask = Mask::padded(&valid, size.0, size.1)?;
            let ([logp, logp_ref], [to]) = (reads, writes) else { unreachable!("two in, one out") };
            let out = KlOut { grad: Some(Grad { c: 0.05, to }), put: Put::Replace };
            Ok(vec![kl_loss(on, logp, logp_ref, &mask, estimate, KlGrad::Own, Agg::TokenMean, out)?])
        }),
    )
}
