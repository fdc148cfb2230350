//! The trainer over several seeds, as JSON: the score of each iteration, the mean score on 1,024 unseen
//! prompts before and after, and the seconds of an iteration.
//!
//! `cargo run --release -p ppo-benches --example curves -- --seeds 1,2,3,4,5 > FILE`

use conformance::train::{Recipe, Trainer, evaluate};
use ppo_benches::flag;
use std::time::Instant;

fn main() {
    let seeds: String = flag("seeds", "1,2,3,4,5".to_string());
    let recipe = Recipe::default();
    let runs: Vec<String> =
        seeds.split(',').map(|seed| run(recipe, seed.parse().expect("a seed is a whole number"))).collect();
    println!("{{\"side\": \"reference\", \"runs\": [\n{}\n]}}", runs.join(",\n"));
}

fn run(recipe: Recipe, seed: u64) -> String {
    let mut trainer = Trainer::new(recipe, seed);
    let ask = |trainer: &Trainer| evaluate(&trainer.state.model, recipe.settings.tau, seed);
    let before = ask(&trainer);
    let (mut scores, mut seconds) = (Vec::new(), Vec::new());
    for _ in 0..recipe.iterations {
        let started = Instant::now();
        scores.push((trainer.iterate().expect("the reference refuses nothing").score * 1e4).round() / 1e4);
        seconds.push(started.elapsed().as_secs_f64());
    }
    let (after, median) = (ask(&trainer), median(seconds));
    eprintln!("seed {seed}: {before:.4} -> {after:.4}, {median:.4} s an iteration");
    format!(
        "{{\"seed\": {seed}, \"before\": {before:?}, \"after\": {after:?}, \"seconds\": {median:?},\n \
         \"scores\": {scores:?}}}"
    )
}

fn median(mut x: Vec<f64>) -> f64 {
    x.sort_by(f64::total_cmp);
    x[x.len() / 2]
}
