//! A policy that learns the task of [`task`] by the reference's iteration alone.

mod checkpoint;
pub mod claims;
mod dump;
mod durable;
mod folder;
mod line;
mod plan;
mod recipe;
pub mod task;
#[cfg(test)]
mod tests;

pub use checkpoint::{CHECKPOINT, read as read_checkpoint};
pub use dump::{evaluation, write as write_dump};
pub use folder::{Folder, METRICS};
pub use line::line;
pub use plan::{KEYS, Key, NOT_IN_TRAINING, Plan, default_of};
pub use recipe::{Arithmetic, Recipe};

use crate::{
    dump::BadInput,
    engine::{Engine, step},
};
use nalgebra::{DMatrix, DVector};
use optimized::Backend;
use reference::{
    Ends, Mask, ScoreAt, Settings,
    adam::AdamState,
    cost::{Cost, Critic, ReferenceModel, cost},
    grad_norm::grad_norm,
    iteration::{ActorCritic, Batch, Epoch, iteration},
    log_prob::log_prob,
    rng::Rng,
    step::{Rollout, Targets},
    transformer::{On, Responses, Transformer, sample},
};

/// What the random numbers of a run are for; each use has its own streams.
#[derive(Debug, Clone, Copy)]
enum Use {
    Prompt,
    Limit,
    Token,
}

/// The stream of one row of one iteration, for one use.
fn stream(seed: u64, iteration: usize, row: usize, of: Use) -> Rng {
    Rng::of(&[seed, iteration as u64, row as u64, of as u64])
}

/// All that a run is at one moment: with its recipe it goes on from here to the same last bit.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// What every random number of the run derives from.
    pub seed: u64,
    /// Iterations done.
    pub iteration: usize,
    /// The model.
    pub model: Transformer,
    /// What the optimizer remembers, in the order of [`Transformer::named`].
    pub optimizer: Vec<AdamState>,
    /// `eq:cost` of all iterations so far, FLOPs.
    pub flops: f64,
}

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

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Trainer {
    /// What does not change.
    pub recipe: Recipe,
    /// What does.
    pub state: State,
    /// Where the fast arithmetic runs; no bit depends on it.
    pub backend: Backend,
}

impl Trainer {
    /// Before the first iteration.
    pub fn new(recipe: Recipe, seed: u64) -> Trainer {
        let model = Transformer::init(seed, recipe.size);
        let optimizer = model.named().iter().map(|(_, theta)| AdamState::new(theta.shape())).collect();
        let state = State { seed, iteration: 0, model, optimizer, flops: 0.0 };
        Trainer { recipe, state, backend: Backend::best() }
    }

    /// One iteration of the listing: prompts, completions, scores, values; then the inner epochs.
    ///
    /// # Errors
    ///
    /// What the fast arithmetic refuses: a setting or a number that f32 cannot hold.
    pub fn iterate(&mut self) -> Result<Metrics, BadInput> {
        Ok(self.iterate_whole()?.metrics)
    }

    /// The same, with everything that it computed.
    ///
    /// # Errors
    ///
    /// As [`Trainer::iterate`].
    pub fn iterate_whole(&mut self) -> Result<Iterated, BadInput> {
        let Trainer { recipe, state, backend } = self;
        let before = state.model.clone();
        let (prompts, responses) = rollout(recipe, state);
        let slots = read_slots(&responses.mask, &recipe.settings);
        let batch = scored(&prompts, &responses, &slots, recipe, state);
        let mut on =
            On { model: &mut state.model, prompts: &prompts, actions: &responses.actions, mask: &slots };
        let (optimizer, settings, inner) = (&mut state.optimizer, &recipe.settings, &recipe.inner);
        let ran = match recipe.arithmetic {
            Arithmetic::Reference => iteration(&mut on, optimizer, &batch, settings, inner),
            Arithmetic::Fast => {
                step::iteration(Engine::Fast(*backend), &mut on, optimizer, &batch, settings, inner)?
            }
        };
        state.iteration += 1;
        let metrics = metrics(recipe, state, &prompts, &responses, &batch, &ran);
        state.flops = metrics.flops_so_far;
        let (rollout, targets, epochs) = ran;
        Ok(Iterated { metrics, before, prompts, responses, slots, rollout, targets, epochs })
    }
}

/// One iteration as it was.
#[derive(Debug, Clone)]
pub struct Iterated {
    /// What is logged of it.
    pub metrics: Metrics,
    /// The model that made the rollout.
    pub before: Transformer,
    /// b prompts.
    pub prompts: Vec<Vec<usize>>,
    /// What it answered.
    pub responses: Responses,
    /// b × t_len: the slots that any term reads.
    pub slots: Mask,
    /// What the rollout phase left behind.
    pub rollout: Rollout,
    /// What the inner epochs aimed at.
    pub targets: Targets,
    /// Every inner epoch.
    pub epochs: Vec<Epoch>,
}

/// The slots that any term reads: those of the responses, one further for `ScoreAt::FirstPad`, all for the
/// listing without a mask.
fn read_slots(mask: &Mask, settings: &Settings) -> Mask {
    let (b, t_len) = mask.shape();
    match settings.score_at {
        _ if settings.listing.unmasked => Mask::full(b, t_len),
        ScoreAt::FirstPad => mask.with_first_pad(),
        _ => mask.clone(),
    }
}

/// completions = policy.generate(prompts)
fn rollout(recipe: &Recipe, state: &State) -> (Vec<Vec<usize>>, Responses) {
    let stream = |row: usize, of: Use| stream(state.seed, state.iteration, row, of);
    let prompt = |row: usize| task::draw(&mut stream(row, Use::Prompt), false);
    let prompts: Vec<Vec<usize>> = (0..recipe.b).map(prompt).collect();
    let limits: Vec<usize> = (0..recipe.b).map(|row| limit(&mut stream(row, Use::Limit))).collect();
    let tau = recipe.settings.tau;
    let responses = sample(&state.model, &prompts, &limits, tau, task::BAR, |row| stream(row, Use::Token));
    (prompts, responses)
}

/// T_LEN, or for a quarter of the rows a shorter limit.
fn limit(rng: &mut Rng) -> usize {
    if rng.uniform() < 0.75 { task::T_LEN } else { 1 + rng.below(task::T_LEN - 1) }
}

/// The scores of what ended; V after what did not; log π_ref where a term asks for it.
fn scored(
    prompts: &[Vec<usize>],
    responses: &Responses,
    slots: &Mask,
    recipe: &Recipe,
    state: &mut State,
) -> Batch {
    let Responses { actions, mask, .. } = responses;
    let (b, t_len) = mask.shape();
    let v_after = On { model: &mut state.model, prompts, actions, mask: slots }.v_after();
    let goes_on = |row: usize| !is_done(responses, row);
    let scores = DMatrix::from_fn(b, 1, |row, _| {
        if goes_on(row) { 0.0 } else { task::score(&prompts[row], &response(responses, row)) }
    });
    let v_last = DVector::from_fn(b, |row, _| if goes_on(row) { v_after[row] } else { 0.0 });
    let logp_ref = recipe.has_reference_model().then(|| {
        let mut model = Transformer::init(state.seed, recipe.size);
        let heads = On { model: &mut model, prompts, actions, mask: slots }.forward();
        log_prob(&heads.logits, actions, slots, recipe.settings.tau)
    });
    Batch { mask: mask.clone(), actions: actions.clone(), scores, logp_ref, ends: Ends::after(v_last, t_len) }
}

/// Whether a response ended: by the bar, or because it has filled all there is room for.
pub(crate) fn is_done(responses: &Responses, row: usize) -> bool {
    !responses.cut[row] || responses.mask.end(row) == responses.mask.shape().1
}

fn response(responses: &Responses, row: usize) -> Vec<usize> {
    (0..responses.mask.end(row)).map(|t| responses.actions[(row, t)]).collect()
}

fn metrics(
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

/// Prompts that an evaluation asks.
pub const ASKED: usize = 1024;

/// The mean score on 1,024 different unseen prompts, one response each, sampled at the training's
/// temperature; no limit but the room that there is.
pub fn evaluate(model: &Transformer, tau: f64, seed: u64) -> f64 {
    let prompts = unseen_prompts(seed);
    let limits = vec![task::T_LEN; ASKED];
    let tokens = |row: usize| stream(seed, usize::MAX, row, Use::Token);
    let responses = sample(model, &prompts, &limits, tau, task::BAR, tokens);
    mean((0..ASKED).map(|row| task::score(&prompts[row], &response(&responses, row))))
}

/// The prompts of an evaluation: drawn from the unseen half until they are 1,024, none twice.
pub fn unseen_prompts(seed: u64) -> Vec<Vec<usize>> {
    let mut rng = stream(seed, usize::MAX, 0, Use::Prompt);
    let mut prompts: Vec<Vec<usize>> = Vec::new();
    while prompts.len() < ASKED {
        let prompt = task::draw(&mut rng, true);
        if !prompts.contains(&prompt) {
            prompts.push(prompt);
        }
    }
    prompts
}

/// The mean, summed in order.
fn mean(x: impl IntoIterator<Item = f64>) -> f64 {
    let (mut total, mut n) = (0.0, 0);
    for x in x {
        total += x;
        n += 1;
    }
    total / n as f64
}
