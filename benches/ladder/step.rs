//! `step`: one inner epoch from logits to their gradient. They are read twice and the gradient is written once;
//! what has a number a token is small beside them.

use crate::{
    token_pass::{FORWARD, GRADIENT, logits},
    work::{Work, normals},
};
use optimized::{
    Error, Logits, LogitsMut, Settings,
    step::{Gradients, Now, Targets, logits_grad, losses},
};

/// Log-probabilities and entropies, the losses with their gradients, and the gradient in the logits.
pub(crate) fn inner_epoch(size: (usize, usize)) -> Result<Work<f32>, Error> {
    let (x, mut rows) = logits::<f32>(size);
    let tokens = normals(6, (1, size.0), 0.3);
    let settings = Settings::default();
    let mut grads = Gradients::new(&rows.mask()?);
    let call = move |on, x: &[Vec<f32>], to: &mut [Vec<f32>]| {
        let (x, to) = (Logits::new(&x[0], size.1)?, LogitsMut::new(&mut to[0], size.1)?);
        rows.forward(on, x)?;
        let [logp_old, logp_ref, v_old, adv, ret, v] = &tokens[..] else { unreachable!("six arrays") };
        let mask = rows.mask()?;
        let (weights, logp_ref) = (None, Some(&logp_ref[..]));
        let targets = Targets { mask, value_mask: mask, logp_old, logp_ref, v_old, adv, ret, weights };
        let now = Now { logp: &rows.said[0], ent: &rows.said[1], v };
        let said = losses(on, &targets, &now, &settings, &mut grads)?;
        logits_grad(on, x, &rows.actions, &targets, rows.stats(), &grads, &settings, to)?;
        Ok(vec![said.policy.loss, said.value.loss, said.ent, said.total])
    };
    Ok(Work::new("step, one inner epoch, f32", FORWARD + GRADIENT, size, size.0, vec![x], 1, Box::new(call)))
}
