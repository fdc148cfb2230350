//! How likely the sampled token is: `eq:log-prob`. The kernel and the gradient are `token_pass`'s.

use crate::{
    Backend, Error, Logit, Logits, Mask, TokenOut,
    token_pass::{forward, inv_tau},
};

/// The log-probability of each sampled token under the policy, nats: [`crate::token_pass`] without the entropy.
///
/// `logits` hold the row that produced token i at slot i; `actions` the sampled tokens, below the vocabulary;
/// `tau` > 0 is the temperature. A row that is all −∞, or holds a NaN or +∞, gives NaN. A masked slot gets +0,
/// and its row and its action are not looked at. The gradient is [`crate::token_pass_grad`] with `g_ent` of 0.
///
/// # Errors
///
/// If a length is not the mask's, `tau` is not > 0 and finite, or the action of a valid slot is not below the
/// vocabulary.
#[doc(alias = "eq:log-prob")]
pub fn log_prob<X: Logit>(
    on: Backend,
    logits: Logits<'_, X>,
    actions: &[u32],
    mask: &Mask<'_>,
    tau: f64,
    out: &mut [f32],
) -> Result<(), Error> {
    const OP: &str = "log_prob";
    let inv_tau = inv_tau(OP, "tau", tau)?;
    let out = TokenOut { logp: Some(out), ..TokenOut::default() };
    forward(OP, on, logits, Some(actions), mask, [inv_tau; 2], out)
}
