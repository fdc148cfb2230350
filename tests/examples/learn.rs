//! The table of seeds: `cargo run --release -p ppo-conformance --example learn -- 1 2 3 4 5`.

use conformance::train::{Recipe, Trainer, evaluate};
use std::time::Instant;

fn main() {
    let seeds: Vec<u64> = std::env::args().skip(1).map(|seed| seed.parse().expect("a seed")).collect();
    println!("seed  before  after  seconds");
    for seed in if seeds.is_empty() { vec![1, 2, 3, 4, 5] } else { seeds } {
        let started = Instant::now();
        let mut trainer = Trainer::new(Recipe::default(), seed);
        let tau = trainer.recipe.settings.tau;
        let before = evaluate(&trainer.state.model, tau, seed);
        while trainer.state.iteration < trainer.recipe.iterations {
            trainer.iterate();
        }
        let after = evaluate(&trainer.state.model, tau, seed);
        println!("{seed:4}  {before:.4} {after:.4}  {:7.1}", started.elapsed().as_secs_f64());
    }
}
