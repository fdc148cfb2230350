//! Seeded inputs for the benches, and how a result is held before it is timed.

use nalgebra::{DMatrix, DVector};
use reference::{
    Ends, Mask, Settings,
    step::{Heads, Rollout},
};

/// The vocabulary of the benches: small, so that the terms over (B, L) are seen beside the token pass.
pub const VOCAB: usize = 64;

/// The sequences of a batch.
pub const B: usize = 4;

/// Numbers in (−1, 1) without the system's libm: splitmix64.
#[derive(Debug)]
pub struct Rng(pub u64);

impl Rng {
    /// The next number.
    pub fn number(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// A b × t_len matrix of them.
    pub fn matrix(&mut self, b: usize, t_len: usize) -> DMatrix<f64> {
        DMatrix::from_fn(b, t_len, |_, _| self.number())
    }
}

/// A rollout of `B` rows of up to `t_len` tokens, the last of them half as long and cut off.
pub fn rollout(t_len: usize) -> (Rollout, Heads, DMatrix<usize>, Settings) {
    let mut rng = Rng(17);
    let mask = Mask::new(DMatrix::from_fn(B, t_len, |row, t| row + 1 < B || t < t_len.div_ceil(2)));
    let v_last = DVector::from_fn(B, |row, _| if row + 1 < B { 0.0 } else { 0.5 });
    let rollout = Rollout {
        mask,
        attended: None,
        scores: rng.matrix(B, 1),
        logp_old: rng.matrix(B, t_len).map(|x| x - 3.0),
        logp_ref: Some(rng.matrix(B, t_len).map(|x| x - 3.0)),
        v_old: rng.matrix(B, t_len),
        ends: Ends::after(v_last, t_len),
        weights: None,
    };
    let logits = (0..B).map(|_| rng.matrix(t_len, VOCAB) * 3.0).collect();
    let heads = Heads { logits, v: &rollout.v_old + rng.matrix(B, t_len) * 0.3 };
    let actions = DMatrix::from_fn(B, t_len, |row, t| (row * 31 + t * 7) % VOCAB);
    let settings = Settings { gamma: 0.9, lambda: 0.8, beta_kl: 0.05, ..Settings::default() };
    (rollout, heads, actions, settings)
}
