//! How the actor is moved: `eq:ratio`, `eq:policy-loss`, and the gradient in the same pass.

#[cfg(kernels)]
pub(crate) mod cuda;
mod lanes;
#[cfg(test)]
mod tests;

use crate::{
    Agg, Apart, Backend, Counts, Error, Grad, Mask, PolicyClip, Sum,
    aggregate::Divisors,
    check,
    lanes::{one_nan, share},
    tiles::{Passed, Put, pass},
};
use lanes::{Clip, Operands, Room};
use serde::{Deserialize, Serialize};

/// The policy loss with what a trainer logs beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolicyLoss {
    /// L_policy, unit of the advantage (1 if whitened).
    pub loss: f32,
    /// Share of valid tokens that the clip counts, see [`ClipFrac`](crate::ClipFrac).
    pub clip_frac: f32,
    /// Share of valid tokens where the dual clip acts.
    pub clip_frac_lower: f32,
    /// KL(π_old ‖ π) estimated from the sampled tokens, nats; a mean over tokens.
    pub approx_kl: f32,
}

/// What [`policy_loss`] writes per token where it is asked to: arrays of the mask's layout. Masked slots get
/// +0; slots between rows are left alone.
#[derive(Debug, Default)]
pub struct PolicyOut<'a> {
    /// The loss of each token before aggregation.
    pub per_token: Option<&'a mut [f32]>,
    /// ρ.
    pub ratio: Option<&'a mut [f32]>,
    /// c · ∂L_policy/∂log π.
    pub grad: Option<Grad<'a>>,
}

/// The clipped surrogate, and its gradient where `out` has room for it: one pass over the batch.
///
/// `logp`, `logp_old`, `adv` and `weights` are log π, log π_old, Â and w per slot of the mask; `clip` holds the
/// radii, the dual clip, the clamp, and what is logged. A NaN in a valid slot is the result; masked slots are
/// never used. Equations, ties and what is counted are those of `reference::policy_loss`; the order of
/// operations is ORDER.md's.
///
/// # Errors
///
/// If a length is not the mask's, a setting lies outside its range, no token is valid, or the mask is a part
/// of a batch (see [`policy_sums`]).
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
#[doc(alias = "eq:ratio")]
#[doc(alias = "eq:policy-loss")]
pub fn policy_loss(
    on: Backend,
    logp: &[f32],
    logp_old: &[f32],
    adv: &[f32],
    mask: &Mask<'_>,
    weights: Option<&[f32]>,
    clip: &PolicyClip,
    agg: Agg,
    out: PolicyOut<'_>,
) -> Result<PolicyLoss, Error> {
    const OP: &str = "policy_loss";
    mask.refuse_part(OP)?;
    let sums = policy_sums(on, logp, logp_old, adv, mask, weights, clip, agg, out);
    sums.map_err(|error| error.by(OP))?.finish(agg)
}

/// The sums behind [`policy_loss`] of some rows of a batch. Merged over the whole batch they finish to the bits
/// of the batch that was never cut; gradients divide by the counts that the mask was told of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PolicySums {
    loss: Sum,
    kl: Sum,
    clipped: u64,
    lower: u64,
    counts: Counts,
}

impl PolicySums {
    /// These rows and those that follow.
    ///
    /// # Errors
    ///
    /// If they do not follow.
    pub fn merge(self, next: PolicySums) -> Result<PolicySums, Apart> {
        Ok(PolicySums {
            loss: self.loss.merge(next.loss)?,
            kl: self.kl.merge(next.kl)?,
            clipped: self.clipped.saturating_add(next.clipped),
            lower: self.lower.saturating_add(next.lower),
            counts: self.counts.merge(next.counts),
        })
    }

    /// The loss of the rows that were merged, by the aggregation that the sums were made with: the batch's once all
    /// of it is in, a lone part's own before.
    ///
    /// # Errors
    ///
    /// If no token is valid.
    pub fn finish(&self, agg: Agg) -> Result<PolicyLoss, Error> {
        const OP: &str = "policy_sums";
        check::has_tokens(OP, self.counts)?;
        let tokens = self.counts.tokens;
        Ok(PolicyLoss {
            loss: Divisors::new(OP, agg, self.counts)?.finish(self.loss.finish()),
            clip_frac: share(self.clipped, tokens),
            clip_frac_lower: share(self.lower, tokens),
            approx_kl: one_nan(self.kl.finish() / tokens as f32),
        })
    }
}

/// [`policy_loss`] of rows that may be a part of a batch ([`Mask::part_of`]): sums instead of means.
///
/// # Errors
///
/// As [`policy_loss`], but for parts; and if the *whole* batch has no valid token.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn policy_sums(
    on: Backend,
    logp: &[f32],
    logp_old: &[f32],
    adv: &[f32],
    mask: &Mask<'_>,
    weights: Option<&[f32]>,
    clip: &PolicyClip,
    agg: Agg,
    out: PolicyOut<'_>,
) -> Result<PolicySums, Error> {
    const OP: &str = "policy_sums";
    check::lengths(OP, mask, &[("logp", logp.len()), ("logp_old", logp_old.len()), ("adv", adv.len())])?;
    if let Some(weights) = weights {
        check::lengths(OP, mask, &[("weights", weights.len())])?;
    }
    let clip = Clip::new(OP, clip)?;
    let whole = mask.whole();
    check::has_tokens(OP, whole)?;
    let divisors = Divisors::new(OP, agg, whole)?;
    let (c, grad) = Grad::split(OP, mask, out.grad)?;
    let per_token = check::output(OP, mask, "per_token", out.per_token)?;
    let ratio = check::output(OP, mask, "ratio", out.ratio)?;
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        let out = [per_token, ratio, grad];
        let made = cuda::sums(device, [logp, logp_old, adv], weights, mask, &clip, &divisors, c, out);
        let ([loss, kl], [clipped, lower]) = made.map_err(|err| err.by(OP))?;
        return Ok(PolicySums { loss, kl, clipped, lower, counts: mask.counts() });
    }
    let Passed { sums: [loss, kl], counted: [clipped, lower], counts } = pass(
        on.level(OP)?,
        mask,
        &divisors,
        [per_token, None, ratio, grad],
        Put::Replace,
        #[inline(always)]
        |piece, [loss, kl, ratio, grad]| {
            let at = piece.slots;
            let x = Operands {
                logp: &logp[at.clone()],
                logp_old: &logp_old[at.clone()],
                adv: &adv[at.clone()],
                weights: weights.map(|weights| &weights[at.clone()]),
                valid: &mask.valid()[at],
                full: piece.full,
            };
            lanes::piece(x, &clip, piece.weight * c, Room { loss, kl, ratio, grad })
        },
    );
    Ok(PolicySums { loss, kl, clipped, lower, counts })
}
