//! `eq:gae` as printed, a double sum, against `eq:gae-recursion`: quadratic against linear in t_len.
//!
//! `cargo bench -p ppo-benches --bench gae`

use divan::{Bencher, counter::ItemsCount};
use nalgebra::DVector;
use ppo_benches::{B, rollout};
use reference::{Ends, Gap, Mask, gae};

const LENGTHS: [usize; 4] = [64, 256, 1024, 4096];

fn main() {
    divan::main();
}

/// The operands of a batch of rows of that length.
fn operands(t_len: usize) -> (nalgebra::DMatrix<f64>, nalgebra::DMatrix<f64>, Mask, Ends, DVector<f64>) {
    let (rollout, ..) = rollout(t_len);
    let (r, v) = (rollout.logp_old, rollout.v_old);
    (r, v, rollout.mask, rollout.ends, DVector::from_element(B, 0.8))
}

/// Both forms agree before either is timed: each is a sum of at most t_len terms with at most 2 t_len
/// roundings, of a size of at most max|δ| / (1 − γλ).
fn check(t_len: usize) {
    let (r, v, mask, ends, lambda) = operands(t_len);
    let sum = gae::gae(&r, &v, &mask, &ends, Gap::Skip, 0.9, &lambda);
    let recursion = gae::gae_recursion(&r, &v, &mask, &ends, Gap::Skip, 0.9, &lambda);
    let delta = gae::td_residual(&r, &v, &mask, &ends, Gap::Skip, 0.9).abs().max();
    let allowed = 2.0 * t_len as f64 * f64::EPSILON * delta / (1.0 - 0.9 * 0.8);
    let worst = (sum - recursion).abs().max();
    assert!(worst <= allowed, "the sum and the recursion differ by {worst:e} of {allowed:e}");
}

#[divan::bench(args = LENGTHS)]
fn as_printed(bencher: Bencher, t_len: usize) {
    check(t_len);
    let (r, v, mask, ends, lambda) = operands(t_len);
    let bencher = bencher.counter(ItemsCount::new(mask.count()));
    bencher.bench(|| gae::gae(&r, &v, &mask, &ends, Gap::Skip, 0.9, &lambda));
}

#[divan::bench(args = LENGTHS)]
fn recursion(bencher: Bencher, t_len: usize) {
    check(t_len);
    let (r, v, mask, ends, lambda) = operands(t_len);
    let bencher = bencher.counter(ItemsCount::new(mask.count()));
    bencher.bench(|| gae::gae_recursion(&r, &v, &mask, &ends, Gap::Skip, 0.9, &lambda));
}
