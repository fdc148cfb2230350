//! The softmax of a vocabulary that is cut into shards: what a shard knows, and how shards merge to the bits of the
//! vocabulary that was never cut.

use super::{
    check_vocab, inv_tau,
    lanes::{InvTau, NO_TILES, Scale, TokenStat, Triple, finish, row},
    logits::{Logit, MAX_VOCAB},
};
use crate::{Backend, Error, lanes::TILE};
use fearless_simd::{dispatch, prelude::*};
use serde::{Deserialize, Serialize};

/// What one token's softmax keeps of a contiguous part of the vocabulary: (m, S, W) of each tile of 2048 logits.
///
/// Shards begin at multiples of 2048. Those that meet can be merged in any order, on any machine, and
/// [`LogSumExp::finish`] gives the bits that [`crate::token_pass`] gives for the whole row. Where a vocabulary is cut
/// elsewhere, [`LogSumExp::handed_on`] says how many logits one shard hands to the next.
///
/// Its serde form holds each number as its bits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct LogSumExp {
    /// Index of the first logit, and after the last one.
    start: usize,
    end: usize,
    /// The sampled token, by its index in the whole vocabulary.
    action: u32,
    inv_tau: f32,
    tiles: Vec<Triple>,
    /// The action's logit after temperature, if it is here.
    x_a: Option<f32>,
}

impl LogSumExp {
    /// Of the logits from index `start` on; `action` is the token's in the whole vocabulary, `tau` > 0 the
    /// temperature. A shard without logits is allowed.
    ///
    /// # Errors
    ///
    /// If `start` is no multiple of 2048, the shard ends beyond 524,288, or `tau` is not > 0 and finite.
    pub fn of_shard<X: Logit>(
        on: Backend,
        logits: &[X],
        start: usize,
        action: u32,
        tau: f64,
    ) -> Result<LogSumExp, Error> {
        let inv_tau = inv_tau("log_sum_exp", "tau", tau)?;
        if !start.is_multiple_of(TILE) {
            return Err(Error::ShardStart { start });
        }
        let end = start.saturating_add(logits.len());
        check_vocab(end.max(1))?;
        let scale = InvTau(inv_tau);
        let x_a = (action as usize).checked_sub(start).and_then(|a| logits.get(a));
        let x_a = x_a.map(|x| scale.of(x.widen()));
        let mut tiles = NO_TILES;
        let tiles = dispatch!(on.level(), simd => simd.vectorize(
            #[inline(always)]
            || row(logits, scale, &mut tiles).to_vec()
        ));
        Ok(LogSumExp { start, end, action, inv_tau, tiles, x_a })
    }

    /// How many logits before a cut the shard that ends there hands to the one that begins there: at most 2047, and
    /// none at a multiple of 2048.
    pub fn handed_on(cut: usize) -> usize {
        cut % TILE
    }

    /// This shard and the one that follows.
    ///
    /// # Errors
    ///
    /// If it does not follow, or is of another action or temperature.
    pub fn merge(mut self, next: LogSumExp) -> Result<LogSumExp, Error> {
        if self.end != next.start {
            return Err(Error::ShardsApart { end: self.end, start: next.start });
        }
        if self.action != next.action || self.inv_tau.to_bits() != next.inv_tau.to_bits() {
            return Err(Error::ShardsOfTwo {
                actions: [self.action, next.action],
                inv_tau: [self.inv_tau, next.inv_tau],
            });
        }
        self.tiles.extend(next.tiles);
        Ok(LogSumExp { end: next.end, x_a: self.x_a.or(next.x_a), ..self })
    }

    /// What the whole vocabulary says of the token.
    ///
    /// # Errors
    ///
    /// If this does not begin with logit 0, or does not hold the action.
    pub fn finish(&self) -> Result<TokenStat, Error> {
        match self.x_a {
            Some(x_a) if self.start == 0 => Ok(finish(&self.tiles, x_a)),
            _ => Err(Error::ShardOfAction { action: self.action, start: self.start, end: self.end }),
        }
    }
}

/// The serialized form: start, end, action, then bits: 1/τ, m, S and W of each tile, x of the action.
#[derive(Serialize, Deserialize)]
struct Form {
    start: usize,
    end: usize,
    action: u32,
    inv_tau: u32,
    tiles: Vec<[u32; 3]>,
    x_a: Option<u32>,
}

impl From<LogSumExp> for Form {
    fn from(LogSumExp { start, end, action, inv_tau, tiles, x_a }: LogSumExp) -> Form {
        let tiles = tiles.into_iter().map(|Triple { m, s, w }| [m, s, w].map(f32::to_bits)).collect();
        Form { start, end, action, inv_tau: inv_tau.to_bits(), tiles, x_a: x_a.map(f32::to_bits) }
    }
}

impl TryFrom<Form> for LogSumExp {
    type Error = Error;

    fn try_from(Form { start, end, action, inv_tau, tiles, x_a }: Form) -> Result<LogSumExp, Error> {
        let holds_action = (start..end).contains(&(action as usize));
        let fits = start.is_multiple_of(TILE)
            && start <= end
            && end <= MAX_VOCAB
            && tiles.len() == (end - start).div_ceil(TILE)
            && holds_action == x_a.is_some()
            && f32::from_bits(inv_tau) >= 0.0;
        if !fits {
            return Err(Error::ShardForm { start, end, tiles: tiles.len() });
        }
        let tiles = tiles.into_iter().map(|tile| tile.map(f32::from_bits));
        Ok(LogSumExp {
            start,
            end,
            action,
            inv_tau: f32::from_bits(inv_tau),
            tiles: tiles.map(|[m, s, w]| Triple { m, s, w }).collect(),
            x_a: x_a.map(f32::from_bits),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::cases::{KINDS, Rng, row},
        *,
    };
    use crate::{Logits, Mask, TokenOut, token_pass};
    use core::ops::Range;

    fn whole(on: Backend, x: &[f32], a: u32, tau: f64) -> [u32; 4] {
        let mask = Mask::padded(&[true], 1, 1).unwrap();
        let [mut logp, mut ent, mut max, mut ln_sum] = [[0.0f32]; 4];
        let out = TokenOut {
            logp: Some(&mut logp),
            ent: Some(&mut ent),
            max: Some(&mut max),
            ln_sum: Some(&mut ln_sum),
            ..TokenOut::default()
        };
        token_pass(on, Logits::new(x, x.len()).unwrap(), &[a], &mask, tau, tau, out).unwrap();
        [logp, ent, max, ln_sum].map(|x| x[0].to_bits())
    }

    fn bits(stat: TokenStat) -> [u32; 4] {
        [stat.logp, stat.ent, stat.max, stat.ln_sum].map(f32::to_bits)
    }

    /// The vocabulary in nearly equal parts, and what they become once the ends of tiles were handed on.
    fn cut(vocab: usize, parts: usize) -> Vec<Range<usize>> {
        let at = |part: usize| {
            let cut = part * vocab / parts;
            if part == parts { cut } else { cut - LogSumExp::handed_on(cut) }
        };
        (0..parts).map(|part| at(part)..at(part + 1)).collect()
    }

    #[test]
    fn a_vocabulary_in_1_2_3_and_8_shards_gives_the_bits_of_the_whole() {
        let rng = &mut Rng(3);
        for (n, vocab) in [1, 2047, 2048, 2049, 4097, 20_000, 70_001].into_iter().enumerate() {
            for kind in 0..KINDS {
                let (x, tau) = (row(rng, kind, vocab), [1.0, 0.7][kind % 2]);
                let a = rng.below(vocab) as u32;
                let on = Backend::available()[(n + kind) % Backend::available().len()];
                let want = whole(on, &x, a, tau);
                for parts in [1, 2, 3, 8] {
                    let shards = cut(vocab, parts).into_iter().map(|at| {
                        let shard = LogSumExp::of_shard(on, &x[at.clone()], at.start, a, tau).unwrap();
                        let Form { start, end, action, inv_tau, tiles, x_a } = shard.into();
                        Form { start, end, action, inv_tau, tiles, x_a }.try_into().unwrap()
                    });
                    let from_left =
                        shards.clone().reduce(|left: LogSumExp, right| left.merge(right).unwrap());
                    let right: Vec<LogSumExp> = shards.collect();
                    let from_right = right.into_iter().rev().reduce(|right, left| left.merge(right).unwrap());
                    for merged in [from_left, from_right] {
                        let got = bits(merged.unwrap().finish().unwrap());
                        assert_eq!(got, want, "{on}, kind {kind}, vocabulary {vocab} in {parts}");
                    }
                }
            }
        }
    }

    #[test]
    fn shards_that_do_not_belong_together_are_refused() {
        let (x, on) = (vec![0.5f32; 4096], Backend::best());
        let shard = |at: Range<usize>, a, tau| LogSumExp::of_shard(on, &x[at.clone()], at.start, a, tau);
        let says = |merged: Result<LogSumExp, Error>| merged.unwrap_err().to_string();
        let first = shard(0..2048, 5, 1.0).unwrap();
        assert_eq!(
            says(shard(0..2000, 5, 1.0).unwrap().merge(shard(2048..4096, 5, 1.0).unwrap())),
            "log_sum_exp: one shard ends before logit 2000 and the next begins with logit 2048"
        );
        assert!(first.clone().merge(shard(2048..4096, 6, 1.0).unwrap()).is_err());
        assert!(first.clone().merge(shard(2048..4096, 5, 0.5).unwrap()).is_err());
        assert_eq!(
            says(shard(1..2, 5, 1.0)),
            "log_sum_exp: a shard begins with logit 1 and must begin at a multiple of 2048"
        );
        assert!(LogSumExp::of_shard(on, &x, 522_240, 5, 1.0).is_err());
        assert_eq!(
            shard(2048..4096, 5, 1.0).unwrap().finish().unwrap_err().to_string(),
            "log_sum_exp: logits 2048 to 4096 are not the whole vocabulary that action 5 is in"
        );
    }

    #[test]
    fn a_serialized_shard_that_is_none_is_refused() {
        let good =
            || Form::from(LogSumExp::of_shard(Backend::best(), &[0.5f32; 3000], 2048, 2050, 1.0).unwrap());
        assert!(LogSumExp::try_from(good()).is_ok());
        let spoilt: [fn(&mut Form); 6] = [
            |form| form.start = 2047,
            |form| form.end = 2000,
            |form| form.tiles.push([0; 3]),
            |form| form.x_a = None,
            |form| form.inv_tau = f32::NAN.to_bits(),
            |form| (form.start, form.end) = (524_288, 524_288 + 3000),
        ];
        for (n, spoil) in spoilt.into_iter().enumerate() {
            let mut form = good();
            spoil(&mut form);
            assert!(LogSumExp::try_from(form).is_err(), "{n}");
        }
    }
}
