//! The rollout of an iteration: prompts, completions, scores, V after them.

use super::{Recipe, State, task};
use nalgebra::{DMatrix, DVector};
use reference::{
    Ends, Mask, ScoreAt, Settings,
    iteration::{ActorCritic, Batch},
    log_prob::log_prob,
    rng::Rng,
    transformer::{On, Responses, Transformer, sample},
};

/// What the random numbers of a run are for; each use has its own streams.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use {
    Prompt,
    Limit,
    Token,
}

/// The stream of one row of one iteration, for one use.
pub(super) fn stream(seed: u64, iteration: usize, row: usize, of: Use) -> Rng {
    Rng::of(&[seed, iteration as u64, row as u64, of as u64])
}

/// The slots that any term reads: those of the responses, one further for `ScoreAt::FirstPad`, all for the
/// listing without a mask.
pub(super) fn read_slots(mask: &Mask, settings: &Settings) -> Mask {
    let (b, t_len) = mask.shape();
    match settings.score_at {
        _ if settings.listing.unmasked => Mask::full(b, t_len),
        ScoreAt::FirstPad => mask.with_first_pad(),
        _ => mask.clone(),
    }
}

/// completions = policy.generate(prompts)
pub(super) fn rollout(recipe: &Recipe, state: &State) -> (Vec<Vec<usize>>, Responses) {
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
pub(super) fn scored(
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
pub(super) fn is_done(responses: &Responses, row: usize) -> bool {
    !responses.cut[row] || responses.mask.end(row) == responses.mask.shape().1
}

pub(super) fn response(responses: &Responses, row: usize) -> Vec<usize> {
    (0..responses.mask.end(row)).map(|t| responses.actions[(row, t)]).collect()
}
