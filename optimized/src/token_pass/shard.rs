//! The softmax of a vocabulary that is cut into shards: what a shard knows, and how shards merge to the bits of the
//! vocabulary that was never cut.

#[cfg(test)]
mod tests;

use super::{
    inv_tau,
    lanes::{InvTau, NO_TILES, Scale, TokenStat, Triple, finish},
    logits::{Logit, MAX_VOCAB, check_vocab},
};
use crate::{Backend, Error, lanes::TILE};
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
        const OP: &str = "log_sum_exp";
        let inv_tau = inv_tau(OP, "tau", tau)?;
        if !start.is_multiple_of(TILE) {
            return Err(Error::ShardStart { start });
        }
        let end = start.saturating_add(logits.len());
        check_vocab(OP, end.max(1))?;
        let scale = InvTau(inv_tau);
        let x_a = (action as usize).checked_sub(start).and_then(|a| logits.get(a));
        let x_a = x_a.map(|x| scale.of(x.widen()));
        let tiles = tiles(on, logits, inv_tau).map_err(|err| err.by(OP))?;
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

/// m, S and W of each tile.
fn tiles<X: Logit>(on: Backend, logits: &[X], inv_tau: f32) -> Result<Vec<Triple>, Error> {
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        return super::cuda::shard(device, logits, inv_tau);
    }
    let mut tiles = NO_TILES;
    Ok(X::tiles(on.level("log_sum_exp")?, logits, inv_tau, &mut tiles).to_vec())
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
