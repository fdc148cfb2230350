//! The trainer's first iterations, written down for a peer to repeat: a safetensors file per iteration, with
//! the parameters before it, what was sampled, and the losses and gradients of every inner epoch.
//!
//! `cargo run --release -p ppo-benches --example trace -- --seed 1 --iterations 3 --out DIR`
//!
//! With `--after N` the trainer first learns for N iterations and goes on with a fresh optimizer: at first the
//! critic says so little that its clip has nothing to do.

use conformance::{
    dump::{Entry, Writer},
    train::{Iterated, Recipe, Trainer},
};
use nalgebra::DMatrix;
use ppo_benches::flag;
use reference::{
    Coefficients, Settings,
    iteration::{Epoch, NormClip},
    policy_loss::PolicyClip,
    transformer::Transformer,
};
use std::{collections::BTreeMap, error::Error, fs, path::Path};

type Tensors = Vec<(String, DMatrix<f64>)>;

fn main() -> Result<(), Box<dyn Error>> {
    let (seed, iterations): (u64, usize) = (flag("seed", 1), flag("iterations", 3));
    let out: String = flag("out", "trace".to_string());
    fs::create_dir_all(&out)?;
    let mut trainer = Trainer::new(Recipe::default(), seed);
    let fresh = trainer.state.optimizer.clone();
    while trainer.state.iteration < flag("after", 0) {
        trainer.iterate().expect("the reference refuses nothing");
    }
    trainer.state.optimizer = fresh;
    let metadata = metadata(&trainer.recipe, seed);
    for i in 1..=iterations {
        let path = Path::new(&out).join(format!("iteration{i:03}.safetensors"));
        write(&path, &traced(&mut trainer), &metadata)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// One iteration of the trainer.
fn traced(trainer: &mut Trainer) -> Tensors {
    let iterated = trainer.iterate_whole().expect("the reference refuses nothing");
    let mut all = named("theta", &iterated.before);
    all.extend(sampled(trainer.recipe.size.prompt_len, &iterated));
    for (k, epoch) in iterated.epochs.iter().enumerate() {
        all.extend(of_epoch(k, epoch, &iterated.before));
    }
    all
}

/// Prompts end where responses begin: −1 stands before a short one.
fn sampled(prompt_len: usize, iterated: &Iterated) -> Tensors {
    let Iterated { prompts, responses, rollout, .. } = iterated;
    let (b, t_len) = rollout.mask.shape();
    let prompts = DMatrix::from_fn(b, prompt_len, |row, i| {
        let before = prompt_len - prompts[row].len();
        if i < before { -1.0 } else { prompts[row][i - before] as f64 }
    });
    let mask = DMatrix::from_fn(b, t_len, |row, t| f64::from(rollout.mask.has((row, t))));
    let v_last = DMatrix::from_fn(b, 1, |row, _| rollout.ends.v_last[row]);
    let all = [
        ("prompts", prompts),
        ("actions", responses.actions.map(|action| action as f64)),
        ("response_mask", mask),
        ("scores", rollout.scores.clone()),
        ("last_values", v_last),
    ];
    all.map(|(name, x)| (name.to_string(), x)).into()
}

fn of_epoch(k: usize, epoch: &Epoch, model: &Transformer) -> Tensors {
    let Epoch { losses, grads, grad_norm, .. } = epoch;
    let numbers = [
        ("pg_loss", losses.policy.loss),
        ("vf_loss", losses.value.loss),
        ("entropy_loss", losses.ent),
        ("total_loss", losses.total),
        ("grad_norm", *grad_norm),
    ];
    let number = |(name, x): (&str, f64)| (format!("epoch{k}.{name}"), DMatrix::from_element(1, 1, x));
    numbers.into_iter().map(number).chain(named(&format!("epoch{k}.grad"), &model.with(grads))).collect()
}

fn named(prefix: &str, model: &Transformer) -> Tensors {
    model.named().into_iter().map(|(name, x)| (format!("{prefix}.{name}"), x.clone())).collect()
}

/// The recipe by the names that `loop.py` reads; whatever has no name here must be at its default.
fn metadata(recipe: &Recipe, seed: u64) -> BTreeMap<String, String> {
    let Recipe { size, settings, inner, b, iterations, .. } = recipe;
    let s = settings;
    let eps = s.clip.eps_lo;
    let default = Settings::default();
    let said = Settings {
        gamma: s.gamma,
        lambda: s.lambda,
        clip: PolicyClip { eps_lo: eps, eps_hi: eps, ..default.clip },
        eps_v: s.eps_v,
        coefficients: Coefficients { beta_loss: 0.0, ..s.coefficients },
        tau: s.tau,
        tau_ent: s.tau,
        ..default
    };
    let plain = inner.norm_clip == NormClip::Joint && inner.adam.weight_decay == 0.0;
    assert!(*s == said && plain, "the recipe has a setting that the peer has not");
    let (adam, c) = (inner.adam, s.coefficients);
    let reals = [
        ("gamma", s.gamma),
        ("lam", s.lambda),
        ("eps", eps),
        ("eps_v", s.eps_v),
        ("c_v", c.c_v),
        ("c_h", c.c_h),
        ("tau", s.tau),
        ("lr", adam.lr),
        ("beta1", adam.beta1),
        ("beta2", adam.beta2),
        ("eps_adam", adam.eps_adam),
        ("max_norm", inner.max_norm),
    ];
    let counts = [
        ("vocab", size.vocab),
        ("prompt_len", size.prompt_len),
        ("t_len", size.t_len),
        ("d_model", size.d_model),
        ("n_heads", size.n_heads),
        ("d_mlp", size.d_mlp),
        ("n_blocks", size.n_blocks),
        ("epochs", inner.epochs),
        ("b", *b),
        ("iterations", *iterations),
    ];
    let reals = reals.map(|(name, x)| (name.to_string(), format!("{x:?}")));
    let counts = counts.map(|(name, n)| (name.to_string(), n.to_string()));
    reals.into_iter().chain(counts).chain([("seed".to_string(), seed.to_string())]).collect()
}

fn write(path: &Path, tensors: &Tensors, metadata: &BTreeMap<String, String>) -> Result<(), Box<dyn Error>> {
    let entry = |(name, x): &(String, DMatrix<f64>)| Entry::new(name.clone(), [x.nrows(), x.ncols()]);
    let entries: Vec<Entry> = tensors.iter().map(entry).collect();
    let mut writer = Writer::create(path, &entries, metadata)?;
    for (name, x) in tensors {
        writer.matrix(name, x)?;
    }
    Ok(writer.finish()?)
}
