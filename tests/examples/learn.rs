//! The five-seed table.
use conformance::train::{Recipe, Trainer, evaluate};
use std::time::Instant;

fn main() {
    let mut recipe = Recipe::default();
    let var = |name: &str| std::env::var(name).ok().map(|x| x.parse::<f64>().unwrap());
    if let Some(x) = var("LR") {
        recipe.inner.adam.lr = x
    }
    if let Some(x) = var("BETA2") {
        recipe.inner.adam.beta2 = x
    }
    if let Some(x) = var("CH") {
        recipe.settings.coefficients.c_h = x
    }
    if let Some(x) = var("CV") {
        recipe.settings.coefficients.c_v = x
    }
    if let Some(x) = var("LAMBDA") {
        recipe.settings.lambda = x
    }
    if let Some(x) = var("GAMMA") {
        recipe.settings.gamma = x
    }
    if let Some(x) = var("NORM") {
        recipe.inner.max_norm = x
    }
    if let Some(x) = var("B") {
        recipe.b = x as usize
    }
    if let Some(x) = var("ITERS") {
        recipe.iterations = x as usize
    }
    if let Some(x) = var("D") {
        recipe.size.d_model = x as usize
    }
    if let Some(x) = var("MLP") {
        recipe.size.d_mlp = x as usize
    }
    if let Some(x) = var("HEADS") {
        recipe.size.n_heads = x as usize
    }
    if let Some(x) = var("BLOCKS") {
        recipe.size.n_blocks = x as usize
    }
    if let Some(x) = var("MAXS") {
        let _ = x;
    }
    let every = var("EVERY").unwrap_or(25.0) as usize;
    let seeds: Vec<u64> =
        std::env::var("SEEDS").unwrap_or("1,2,3,4,5".into()).split(',').map(|x| x.parse().unwrap()).collect();
    for seed in seeds {
        let mut trainer = Trainer::new(recipe, seed);
        let before = evaluate(&trainer.state.model, recipe.settings.tau, seed);
        let started = Instant::now();
        while trainer.state.iteration < recipe.iterations {
            let m = trainer.iterate();
            if every > 0 && m.iteration % every == 0 {
                println!(
                    "seed {seed} it {:4} t {:5.1} score {:.3} Lp {:+.4} Lv {:.4} H {:.3} kl {:.4} clip {:.3} vclip {:.3} g {:.3} ret {:.3} v {:.3} len {:.2} cut {:.2}",
                    m.iteration,
                    started.elapsed().as_secs_f64(),
                    m.score,
                    m.l_policy,
                    m.l_value,
                    m.ent,
                    m.approx_kl,
                    m.clip_frac,
                    m.value_clip_frac,
                    m.grad_norm,
                    m.mean_ret,
                    m.mean_v,
                    m.length,
                    m.cut
                );
            }
        }
        let took = started.elapsed().as_secs_f64();
        println!(
            "seed {seed}: {before:.4} -> {:.4} in {took:.1} s",
            evaluate(&trainer.state.model, recipe.settings.tau, seed)
        );
    }
}
