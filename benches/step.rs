//! The reference's step over sizes, so that its growth can be seen: linear in tokens and in the vocabulary.
//!
//! `cargo bench -p ppo-benches --bench step`

use divan::{Bencher, counter::ItemsCount};
use ppo_benches::rollout;
use reference::step::{Losses, logits_grad, losses, rollout_phase, say};

const LENGTHS: [usize; 4] = [64, 256, 1024, 4096];

fn main() {
    divan::main();
}

/// The losses of a step whose policy has not moved: an answer known without computing it.
fn check(t_len: usize) {
    let (mut rollout, mut heads, actions, settings) = rollout(t_len);
    let targets = rollout_phase(&rollout, &settings);
    heads.v = rollout.v_old.clone();
    let now = say(&heads, &actions, &targets.mask, &settings);
    rollout.logp_old = now.logp.clone();
    let Losses { policy, value, .. } = losses(&rollout, &targets, &now, &settings);
    assert!(policy.ratio.iter().zip(targets.mask.each(|_| 1.0).iter()).all(|(ratio, one)| ratio == one));
    assert_eq!((policy.clip_frac, policy.approx_kl, value.clip_frac), (0.0, 0.0, 0.0));
}

#[divan::bench(args = LENGTHS)]
fn targets(bencher: Bencher, t_len: usize) {
    check(t_len);
    let (rollout, _, _, settings) = rollout(t_len);
    let bencher = bencher.counter(ItemsCount::new(rollout.mask.count()));
    bencher.bench(|| rollout_phase(&rollout, &settings));
}

#[divan::bench(args = LENGTHS)]
fn log_probs_and_entropy(bencher: Bencher, t_len: usize) {
    check(t_len);
    let (rollout, heads, actions, settings) = rollout(t_len);
    let bencher = bencher.counter(ItemsCount::new(rollout.mask.count()));
    bencher.bench(|| say(&heads, &actions, &rollout.mask, &settings));
}

#[divan::bench(args = LENGTHS)]
fn losses_and_gradients(bencher: Bencher, t_len: usize) {
    check(t_len);
    let (rollout, heads, actions, settings) = rollout(t_len);
    let targets = rollout_phase(&rollout, &settings);
    let now = say(&heads, &actions, &targets.mask, &settings);
    let bencher = bencher.counter(ItemsCount::new(rollout.mask.count()));
    bencher.bench(|| {
        let losses = losses(&rollout, &targets, &now, &settings);
        logits_grad(&heads.logits, &actions, &targets, &losses, &settings)
    });
}
