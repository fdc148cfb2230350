//! `value_loss`: V, V_old and R in, the gradient out.

use crate::work::{Work, normals};
use optimized::{Agg, Grad, Half, ValueClip, ValueOut, value_loss};

/// The loss with its gradient, and what a trainer logs.
pub(crate) fn with_gradient(size: (usize, usize)) -> Work<f32> {
    let reads = normals(3, size, 0.3);
    Work::of_tokens("value_loss with gradient", size, reads, 1, |on, mask, reads, writes| {
        let ([v, v_old, ret], [to]) = (reads, writes) else { unreachable!("three in, one out") };
        let out = ValueOut { per_token: None, grad: Some(Grad { c: 1.0, to }) };
        let (form, agg) = (ValueClip::Max, Agg::TokenMean);
        let said = value_loss(on, v, v_old, ret, mask, 0.2, form, agg, Half::Yes, out)?;
        Ok(vec![said.loss, said.clip_frac])
    })
}
