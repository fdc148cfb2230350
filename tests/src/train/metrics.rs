//! What an iteration is logged by.

use super::{Recipe, State, rollout::is_done};
use reference::{
    cost::{Cost, Critic, ReferenceModel, cost},
    grad_norm::grad_norm,
    iteration::{Batch, Epoch},
    step::{Rollout, Targets},
    transformer::Responses,
};

/// What one iteration is logged by. Nothing here is measured time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metrics {
    /// Iterations done, this one counted.
    pub iteration: usize,
    /// Mean score of the responses that were scored.
    pub score: f64,
    /// `eq:policy-loss`, mean over the inner epochs, as all losses here.
    pub l_policy: f64,
    /// `eq:value-loss`.
    pub l_value: f64,
    /// `eq:entropy`, nats a token.
    pub ent: f64,
    /// KL of the policy of the last epoch to the rollout's, nats a token.
    pub approx_kl: f64,
    /// Share of tokens that the ratio's clip acts on, last epoch.
    pub clip_frac: f64,
    /// Share of tokens that the value's clip acts on, last epoch.
    pub value_clip_frac: f64,
    /// `eq:grad-norm` before the clip, mean over the inner epochs.
    pub grad_norm: f64,
    /// And after it.
    pub grad_norm_clipped: f64,
    /// Mean of `eq:return` over the tokens.
    pub mean_ret: f64,
    /// Mean of V when the rollout was made.
    pub mean_v: f64,
    /// Mean length of a response, tokens.
    pub length: f64,
    /// Share of responses that were cut off at their limit.
    pub cut: f64,
    /// `eq:kl` of the rollout to the reference model, mean over the tokens; none without one.
    pub kl_ref: Option<f64>,
    /// `eq:cost` of this iteration.
    pub cost: Cost,
    /// Its FLOPs and those of all iterations before it.
    pub flops_so_far: f64,
}

pub(super) fn metrics(
    recipe: &Recipe,
    state: &State,
    prompts: &[Vec<usize>],
    responses: &Responses,
    batch: &Batch,
    (rollout, targets, epochs): &(Rollout, Targets, Vec<Epoch>),
) -> Metrics {
    let b = prompts.len();
    let done: Vec<usize> = (0..b).filter(|row| is_done(responses, *row)).collect();
    let over = |f: &dyn Fn(&Epoch) -> f64| mean(epochs.iter().map(f));
    let last = &epochs[epochs.len() - 1];
    let count = responses.mask.count() as f64;
    let tokens = responses.mask.count() + prompts.iter().map(Vec::len).sum::<usize>();
    let params = state.model.named().iter().map(|(_, theta)| theta.len()).sum();
    let reference = if recipe.has_reference_model() { ReferenceModel::With } else { ReferenceModel::Without };
    let cost = cost(params, tokens, epochs.len(), reference, Critic::SharedJointPass);
    Metrics {
        iteration: state.iteration,
        score: mean(done.iter().map(|row| batch.scores[(*row, 0)])),
        l_policy: over(&|e| e.losses.policy.loss),
        l_value: over(&|e| e.losses.value.loss),
        ent: over(&|e| e.losses.ent),
        approx_kl: last.losses.policy.approx_kl,
        clip_frac: last.losses.policy.clip_frac,
        value_clip_frac: last.losses.value.clip_frac,
        grad_norm: over(&|e| e.grad_norm),
        grad_norm_clipped: over(&|e| grad_norm(&e.clipped)),
        mean_ret: targets.mask.sum(&targets.ret) / targets.mask.count() as f64,
        mean_v: targets.mask.sum(&rollout.v_old) / targets.mask.count() as f64,
        length: count / b as f64,
        cut: (b - done.len()) as f64 / b as f64,
        kl_ref: targets.kl.as_ref().map(|kl| targets.mask.sum(kl) / targets.mask.count() as f64),
        cost,
        flops_so_far: state.flops + cost.flops,
    }
}

/// The mean, summed in order.
pub(super) fn mean(x: impl IntoIterator<Item = f64>) -> f64 {
    let (mut total, mut n) = (0.0, 0);
    for x in x {
        total += x;
        n += 1;
    }
    total / n as f64
}
