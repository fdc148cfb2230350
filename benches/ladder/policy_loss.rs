//! `policy_loss`: log π, log π_old and Â in, the gradient out.

use crate::work::{Work, normal, ragged, tokens};
use optimized::{Agg, ClipFrac, Grad, Kl, KlOf, Mask, PolicyClip, PolicyOut, policy_loss};

/// The loss with its gradient, and what a trainer logs.
pub(crate) fn with_gradient(size: (usize, usize)) -> Work<f32> {
    let valid = ragged(size);
    let n = valid.len();
    let logp_old: Vec<f32> = normal(1, n, -3.0, 1.0);
    let moved: Vec<f32> = normal(2, n, 0.0, 0.3);
    let logp = logp_old.iter().zip(&moved).map(|(old, by)| old + by).collect();
    let clip = PolicyClip {
        eps_lo: 0.2,
        eps_hi: 0.2,
        c_dual: 3.0,
        log_ratio_clamp: 20.0,
        clip_frac: ClipFrac::Effective,
        kl_kind: Kl::K1,
        kl_of: KlOf::Clamped,
    };
    let reads = vec![logp, logp_old, normal(3, n, 0.0, 1.0)];
    let what = "policy_loss with gradient";
    Work::new(
        what,
        size,
        tokens(&valid),
        reads,
        1,
        Box::new(move |on, reads, writes| {
            let mask = Mask::padded(&valid, size.0, size.1)?;
            let ([logp, logp_old, adv], [to]) = (reads, writes) else { unreachable!("three in, one out") };
            let out = PolicyOut { grad: Some(Grad { c: 1.0, to }), ..PolicyOut::default() };
            let said = policy_loss(on, logp, logp_old, adv, &mask, None, &clip, Agg::TokenMean, out)?;
            Ok(vec![said.loss, said.clip_frac, said.clip_frac_lower, said.approx_kl])
        }),
    )
}
