//! Log-probability and entropy of every token in one read of its logits, and the gradient of whatever the loss
//! made of the two in one read and one write: `eq:log-prob`, `eq:entropy`.

#[cfg(test)]
mod cases;
#[cfg(kernels)]
pub(crate) mod cuda;
mod forward;
mod grad;
mod lanes;
mod logits;
mod many;
mod passes;
mod place;
mod shard;
#[cfg(test)]
mod spec;
#[cfg(test)]
mod tests;

pub use lanes::TokenStat;
pub use logits::{Logit, Logits, LogitsMut};
pub use shard::LogSumExp;

use crate::{Backend, Error, Mask, check, memory::Store, parallel::over_slots};
use core::ops::Range;
use fearless_simd::Level;
use forward::{Forward, Rooms, Wanted};
use grad::Backward;
use place::Place;

/// Logits that a block holds at most, unless one row has more.
const BLOCK: usize = 1 << 17;

/// Where [`token_pass`] writes what it is asked for: arrays of the mask's layout. Masked slots get +0; slots
/// between rows are left alone.
#[derive(Debug, Default)]
pub struct TokenOut<'a> {
    /// log π of each action, nats.
    pub logp: Option<&'a mut [f32]>,
    /// H, nats.
    pub ent: Option<&'a mut [f32]>,
    /// The largest logit, after `tau`.
    pub max: Option<&'a mut [f32]>,
    /// ln Σ exp(x − max), after `tau`.
    pub ln_sum: Option<&'a mut [f32]>,
    /// The largest logit, after `tau_ent`.
    pub max_ent: Option<&'a mut [f32]>,
    /// ln Σ exp(x − max), after `tau_ent`.
    pub ln_sum_ent: Option<&'a mut [f32]>,
}

/// What [`token_pass_grad`] needs of the forward pass: what [`TokenOut`] got, in the mask's layout.
#[derive(Debug, Clone, Copy)]
pub struct TokenStats<'a> {
    /// H.
    pub ent: &'a [f32],
    /// The largest logit, after `tau`.
    pub max: &'a [f32],
    /// ln Σ exp(x − max), after `tau`.
    pub ln_sum: &'a [f32],
    /// `max_ent` and `ln_sum_ent`: needed where `tau_ent` is not `tau`, not looked at where it is.
    pub of_ent: Option<(&'a [f32], &'a [f32])>,
}

/// log π of each action and H of each token's distribution, in one read of the logits.
///
/// `logits` hold the row that produced token i at slot i, before temperature; `actions` the sampled token of each
/// slot, below the vocabulary; `tau` > 0 is the temperature of log π and `tau_ent` that of H. Where they differ
/// the row is read once for each. A logit of −∞ is a forbidden token and counts nothing; a row that is all −∞,
/// or holds a NaN or +∞, gives NaN. A masked slot's row is not read and its action not looked at.
///
/// A token's results depend on its row alone. Equations are those of `reference::log_prob` and
/// `reference::entropy`; the order of operations is ORDER.md's.
///
/// # Errors
///
/// If a length is not the mask's, a temperature is not > 0 and finite, or the action of a valid slot is not below the
/// vocabulary. Nothing is written then.
#[doc(alias = "eq:log-prob")]
#[doc(alias = "eq:entropy")]
pub fn token_pass<X: Logit>(
    on: Backend,
    logits: Logits<'_, X>,
    actions: &[u32],
    mask: &Mask<'_>,
    tau: f64,
    tau_ent: f64,
    out: TokenOut<'_>,
) -> Result<(), Error> {
    const OP: &str = "token_pass";
    let inv_tau = [inv_tau(OP, "tau", tau)?, inv_tau(OP, "tau_ent", tau_ent)?];
    forward(OP, on, logits, Some(actions), mask, inv_tau, out)
}

/// [`token_pass`] by another name in its errors, and without actions where no log π is asked for.
pub(crate) fn forward<X: Logit>(
    op: &'static str,
    on: Backend,
    logits: Logits<'_, X>,
    actions: Option<&[u32]>,
    mask: &Mask<'_>,
    inv_tau: [f32; 2],
    out: TokenOut<'_>,
) -> Result<(), Error> {
    logits.check(op, mask)?;
    if let Some(actions) = actions {
        check_actions(op, actions, mask, logits.vocab())?;
    }
    let TokenOut { logp, ent, max, ln_sum, max_ent, ln_sum_ent } = out;
    let any = |of: [&Option<&mut [f32]>; 3]| of.iter().any(|out| out.is_some());
    let wanted = if inv_tau[0] == inv_tau[1] {
        Wanted::One
    } else {
        Wanted::Each([any([&logp, &max, &ln_sum]), any([&ent, &max_ent, &ln_sum_ent])])
    };
    let out: Rooms<'_> = [
        check::output(op, mask, "logp", logp)?,
        check::output(op, mask, "ent", ent)?,
        check::output(op, mask, "max", max)?,
        check::output(op, mask, "ln_sum", ln_sum)?,
        check::output(op, mask, "max_ent", max_ent)?,
        check::output(op, mask, "ln_sum_ent", ln_sum_ent)?,
    ];
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        return cuda::forward(device, logits, actions, mask, inv_tau, out).map_err(|err| err.by(op));
    }
    let pass = Forward { logits, actions, mask: *mask, inv_tau, wanted };
    let level = on.level(op)?;
    let block = |slots: Range<usize>, out: Rooms<'_>| X::forward(level, &pass, slots, out);
    over_slots(0..mask.valid().len(), BLOCK / logits.vocab(), out, &block);
    Ok(())
}

/// c · ∂L/∂logits of every token, given ∂L/∂log π and ∂L/∂H: one read of the logits and one write of `grad`.
///
/// `g_logp` and `g_ent` hold one number per slot, `stats` what [`token_pass`] said of the same logits at the same
/// temperatures. `grad` has rows like the logits, and its own stride. A masked slot's row is not read and gets
/// +0; what stands between rows is left alone. A token that is NaN has a gradient of NaN; a forbidden one (−∞)
/// that is not the action has a gradient of 0.
///
/// # Errors
///
/// As [`token_pass`]; if `grad` has another vocabulary; and if the temperatures differ and `stats` lacks those
/// of the entropy.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
#[doc(alias = "eq:log-prob")]
#[doc(alias = "eq:entropy")]
pub fn token_pass_grad<X: Logit>(
    on: Backend,
    logits: Logits<'_, X>,
    actions: &[u32],
    mask: &Mask<'_>,
    tau: f64,
    tau_ent: f64,
    stats: TokenStats<'_>,
    g_logp: &[f32],
    g_ent: &[f32],
    grad: LogitsMut<'_, X>,
) -> Result<(), Error> {
    const OP: &str = "token_pass_grad";
    logits.check(OP, mask)?;
    grad.shape.check(OP, "grad", mask, grad.data.len())?;
    if grad.shape.vocab != logits.vocab() {
        return Err(Error::GradVocab { op: OP, grad: grad.shape.vocab, logits: logits.vocab() });
    }
    let pass = Backward::new(OP, actions, mask, logits.vocab(), [tau, tau_ent], stats, g_logp, g_ent)?;
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        return cuda::backward(device, &pass, Some(logits), grad).map_err(|err| err.by(OP));
    }
    let store = Store::of::<X>(grad.data.len());
    backward(on.level(OP)?, &pass, Place::Apart { logits, to: grad.data, shape: grad.shape, store });
    Ok(())
}

/// [`token_pass_grad`] that replaces the logits by their gradient.
///
/// # Errors
///
/// As [`token_pass_grad`].
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn token_pass_grad_in_place<X: Logit>(
    on: Backend,
    logits: LogitsMut<'_, X>,
    actions: &[u32],
    mask: &Mask<'_>,
    tau: f64,
    tau_ent: f64,
    stats: TokenStats<'_>,
    g_logp: &[f32],
    g_ent: &[f32],
) -> Result<(), Error> {
    const OP: &str = "token_pass_grad_in_place";
    let LogitsMut { data, shape } = logits;
    shape.check(OP, "logits", mask, data.len())?;
    let pass = Backward::new(OP, actions, mask, shape.vocab, [tau, tau_ent], stats, g_logp, g_ent)?;
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        let place = LogitsMut { data, shape };
        return cuda::backward(device, &pass, None, place).map_err(|err| err.by(OP));
    }
    backward(on.level(OP)?, &pass, Place::Within { data, shape });
    Ok(())
}

fn backward<X: Logit>(on: Level, pass: &Backward<'_>, place: Place<'_, X>) {
    let block = |slots: Range<usize>, place: Place<'_, X>| {
        let store = place.store();
        X::backward(on, pass, slots, place);
        store.finish();
    };
    over_slots(0..pass.mask.valid().len(), BLOCK / pass.vocab, place, &block);
}

/// 1/τ in f32, of a temperature rounded to f32; never 0, since 0 · −∞ is no logit.
pub(crate) fn inv_tau(op: &'static str, name: &'static str, tau: f64) -> Result<f32, Error> {
    Ok(1.0 / check::setting(op, name, tau, "be > 0 and finite", |tau| tau > 0.0 && tau < f32::INFINITY)?)
}

/// Every valid slot's action is a token of the vocabulary.
fn check_actions(op: &'static str, actions: &[u32], mask: &Mask<'_>, vocab: usize) -> Result<(), Error> {
    check::lengths(op, mask, &[("actions", actions.len())])?;
    let outside = |slot: &usize| mask.valid()[*slot] && actions[*slot] as usize >= vocab && mask.holds(*slot);
    match (0..actions.len()).find(outside) {
        Some(slot) => Err(Error::Action { op, slot, action: actions[slot], vocab }),
        None => Ok(()),
    }
}
