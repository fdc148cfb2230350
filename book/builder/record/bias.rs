//! Bias against variance under λ, measured on the toy policy: a line for each λ at each of two moments of its training.
//!
//! Training stops, and each of some prompts is answered many times. What the first token of an answer is worth is known
//! well then, from the scores of all answers that begin with it: that is the mean of Â_0 at λ = 1, γ = 1, which believes
//! the critic about nothing but the prompt. Under another λ the mean of Â_0 over the same answers is off by the bias, and one
//! answer's Â_0 differs from that mean by the deviation. Both are root mean squares over first tokens and prompts, each
//! token as often as the policy chose it.

use crate::SEED;
use anyhow::{Result, anyhow};
use conformance::train::{Recipe, Trainer, task, unseen_prompts};
use nalgebra::{DMatrix, DVector};
use reference::{
    Ends, Gap, Mask,
    gae::gae_recursion,
    iteration::ActorCritic,
    rng::Rng,
    transformer::{On, Responses, Transformer, sample},
};
use serde_json::json;

const LAMBDAS: [f64; 8] = [0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1.0];
const AFTER: [usize; 2] = [10, 60];
const PROMPTS: usize = 16;
const ANSWERS: usize = 1000;

pub(crate) fn lines() -> Result<Vec<String>> {
    let mut trainer = Trainer::new(Recipe::default(), SEED);
    let mut lines = Vec::new();
    for after in AFTER {
        while trainer.state.iteration < after {
            trainer.iterate().map_err(|error| anyhow!("{error}"))?;
        }
        let first: Vec<(usize, Vec<f64>)> = unseen_prompts(SEED)
            .iter()
            .take(PROMPTS)
            .enumerate()
            .flat_map(|(k, prompt)| answers(&trainer, k, prompt))
            .collect();
        for (k, lambda) in LAMBDAS.iter().enumerate() {
            let (bias, deviation) = measured(&first, k);
            lines.push(
                json!({"after": after, "lambda": lambda, "bias": bias, "deviation": deviation}).to_string(),
            );
        }
        eprintln!("bias and variance after {after} iterations");
    }
    Ok(lines)
}

/// For each answer to a prompt: the prompt and first token as one number, and Â_0 under each λ.
fn answers(trainer: &Trainer, k: usize, prompt: &[usize]) -> Vec<(usize, Vec<f64>)> {
    let mut model: Transformer = trainer.state.model.clone();
    let (recipe, t_len) = (&trainer.recipe, task::T_LEN);
    let prompts = vec![prompt.to_vec(); ANSWERS];
    let stream = |row: usize| Rng::of(&[SEED, k as u64, row as u64, trainer.state.iteration as u64]);
    let Responses { actions, mask, .. } =
        sample(&model, &prompts, &[t_len; ANSWERS], recipe.settings.tau, task::BAR, stream);
    let v = On { model: &mut model, prompts: &prompts, actions: &actions, mask: &mask }.forward().v;
    let r = DMatrix::from_fn(ANSWERS, t_len, |row, t| {
        let answer: Vec<usize> = (0..mask.end(row)).map(|t| actions[(row, t)]).collect();
        if t + 1 == mask.end(row) { task::score(prompt, &answer) } else { 0.0 }
    });
    let under = LAMBDAS.map(|lambda| first_advantages(&r, &v, &mask, lambda));
    (0..ANSWERS)
        .map(|row| (k * task::VOCAB + actions[(row, 0)], under.iter().map(|adv| adv[row]).collect()))
        .collect()
}

fn first_advantages(r: &DMatrix<f64>, v: &DMatrix<f64>, mask: &Mask, lambda: f64) -> Vec<f64> {
    let (b, t_len) = mask.shape();
    let (ends, lambda) = (Ends::stop(b, t_len), DVector::from_element(b, lambda));
    let adv = gae_recursion(r, v, mask, &ends, Gap::Skip, 1.0, &lambda);
    (0..b).map(|row| adv[(row, 0)]).collect()
}

/// Bias and deviation under the k-th λ; the last is λ = 1.
fn measured(first: &[(usize, Vec<f64>)], k: usize) -> (f64, f64) {
    let groups = first.iter().map(|(group, _)| group + 1).max().unwrap_or(0);
    let (mut off, mut spread) = (0.0, 0.0);
    for group in 0..groups {
        let of = |k: usize| first.iter().filter(move |(own, _)| *own == group).map(move |(_, adv)| adv[k]);
        let n = of(k).count() as f64;
        let sum = |numbers: &mut dyn Iterator<Item = f64>| numbers.fold(0.0, |so_far, x| so_far + x);
        let mean = |k: usize| sum(&mut of(k)) / n;
        if n > 1.0 {
            let (here, truth) = (mean(k), mean(LAMBDAS.len() - 1));
            off += n * (here - truth) * (here - truth);
            spread += sum(&mut of(k).map(|x| (x - here) * (x - here)));
        }
    }
    let all = first.len() as f64;
    ((off / all).sqrt(), (spread / all).sqrt())
}
