//! What a token asks of the slots after it: the table of ORDER.md 5.3.

use super::{
    ends::Truncated,
    lanes::{Decay, GROUP},
};
use crate::{Gap, lanes::fma};
use core::ops::Range;
use fearless_simd::Simd;

/// The operands of one row; all of one length.
pub(super) struct Row<'a> {
    pub(super) r: &'a [f32],
    pub(super) v: &'a [f32],
    pub(super) valid: &'a [bool],
    pub(super) terminated: Option<&'a [bool]>,
    pub(super) truncated: Option<Truncated<'a>>,
    /// Where the last stage of the next row begins if it is as long as this one, from the start of this one.
    pub(super) next: usize,
    /// V after the last valid token.
    pub(super) boot: f32,
    pub(super) gap: Gap,
}

/// What a group needs to know of the slots after it.
pub(super) struct After {
    /// A of the first of them.
    pub(super) carry: f32,
    /// V of the next valid token; `boot` if there is none.
    pub(super) v: f32,
    /// There is one.
    pub(super) later: bool,
    /// It stands in the very next slot.
    pub(super) adjacent: bool,
    /// What will be read soon, and has not been asked for yet.
    pub(super) ask: usize,
}

impl Row<'_> {
    /// How many groups at the end of these slots hold eight valid tokens, each the step before the next, or else
    /// how many hold none and neither change nor end what passes over them.
    #[inline(always)]
    pub(super) fn alike_before(&self, slots: Range<usize>, after: &After) -> (usize, usize) {
        if slots.end > self.valid.len() {
            return (0, 0); // a short group
        }
        if !self.valid[slots.end - 1] {
            let passes = !after.later || self.gap != Gap::Decay;
            return (0, if passes { alike(&self.valid[slots], false) } else { 0 });
        }
        if !self.reaches(after) {
            return (0, 0);
        }
        let valid = alike(&self.valid[slots.clone()], true);
        let going = self.terminated.map_or(valid, |flags| valid.min(alike(&flags[slots.clone()], false)));
        (self.truncated.map_or(going, |flags| going.min(alike(&flags.at[slots], false))), 0)
    }

    /// Credit passes unchanged from the next valid token, or from the end of the row.
    #[inline(always)]
    fn reaches(&self, after: &After) -> bool {
        !after.later || after.adjacent || self.gap == Gap::Skip
    }

    /// d and q of slot t, by the table of ORDER.md; moves `after` to t.
    #[inline(always)]
    pub(super) fn slot<S: Simd>(&self, by: &Decay<S>, t: usize, after: &mut After) -> (f32, f32) {
        if !self.valid[t] {
            let adjacent = core::mem::replace(&mut after.adjacent, false);
            return match self.gap {
                Gap::Skip if after.later => (0.0, 1.0),
                Gap::Decay if after.later => {
                    (if adjacent { fma(by.gamma, after.v, 0.0) } else { 0.0 }, by.gl)
                }
                _ => (0.0, 0.0),
            };
        }
        let (vn, q) = if let Some(Truncated { v_boot, .. }) = self.truncated.filter(|flags| flags.at[t]) {
            (v_boot[t], 0.0)
        } else if self.terminated.is_some_and(|flags| flags[t]) {
            (0.0, 0.0)
        } else if self.reaches(after) {
            (after.v, by.gl)
        } else {
            (0.0, if self.gap == Gap::Decay { by.gl } else { 0.0 })
        };
        (after.v, after.later, after.adjacent) = (self.v[t], true, true);
        (fma(by.gamma, vn, self.r[t]) - self.v[t], q)
    }
}

/// How many of these whole groups at the end are all set, or all unset; eight at a time while that lasts.
#[inline(always)]
fn alike(flags: &[bool], set: bool) -> usize {
    const EIGHT: usize = 8 * GROUP;
    let eights =
        flags.as_rchunks::<EIGHT>().1.iter().rev().take_while(|eight| **eight == [set; EIGHT]).count();
    let rest = &flags[..flags.len() - eights * EIGHT];
    8 * eights + rest.as_chunks::<GROUP>().0.iter().rev().take_while(|group| **group == [set; GROUP]).count()
}
