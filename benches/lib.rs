//! What the benches share: seeded inputs, the memory's ceilings, verl's choices, and flags of the examples.
#![deny(unsafe_code)]

pub mod ceiling;
pub mod verl;

use conformance::cases::Rng;
use nalgebra::{DMatrix, DVector};
use reference::{
    Ends, Mask, Settings,
    step::{Heads, Rollout},
};
use std::time::{Duration, Instant};

/// The vocabulary of the benches: small, so that the terms over (B, L) are seen beside the token pass.
pub const VOCAB: usize = 64;

/// The sequences of a batch.
pub const B: usize = 4;

/// A rollout of `B` rows of up to `t_len` tokens, the last of them half as long and cut off.
pub fn rollout(t_len: usize) -> (Rollout, Heads, DMatrix<usize>, Settings) {
    let mut rng = Rng::new(17);
    let mut matrix = |columns, size| rng.matrix(B, columns, size);
    let mask = Mask::new(DMatrix::from_fn(B, t_len, |row, t| row + 1 < B || t < t_len.div_ceil(2)));
    let v_last = DVector::from_fn(B, |row, _| if row + 1 < B { 0.0 } else { 0.5 });
    let rollout = Rollout {
        mask,
        attended: None,
        scores: matrix(1, 1.0),
        logp_old: matrix(t_len, 0.3).map(|x| x - 3.0),
        logp_ref: Some(matrix(t_len, 0.3).map(|x| x - 3.0)),
        v_old: matrix(t_len, 0.5),
        ends: Ends::after(v_last, t_len),
        weights: None,
    };
    let v = &rollout.v_old + matrix(t_len, 0.2);
    let heads = Heads { logits: (0..B).map(|_| rng.matrix(t_len, VOCAB, 2.0)).collect(), v };
    let actions = DMatrix::from_fn(B, t_len, |row, t| (row * 31 + t * 7) % VOCAB);
    let settings = Settings { gamma: 0.9, lambda: 0.8, beta_kl: 0.05, ..Settings::default() };
    (rollout, heads, actions, settings)
}

/// Runs before what counts, so that every thread has found a core of its own: Linux may leave one that was just
/// woken on the other's core for several milliseconds, and on a virtual machine short runs were seen to take twice their
/// time for 50 ms after a pause.
pub const LEAD: Duration = Duration::from_millis(100);
/// A run that takes longer counts once a turn, a shorter one three times.
pub const LONG: Duration = Duration::from_millis(30);

/// A turn: runs that do not count for as long as [`LEAD`], one at least, then those that do. `run` says what of
/// itself is timed; what uses rayon takes its whole turn inside the pool.
///
/// # Errors
///
/// That of a run.
pub fn turn<E>(mut run: impl FnMut() -> Result<Duration, E>) -> Result<Vec<Duration>, E> {
    let started = Instant::now();
    let mut last = run()?;
    while started.elapsed() < LEAD {
        last = run()?;
    }
    let runs = if last > LONG { 1 } else { 3 };
    (0..runs).map(|_| run()).collect()
}

/// The value of `--name` on the command line, or `default` where it is not given.
///
/// # Panics
///
/// If the value is missing or of another kind.
pub fn flag<T: std::str::FromStr>(name: &str, default: T) -> T {
    let mut args = std::env::args().skip_while(|arg| arg != &format!("--{name}"));
    if args.next().is_none() {
        return default;
    }
    let value = args.next().unwrap_or_else(|| panic!("--{name} has no value"));
    value.parse().unwrap_or_else(|_| panic!("--{name} {value} is not of the right kind"))
}
