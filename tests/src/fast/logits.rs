//! Rows of logits, each kind with its reason.

use super::{Batch, Laid};
use crate::cases::Rng;
use optimized::Logit;

/// A NaN whose low bits make the softmax's exp of it a plain number, so that only W shows it.
const NAN: f32 = f32::from_bits(0x7fc0_01ff);

type Draw = fn(&mut Rng, usize, usize) -> f64;

/// Rows of logits by kind: (rng, v, action).
const KINDS: [(&str, Draw); 10] = [
    ("nearly normal", |rng, _, _| 2.0 * rng.normal()),
    ("uniform", |_, _, _| 0.25),
    ("one-hot", |_, v, a| if v == a { 3.0 } else { f64::NEG_INFINITY }),
    (
        "forbidden tokens",
        |rng, v, a| if v != a && rng.below(2) == 0 { f64::NEG_INFINITY } else { 3.0 * rng.normal() },
    ),
    ("all −200", |_, _, _| -200.0),
    ("at 10⁴", |rng, _, _| 1e4 + rng.normal()),
    ("subnormals", |rng, _, _| 1e-40 * rng.normal()),
    ("across the lift of exp", |rng, _, _| -200.0 * rng.uniform()),
    ("peaked", |rng, v, a| if v == a { 20.0 } else { rng.normal() }),
    ("masked by −10⁹", |rng, v, a| if v != a && rng.below(4) > 0 { -1e9 } else { 3.0 * rng.normal() }),
];

/// A batch with actions and logits, every row of another kind; `odd` rows are all −∞, or hold a NaN or +∞.
pub(super) fn batch<X: Logit>(batch: Batch, vocab: usize, odd: bool) -> Batch {
    let mut batch =
        batch.with("actions", |rng| rng.below(vocab) as f64).with_many("logits", vocab, |rng| rng.normal());
    let actions: Vec<usize> = batch.array_mut("actions").iter().map(|a| *a as usize).collect();
    let mut rng = Rng::of(&[vocab as u64, actions.len() as u64]);
    let mut of_valid = 0;
    let valid = batch.valid.clone();
    for (slot, row) in batch.array_mut("logits").chunks_mut(vocab).enumerate() {
        // By the count of valid rows, so that no kind falls on masked slots alone.
        let (_, draw) = KINDS[of_valid % KINDS.len()];
        for (v, z) in row.iter_mut().enumerate() {
            *z = draw(&mut rng, v, actions[slot]) as f32;
        }
        match of_valid % 4 {
            0 if odd => row.fill(f32::NEG_INFINITY),
            1 if odd => row[rng.below(vocab)] = NAN,
            2 if odd => row[rng.below(vocab)] = f32::INFINITY,
            _ => {}
        }
        of_valid += usize::from(valid[slot]);
    }
    batch.array_mut("logits").iter_mut().for_each(|z| *z = X::narrow(*z).widen());
    batch
}

/// The actions as the fast path takes them.
pub(super) fn actions(x: &Laid) -> Vec<u32> {
    x.get("actions").iter().map(|a| *a as u32).collect()
}

/// The logits in the format of the call, which holds them exactly.
pub(super) fn of<X: Logit>(x: &Laid) -> Vec<X> {
    x.get("logits").iter().map(|z| X::narrow(*z)).collect()
}

/// One number a valid token from its row of logits and its action, none where it is masked.
pub(super) fn each_token<T>(
    batch: &Batch,
    of: impl Fn((usize, usize), &[f64], usize) -> T,
) -> Vec<Option<T>> {
    let slots = (0..batch.valid.len()).map(|slot| (slot / batch.t_len, slot % batch.t_len));
    let token =
        |slot: (usize, usize)| of(slot, &batch.at("logits", slot), batch.at("actions", slot)[0] as usize);
    slots.zip(&batch.valid).map(|(slot, valid)| valid.then(|| token(slot))).collect()
}
