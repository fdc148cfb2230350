//! Rows of logits with a reason each, and a batch of them with everything that must not be touched.

use super::Logit;

/// splitmix64: the same inputs on every machine, without a libm.
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub(super) fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// Nearly normal: a sum of uniform numbers.
    pub(super) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.uniform()).sum::<f32>() - 6.0
    }
}

/// Kinds of [`row`].
pub(super) const KINDS: usize = 16;

pub(super) fn row(rng: &mut Rng, kind: usize, vocab: usize) -> Vec<f32> {
    let mut each = |logit: &dyn Fn(&mut Rng) -> f32| (0..vocab).map(|_| logit(rng)).collect::<Vec<f32>>();
    match kind {
        0 => each(&|rng| rng.normal() * 2.0),
        1 => each(&|rng| rng.normal() * 8.0 - 5.0),
        // Forbidden tokens, as some write them and as others do.
        2 => each(&|rng| if rng.uniform() < 0.5 { f32::NEG_INFINITY } else { rng.normal() * 3.0 }),
        3 => each(&|rng| if rng.uniform() < 0.9 { -1e9 } else { rng.normal() * 3.0 }),
        // Nothing allowed; everything equally bad.
        4 => vec![f32::NEG_INFINITY; vocab],
        5 => vec![-f32::MAX; vocab],
        6 => vec![-200.0; vocab],
        // Subnormals of both signs, zeros of both signs, any bits.
        7 => each(&|rng| f32::from_bits(rng.next() as u32 & 0x807f_ffff)),
        8 => each(&|rng| if rng.below(2) == 0 { 0.0 } else { -0.0 }),
        9 => each(&|rng| f32::from_bits(rng.next() as u32)),
        10 => each(&|rng| Some(f32::from_bits(rng.next() as u32)).filter(|x| x.is_finite()).unwrap_or(0.0)),
        // Far from 0, and on both sides of where the exp is lifted.
        11 => each(&|rng| 1e4 + rng.uniform() * 1e-3),
        12 => each(&|rng| rng.uniform() * -200.0),
        13 => one_of(vec![f32::NEG_INFINITY; vocab], rng, &[3.0]),
        14 => one_of(each(&|rng| rng.normal()), rng, &[f32::NAN, -f32::NAN, f32::INFINITY]),
        _ => one_of(each(&|rng| rng.normal()), rng, &[f32::MAX, -f32::MAX, 1e-45, f32::NEG_INFINITY]),
    }
}

fn one_of(mut row: Vec<f32>, rng: &mut Rng, odd: &[f32]) -> Vec<f32> {
    let at = rng.below(row.len());
    row[at] = odd[rng.below(odd.len())];
    row
}

/// Tokens in rows of [`T_LEN`] that begin [`STRIDE`] slots apart; every fifth slot is masked. Poison stands in
/// the rows of masked slots and of slots between rows, and between rows of logits.
pub(super) struct Batch<X> {
    pub(super) vocab: usize,
    pub(super) stride: usize,
    pub(super) logits: Vec<X>,
    pub(super) valid: Vec<bool>,
    pub(super) actions: Vec<u32>,
    pub(super) g_logp: Vec<f32>,
    pub(super) g_ent: Vec<f32>,
}

pub(super) const B: usize = 3;
pub(super) const T_LEN: usize = 7;
pub(super) const STRIDE: usize = 8;

impl<X: Logit> Batch<X> {
    pub(super) fn new(seed: u64, vocab: usize, slack: usize) -> Batch<X> {
        let (rng, slots, stride) = (&mut Rng(seed), B * STRIDE, vocab + slack);
        let poison = X::narrow(f32::NAN);
        let valid: Vec<bool> = (0..slots).map(|slot| slot % 5 != 4).collect();
        let mut batch = Batch {
            vocab,
            stride,
            logits: vec![poison; slots * stride],
            actions: vec![u32::MAX; slots],
            g_logp: vec![f32::NAN; slots],
            g_ent: vec![f32::NAN; slots],
            valid,
        };
        for slot in 0..slots {
            if batch.used(slot) {
                let row = row(rng, (slot + seed as usize) % KINDS, vocab);
                let to = &mut batch.logits[slot * stride..][..vocab];
                to.iter_mut().zip(row).for_each(|(to, x)| *to = X::narrow(x));
                batch.actions[slot] = rng.below(vocab) as u32;
                (batch.g_logp[slot], batch.g_ent[slot]) = (rng.normal(), rng.normal() * 0.01);
            }
        }
        batch
    }

    /// Whether a slot is a valid one of a row.
    pub(super) fn used(&self, slot: usize) -> bool {
        self.valid[slot] && slot % STRIDE < T_LEN
    }
}
