//! The token pass of arrays that stay on a device: what is checked before it is launched.

use super::{Flow, NONE, launch, launch_grad};
use crate::{
    Error,
    cuda::{Batch, Place, Stream, View, ViewMut},
    token_pass::{Logit, inv_tau, logits::Shape},
};

/// Rows of logits on a device, one per slot of the batch, as [`crate::Logits`].
#[derive(Debug, Clone, Copy)]
pub struct Logits<'a, X> {
    data: View<'a, X>,
    shape: Shape,
}

/// Room on a device for the gradient of rows of logits, or rows that it will replace.
#[derive(Debug)]
pub struct LogitsMut<'a, X> {
    data: ViewMut<'a, X>,
    shape: Shape,
}

impl<'a, X: Logit> Logits<'a, X> {
    /// Rows of `vocab` logits that begin `stride` apart.
    ///
    /// # Errors
    ///
    /// If `vocab` is 0 or above 524,288, or rows overlap.
    pub fn strided(data: View<'a, X>, vocab: usize, stride: usize) -> Result<Logits<'a, X>, Error> {
        Ok(Logits { data, shape: Shape::new(vocab, stride)? })
    }
}

impl<'a, X: Logit> LogitsMut<'a, X> {
    /// As [`Logits::strided`].
    ///
    /// # Errors
    ///
    /// As [`Logits::strided`].
    pub fn strided(data: ViewMut<'a, X>, vocab: usize, stride: usize) -> Result<LogitsMut<'a, X>, Error> {
        Ok(LogitsMut { data, shape: Shape::new(vocab, stride)? })
    }
}

impl<X: Logit> LogitsMut<'_, X> {
    /// For a call that reads what stands there.
    pub fn logits(&self) -> Logits<'_, X> {
        Logits { data: self.data.view(), shape: self.shape }
    }
}

/// Logits as their arguments are checked: a row for every slot, on the stream's device.
fn check_logits<X: Logit>(
    op: &'static str,
    name: &'static str,
    on: &Stream,
    batch: &Batch<'_>,
    (data, shape): (View<'_, X>, Shape),
) -> Result<(), Error> {
    shape.check(op, name, batch.mask(), data.len())?;
    data.named(name).check(op, on, data.len(), "logit")
}

/// Where [`token_pass`] writes what it is asked for on a device, as [`crate::TokenOut`].
#[derive(Debug, Default)]
pub struct TokenOut<'a> {
    /// log π of each action, nats.
    pub logp: Option<ViewMut<'a, f32>>,
    /// H, nats.
    pub ent: Option<ViewMut<'a, f32>>,
    /// The largest logit, after `tau`.
    pub max: Option<ViewMut<'a, f32>>,
    /// ln Σ exp(x − max), after `tau`.
    pub ln_sum: Option<ViewMut<'a, f32>>,
    /// The largest logit, after `tau_ent`.
    pub max_ent: Option<ViewMut<'a, f32>>,
    /// ln Σ exp(x − max), after `tau_ent`.
    pub ln_sum_ent: Option<ViewMut<'a, f32>>,
}

/// What [`token_pass_grad`] needs of the forward pass, as [`crate::TokenStats`].
#[derive(Debug, Clone, Copy)]
pub struct TokenStats<'a> {
    /// H.
    pub ent: View<'a, f32>,
    /// The largest logit, after `tau`.
    pub max: View<'a, f32>,
    /// ln Σ exp(x − max), after `tau`.
    pub ln_sum: View<'a, f32>,
    /// `max_ent` and `ln_sum_ent`: needed where `tau_ent` is not `tau`.
    pub of_ent: Option<(View<'a, f32>, View<'a, f32>)>,
}

/// [`crate::token_pass()`] of arrays on a device, asked of a stream: the same bits. An action outside the vocabulary is not
/// refused: all that is said of its token is NaN.
///
/// # Errors
///
/// As there, but for actions; or if an argument lies elsewhere.
pub fn token_pass<X: Logit>(
    on: &Stream,
    logits: Logits<'_, X>,
    actions: View<'_, u32>,
    batch: &Batch<'_>,
    tau: f64,
    tau_ent: f64,
    out: TokenOut<'_>,
) -> Result<(), Error> {
    const OP: &str = "cuda::token_pass";
    let taus = [inv_tau(OP, "tau", tau)?, inv_tau(OP, "tau_ent", tau_ent)?];
    check_logits(OP, "logits", on, batch, (logits.data, logits.shape))?;
    batch.check(OP, on, &[actions.named("actions")])?;
    let TokenOut { logp, ent, max, ln_sum, max_ent, ln_sum_ent } = out;
    let names = ["logp", "ent", "max", "ln_sum", "max_ent", "ln_sum_ent"];
    let out = [logp, ent, max, ln_sum, max_ent, ln_sum_ent];
    for (to, name) in out.iter().zip(names) {
        to.as_ref().map_or(Ok(()), |to| batch.check(OP, on, &[to.named(name)]))?;
    }
    let x = (logits.data.address(), logits.shape);
    launch(on, batch, x, actions.address(), taus, out.each_ref().map(Place::place)).map_err(|err| err.by(OP))
}

/// [`crate::token_pass_grad`] of arrays on a device, asked of a stream: the same bits. An action outside the vocabulary is no
/// logit's.
///
/// # Errors
///
/// As there, but for actions; or if an argument lies elsewhere.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn token_pass_grad<X: Logit>(
    on: &Stream,
    logits: Logits<'_, X>,
    actions: View<'_, u32>,
    batch: &Batch<'_>,
    tau: f64,
    tau_ent: f64,
    stats: TokenStats<'_>,
    g_logp: View<'_, f32>,
    g_ent: View<'_, f32>,
    grad: LogitsMut<'_, X>,
) -> Result<(), Error> {
    const OP: &str = "cuda::token_pass_grad";
    check_logits(OP, "logits", on, batch, (logits.data, logits.shape))?;
    check_logits(OP, "grad", on, batch, (grad.data.view(), grad.shape))?;
    if grad.shape.vocab != logits.shape.vocab {
        let (grad, logits) = (grad.shape.vocab, logits.shape.vocab);
        return Err(Error::GradVocab { op: OP, grad, logits });
    }
    let flow = Flow::checked(OP, on, batch, actions, [tau, tau_ent], stats, [g_logp, g_ent])?;
    let from = (logits.data.address(), logits.shape.stride);
    launch_grad(on, batch, from, (grad.data.address(), grad.shape), flow).map_err(|err| err.by(OP))
}

/// [`crate::token_pass_grad_in_place`] of arrays on a device, asked of a stream: as [`token_pass_grad`].
///
/// # Errors
///
/// As [`token_pass_grad`].
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn token_pass_grad_in_place<X: Logit>(
    on: &Stream,
    logits: LogitsMut<'_, X>,
    actions: View<'_, u32>,
    batch: &Batch<'_>,
    tau: f64,
    tau_ent: f64,
    stats: TokenStats<'_>,
    g_logp: View<'_, f32>,
    g_ent: View<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::token_pass_grad_in_place";
    let LogitsMut { data, shape } = logits;
    check_logits(OP, "logits", on, batch, (data.view(), shape))?;
    let flow = Flow::checked(OP, on, batch, actions, [tau, tau_ent], stats, [g_logp, g_ent])?;
    let place = (data.address(), shape.stride);
    launch_grad(on, batch, place, (data.address(), shape), flow).map_err(|err| err.by(OP))
}

impl Flow {
    fn checked(
        op: &'static str,
        on: &Stream,
        batch: &Batch<'_>,
        actions: View<'_, u32>,
        [tau, tau_ent]: [f64; 2],
        TokenStats { ent, max, ln_sum, of_ent }: TokenStats<'_>,
        [g_logp, g_ent]: [View<'_, f32>; 2],
    ) -> Result<Flow, Error> {
        let inv_tau = [inv_tau(op, "tau", tau)?, inv_tau(op, "tau_ent", tau_ent)?];
        let of_logp = [ent.named("ent"), max.named("max"), ln_sum.named("ln_sum")];
        batch.check(op, on, &of_logp)?;
        let g = [g_logp.named("g_logp"), g_ent.named("g_ent"), actions.named("actions")];
        batch.check(op, on, &g)?;
        let of_ent = match of_ent {
            _ if inv_tau[0] == inv_tau[1] => [NONE; 2],
            Some((max, ln_sum)) => {
                batch.check(op, on, &[max.named("max_ent"), ln_sum.named("ln_sum_ent")])?;
                [max.address(), ln_sum.address()]
            }
            None => return Err(Error::StatsOfEntropy { op, tau, tau_ent }),
        };
        let of_logp = [max.address(), ln_sum.address()];
        let g = [g_logp.address(), g_ent.address()];
        Ok(Flow { actions: actions.address(), inv_tau, ent: ent.address(), of_logp, of_ent, g })
    }
}
