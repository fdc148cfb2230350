//! How undecided the policy is: `eq:entropy`. The kernel and the gradient are `token_pass`'s.

use crate::{
    Backend, Error, Logit, Logits, Mask, TokenOut,
    token_pass::{forward, inv_tau},
};

/// The entropy of each token's distribution, nats: [`crate::token_pass`] without the log-probability.
///
/// `logits` hold the row that produced token i at slot i; `tau` > 0 is the temperature. Never negative; a row
/// that is all −∞, or holds a NaN or +∞, gives NaN. A masked slot gets +0 and its row is not read. The gradient
/// is [`crate::token_pass_grad`] with `g_logp` of 0.
///
/// # Errors
///
/// If a length is not the mask's or `tau` is not > 0 and finite.
#[doc(alias = "eq:entropy")]
pub fn entropy<X: Logit>(
    on: Backend,
    logits: Logits<'_, X>,
    mask: &Mask<'_>,
    tau: f64,
    out: &mut [f32],
) -> Result<(), Error> {
    const OP: &str = "entropy";
    let inv_tau = inv_tau(OP, "tau", tau)?;
    let out = TokenOut { ent: Some(out), ..TokenOut::default() };
    forward(OP, on, logits, None, mask, [inv_tau; 2], out)
}
