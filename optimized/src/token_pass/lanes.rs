//! `eq:log-prob` and `eq:entropy` of one row of logits in one read: 4 bytes a logit (bf16: 2), some 14 operations.
//!
//! A tile of 2048 logits lies in the first-level cache: its maximum is taken first, then its sums, on groups of
//! lanes whose partial sums stay in registers through the 16 steps. Meanwhile what follows is asked for.

use super::logits::{Logit, MAX_TILES};
use crate::{
    lanes::{LANES, LO, NAN, ROW_LANES, STEPS, TILE, exp_softmax, fma, fold, ln, select_greater},
    memory::prefetch,
};
use fearless_simd::Simd;

/// Steps of a group between two that ask for what those lanes are in a tile ahead: one line or two. More at once stand in
/// each other's way, and asking in every step needs a branch.
const ASK: usize = 2;
/// How far ahead: the next tile's maximum reads it in a fraction of the time that its sums take, so that what was asked
/// for a tile ahead, late in this one, would not have come.
const AHEAD: usize = TILE + TILE / 2;

/// What the logits are multiplied by before everything else.
pub(super) trait Scale: Copy {
    fn of(self, x: f32) -> f32;
}

/// A temperature of 1: no operation.
#[derive(Clone, Copy)]
pub(super) struct Unscaled;

impl Scale for Unscaled {
    #[inline(always)]
    fn of(self, x: f32) -> f32 {
        x
    }
}

/// 1/τ.
#[derive(Clone, Copy)]
pub(super) struct InvTau(pub(super) f32);

impl Scale for InvTau {
    #[inline(always)]
    fn of(self, x: f32) -> f32 {
        x * self.0
    }
}

/// What is kept of a tile: its maximum m, S = Σ exp(x − m) and W = Σ exp(x − m) (x − m).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Triple {
    pub(super) m: f32,
    pub(super) s: f32,
    pub(super) w: f32,
}

/// Room for the tiles of a row: 3 kB, all that a thread needs.
pub(super) type Tiles = [Triple; MAX_TILES];

/// No tile yet.
pub(super) const NO_TILES: Tiles = [Triple { m: 0.0, s: 0.0, w: 0.0 }; MAX_TILES];

/// What a row of logits says of its token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenStat {
    /// log π of the action, nats.
    pub logp: f32,
    /// H, nats.
    pub ent: f32,
    /// M, the largest logit after temperature.
    pub max: f32,
    /// ln Σ exp(x − M): the log-sum-exp is `max + ln_sum`, and the gradient wants the two apart.
    pub ln_sum: f32,
}

impl TokenStat {
    /// Of a masked token.
    pub(super) const ZERO: TokenStat = TokenStat { logp: 0.0, ent: 0.0, max: 0.0, ln_sum: 0.0 };
    const NAN: TokenStat = TokenStat { logp: NAN, ent: NAN, max: NAN, ln_sum: NAN };
}

/// The tiles of a row, or of a part of one that begins at a tile's start; gives those that were filled.
///
/// Lanes are summed in groups of one vector, of AVX-512 or of AVX2. Two vectors at once leave AVX2 no registers for the
/// constants of exp, and to load them again and again took a tenth longer.
#[inline(always)]
pub(super) fn row<'a, S: Simd, X: Logit>(
    _: S,
    x: &[X],
    scale: impl Scale,
    tiles: &'a mut Tiles,
) -> &'a [Triple] {
    if const { size_of::<S::f32s>() == 64 } {
        row_in_groups::<16, X>(x, scale, tiles)
    } else {
        row_in_groups::<8, X>(x, scale, tiles)
    }
}

#[inline(always)]
fn row_in_groups<'a, const GROUP: usize, X: Logit>(
    x: &[X],
    scale: impl Scale,
    tiles: &'a mut Tiles,
) -> &'a [Triple] {
    let (steps, rest) = x.as_chunks::<LANES>();
    let (whole, last) = steps.as_chunks::<STEPS>();
    for (t, (tile_of, steps)) in tiles.iter_mut().zip(whole).enumerate() {
        *tile_of = tile::<GROUP, X>(steps, None, scale, |line| prefetch(x, t * TILE + AHEAD + line));
    }
    let mut filled = whole.len();
    if !last.is_empty() || !rest.is_empty() {
        let mut padded = [X::NEG_INFINITY; LANES];
        padded[..rest.len()].copy_from_slice(rest);
        let padded = if rest.is_empty() { None } else { Some(&padded) };
        tiles[filled] = tile::<GROUP, X>(last, padded, scale, |_| ());
        filled += 1;
    }
    &tiles[..filled]
}

/// One tile: steps of 128 logits, one more that was filled up with −∞, and what is missing up to 16 steps.
/// `ahead` asks for what lies [`AHEAD`] of an element of this one.
#[inline(always)]
fn tile<const GROUP: usize, X: Logit>(
    steps: &[[X; LANES]],
    padded: Option<&[X; LANES]>,
    scale: impl Scale,
    ahead: impl Fn(usize),
) -> Triple {
    let m = maximum(steps, padded, scale);
    let missing = STEPS - steps.len() - usize::from(padded.is_some());
    let least = exp_softmax(LO);
    let line = 64 / size_of::<X>();
    let (mut s, mut w) = ([0.0; LANES], [0.0; LANES]);
    let (s_groups, _) = s.as_chunks_mut::<GROUP>();
    let (w_groups, _) = w.as_chunks_mut::<GROUP>();
    for (g, (s, w)) in s_groups.iter_mut().zip(w_groups).enumerate() {
        let mut sums = Group { s: [0.0; GROUP], w: [0.0; GROUP] };
        for (k, steps) in steps.chunks(ASK).enumerate() {
            for at in (0..ASK * GROUP).step_by(line) {
                ahead((g * STEPS + k * ASK) * GROUP + at);
            }
            for step in steps {
                sums.add(&step.as_chunks::<GROUP>().0[g], m, scale);
            }
        }
        if let Some(step) = padded {
            sums.add(&step.as_chunks::<GROUP>().0[g], m, scale);
        }
        // A missing logit is −∞, so its u is LO and its exp always the same number.
        for _ in 0..missing {
            for (s, w) in sums.s.iter_mut().zip(&mut sums.w) {
                *s += least;
                *w = fma(least, LO, *w);
            }
        }
        (*s, *w) = (sums.s, sums.w);
    }
    Triple { m, s: fold(&mut s), w: fold(&mut w) }
}

/// The largest logit of a tile after temperature, at least −FLT_MAX, never −0. Some number of
/// the tile or −FLT_MAX if there is a NaN in it, which W shows.
///
/// The temperature is applied to the maximum of the logits as they are, which is the same: a multiplication
/// by a positive number is monotone after rounding too.
#[inline(always)]
fn maximum<X: Logit>(steps: &[[X; LANES]], padded: Option<&[X; LANES]>, scale: impl Scale) -> f32 {
    select_greater(scale.of(X::greatest(steps, padded)), -f32::MAX) + 0.0
}

/// The partial sums of a group of lanes.
struct Group<const GROUP: usize> {
    s: [f32; GROUP],
    w: [f32; GROUP],
}

impl<const GROUP: usize> Group<GROUP> {
    #[inline(always)]
    // ANCHOR: add
    fn add<X: Logit>(&mut self, x: &[X; GROUP], m: f32, scale: impl Scale) {
        for ((x, s), w) in x.iter().zip(&mut self.s).zip(&mut self.w) {
            let u = select_greater(LO, scale.of(x.widen()) - m);
            let e = exp_softmax(u);
            *s += e;
            *w = fma(e, u, *w);
        }
    }
    // ANCHOR_END: add
}

/// What all tiles of a row say, and the action's logit after temperature.
#[inline(always)]
// ANCHOR: finish
pub(super) fn finish(tiles: &[Triple], x_a: f32) -> TokenStat {
    let Triple { m: max, s, w } = merge(tiles);
    if s < 1.0 || s.is_nan() || w.is_nan() || x_a.is_nan() {
        return TokenStat::NAN;
    }
    let ln_sum = ln(s);
    TokenStat { logp: (x_a - max) - ln_sum, ent: ln_sum - w / s, max, ln_sum }
}
// ANCHOR_END: finish

#[inline(always)]
fn merge(tiles: &[Triple]) -> Triple {
    let mut max = -f32::MAX;
    for tile in tiles {
        max = select_greater(tile.m, max);
    }
    max += 0.0;
    let (mut s, mut w) = ([0.0; ROW_LANES], [0.0; ROW_LANES]);
    for tiles in tiles.chunks(ROW_LANES) {
        for ((s, w), tile) in s.iter_mut().zip(&mut w).zip(tiles) {
            let d = select_greater(LO, tile.m - max);
            let c = exp_softmax(d);
            *s = fma(c, tile.s, *s);
            *w = fma(c, fma(d, tile.s, tile.w), *w);
        }
    }
    Triple { m: max, s: fold(&mut s), w: fold(&mut w) }
}
