//! `value_loss`: V, V_old and R in, the gradient out.

use crate::work::{Work, normal, ragged, tokens};
use optimized::{Agg, Grad, Half, Mask, ValueClip, ValueOut, value_loss};

/// The loss with its gradient, and what a trainer logs.
pub(crate) fn with_gradient(size: (usize, usize)) -> Work<f32> {
    let valid = ragged(size);
    let reads = (1..4).map(|seed| normal(seed, valid.len(), 0.0, 0.3)).collect();
    let what = "value_loss with gradient";
    Work::new(
        what,
        size,
        tokens(&valid),
        reads,
        1,
        Box::new(move |on, reads, writes| {
            let mask = Mask::padded(&valid, size.0, size.1)?;
            let ([v, v_old, ret], [to]) = (reads, writes) else { unreachable!("three in, one out") };
            let out = ValueOut { per_token: None, grad: Some(Grad { c: 1.0, to }) };
            let (form, agg) = (ValueClip::Max, Agg::TokenMean);
            let said = value_loss(on, v, v_old, ret, &mask, 0.2, form, agg, Half::Yes, out)?;
            Ok(vec![said.loss, said.clip_frac])
        }),
    )
}
