//! The forward pass over a block of slots.

use super::{
    lanes::{InvTau, NO_TILES, Scale, Tiles, TokenStat, Unscaled, finish, row},
    logits::{Logit, Logits},
};
use crate::Mask;
use core::ops::Range;
use fearless_simd::Simd;

/// Room for log π, H, then M and ls of the log-probability, then those of the entropy.
pub(super) type Rooms<'a> = [Option<&'a mut [f32]>; 6];

/// Which of the two rows of statistics are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One serves both: the temperatures are equal.
    One,
    /// That of the log-probability, that of the entropy: each is a read of its own.
    Each([bool; 2]),
}

/// The operands of a forward pass.
#[derive(Clone, Copy)]
pub(super) struct Forward<'a, X> {
    pub(super) logits: Logits<'a, X>,
    /// None where only the entropy is asked for.
    pub(super) actions: Option<&'a [u32]>,
    pub(super) mask: Mask<'a>,
    /// 1/τ of the log-probability, and of the entropy.
    pub(super) inv_tau: [f32; 2],
    pub(super) wanted: Wanted,
}

impl<X: Logit> Forward<'_, X> {
    /// Fills the rooms, which begin at the block's first slot; +0 where a slot is masked.
    #[inline(always)]
    pub(super) fn block<S: Simd>(&self, simd: S, slots: Range<usize>, out: Rooms<'_>) {
        if self.inv_tau == [1.0; 2] {
            self.each(simd, slots, out, [Unscaled; 2]);
        } else {
            self.each(simd, slots, out, self.inv_tau.map(InvTau));
        }
    }

    #[inline(always)]
    fn each<S: Simd>(&self, simd: S, slots: Range<usize>, mut out: Rooms<'_>, scales: [impl Scale; 2]) {
        let mut tiles = NO_TILES;
        for (at, slot) in slots.enumerate() {
            if !self.mask.holds(slot) {
                continue;
            }
            let mut stats = [TokenStat::ZERO; 2];
            if self.mask.valid()[slot] {
                self.token(simd, slot, scales, &mut tiles, &mut stats);
            }
            let [p, h] = stats;
            let said = [p.logp, h.ent, p.max, p.ln_sum, h.max, h.ln_sum];
            for (out, said) in out.iter_mut().zip(said) {
                if let Some(out) = out {
                    out[at] = said;
                }
            }
        }
    }

    #[inline(always)]
    fn token<S: Simd>(
        &self,
        simd: S,
        slot: usize,
        scales: [impl Scale; 2],
        tiles: &mut Tiles,
        stats: &mut [TokenStat; 2],
    ) {
        let x = self.logits.row(slot);
        let x_a = self.actions.map_or(0.0, |actions| x[actions[slot] as usize].widen());
        let wanted = if let Wanted::Each(wanted) = self.wanted { wanted } else { [true, false] };
        for ((stat, scale), wanted) in stats.iter_mut().zip(scales).zip(wanted) {
            if wanted {
                *stat = finish(row(simd, x, scale, tiles), scale.of(x_a));
            }
        }
        if self.wanted == Wanted::One {
            stats[1] = stats[0];
        }
    }
}
