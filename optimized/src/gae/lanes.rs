//! `eq:gae-recursion` in groups of eight tokens, from the last group of a row to its first: 9 bytes read a
//! token, 4 written, or 8 with the return. ORDER.md 5.3 says the order; values move across lanes here, so this
//! is written with vectors of a fixed width.

use super::ends::Truncated;
use crate::{
    Gap,
    lanes::fma,
    memory::{Store, prefetch},
    tiles::STAGE,
};
use core::{array::from_fn, ops::Range};
use fearless_simd::{Simd, f32x8, prelude::*};

/// Tokens of a group.
const GROUP: usize = 8;

/// What the rows with one γ and λ share.
pub(super) struct Decay<S: Simd> {
    gamma: f32,
    /// γλ.
    gl: f32,
    /// q before each stride of an unbroken group, and after the last.
    q: [f32x8<S>; 4],
    /// The last of these for the group's first token.
    of_group: f32,
    /// None of them is 0, so that nothing is to be selected away.
    nonzero: bool,
}

impl<S: Simd> Decay<S> {
    #[inline(always)]
    pub(super) fn new(simd: S, gamma: f32, lambda: f32) -> Decay<S> {
        let gl = gamma * lambda;
        let mut q = [[gl; GROUP]; 4];
        for (k, stride) in [1, 2, 4].into_iter().enumerate() {
            q[k + 1] = from_fn(|t| if t + stride < GROUP { q[k][t] * q[k][t + stride] } else { q[k][t] });
        }
        Decay {
            gamma,
            gl,
            q: q.map(|q| f32x8::from_slice(simd, &q)),
            of_group: q[3][0],
            nonzero: q.as_flattened().iter().all(|q| *q != 0.0),
        }
    }
}

/// The operands of one row; all of one length.
pub(super) struct Row<'a> {
    pub(super) r: &'a [f32],
    pub(super) v: &'a [f32],
    pub(super) valid: &'a [bool],
    pub(super) terminated: Option<&'a [bool]>,
    pub(super) truncated: Option<Truncated<'a>>,
    /// Where the last stage of the next row begins, from the start of this one.
    pub(super) next: usize,
    /// V after the last valid token.
    pub(super) boot: f32,
    pub(super) gap: Gap,
}

/// What a group needs to know of the slots after it.
struct After {
    /// A of the first of them.
    carry: f32,
    /// V of the next valid token; `boot` if there is none.
    v: f32,
    /// There is one.
    later: bool,
    /// It stands in the very next slot.
    adjacent: bool,
    /// What will be read soon, and has not been asked for yet.
    ask: usize,
}

/// A and R of some groups.
type Groups = [[f32; GROUP]];

/// Room for what is computed before any is written.
pub(super) type Staged = [[[f32; GROUP]; STAGE / GROUP]; 2];

/// Nothing yet.
pub(super) const STAGED: Staged = [[[0.0; GROUP]; STAGE / GROUP]; 2];

/// Advantages of one row, and its returns where there is room for them.
#[inline(always)]
pub(super) fn row<S: Simd>(
    simd: S,
    by: &Decay<S>,
    row: &Row<'_>,
    store: Store,
    staged: &mut Staged,
    adv: &mut [f32],
    mut ret: Option<&mut [f32]>,
) {
    let [of_adv, of_ret] = staged;
    let mut after = After { carry: 0.0, v: row.boot, later: false, adjacent: false, ask: 0 };
    for start in (0..adv.len()).step_by(STAGE).rev() {
        let slots = start..adv.len().min(start + STAGE);
        after.ask = start.checked_sub(STAGE).unwrap_or(row.next);
        let mut left = slots.len().div_ceil(GROUP);
        while left > 0 {
            let (unbroken_groups, masked_groups) = row.alike_before(start..start + left * GROUP, &after);
            if unbroken_groups > 0 {
                let first = left - unbroken_groups;
                let at = start + first * GROUP..start + left * GROUP;
                let (adv, ret) = (&mut of_adv[first..left], &mut of_ret[first..left]);
                unbroken(simd, by, row, at, &mut after, adv, ret);
                left = first;
            } else if masked_groups > 0 {
                let first = left - masked_groups;
                of_adv[first..left].fill([0.0; GROUP]);
                of_ret[first..left].fill([0.0; GROUP]);
                after.carry = if row.gap == Gap::Skip { after.carry + 0.0 } else { 0.0 };
                after.adjacent = false;
                left = first;
            } else {
                left -= 1;
                broken(
                    simd,
                    by,
                    row,
                    start + left * GROUP,
                    &mut after,
                    (&mut of_adv[left], &mut of_ret[left]),
                );
            }
        }
        store.write(&mut adv[slots.clone()], &of_adv.as_flattened()[..slots.len()]);
        if let Some(ret) = &mut ret {
            store.write(&mut ret[slots.clone()], &of_ret.as_flattened()[..slots.len()]);
        }
    }
}

impl Row<'_> {
    /// How many groups at the end of these slots hold eight valid tokens, each the step before the next, or else
    /// how many hold none and neither change nor end what passes over them.
    #[inline(always)]
    fn alike_before(&self, slots: Range<usize>, after: &After) -> (usize, usize) {
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
    fn slot<S: Simd>(&self, by: &Decay<S>, t: usize, after: &mut After) -> (f32, f32) {
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

/// How many groups at the end are all set, or all unset.
#[inline(always)]
fn alike(flags: &[bool], set: bool) -> usize {
    flags.as_chunks::<GROUP>().0.iter().rev().take_while(|group| **group == [set; GROUP]).count()
}

/// Groups of eight valid tokens, each the step before the next.
#[inline(always)]
fn unbroken<S: Simd>(
    simd: S,
    by: &Decay<S>,
    row: &Row<'_>,
    at: Range<usize>,
    after: &mut After,
    adv: &mut Groups,
    ret: &mut Groups,
) {
    let zero = f32x8::splat(simd, 0.0);
    let (gamma, gl) = (f32x8::splat(simd, by.gamma), f32x8::splat(simd, by.gl));
    let (mut carry, mut next, mut ask) = (after.carry, after.v, after.ask);
    let (r, v) = (&row.r[at.clone()], &row.v[at]);
    let groups = r.as_chunks::<GROUP>().0.iter().zip(v.as_chunks::<GROUP>().0);
    for (((r, v), adv), ret) in groups.zip(adv).zip(ret).rev() {
        prefetch(row.r, ask);
        prefetch(row.v, ask);
        ask += GROUP;
        let (r, first) = (f32x8::from_slice(simd, r), v[0]);
        let v = f32x8::from_slice(simd, v);
        let d = gamma.mul_add_precise(v.slide::<1>(f32x8::splat(simd, next)), r) - v;
        let a = if by.nonzero {
            let d = by.q[0].mul_add_precise(d.slide::<1>(zero), d);
            let d = by.q[1].mul_add_precise(d.slide::<2>(zero), d);
            let d = by.q[2].mul_add_precise(d.slide::<4>(zero), d);
            let a = by.q[3].mul_add_precise(f32x8::splat(simd, carry), d);
            // The first lane of `a` once more: the chain from group to group is then this one operation.
            carry = fma(by.of_group, carry, d[0]);
            a
        } else {
            let a = chain(simd, d, gl, carry);
            carry = a[0];
            a
        };
        a.store_slice(adv);
        (a + v).store_slice(ret);
        next = first;
    }
    *after = After { carry, v: next, later: true, adjacent: true, ask };
}

/// Any other group, short or with masked slots or flags.
#[inline(always)]
fn broken<S: Simd>(
    simd: S,
    by: &Decay<S>,
    row: &Row<'_>,
    at: usize,
    after: &mut After,
    (adv, ret): (&mut [f32; GROUP], &mut [f32; GROUP]),
) {
    let n = GROUP.min(row.valid.len() - at);
    let (mut d, mut q) = ([0.0; GROUP], [0.0; GROUP]);
    let carry = after.carry;
    for t in (0..n).rev() {
        (d[t], q[t]) = row.slot(by, at + t, after);
    }
    let a = chain(simd, f32x8::from_slice(simd, &d), f32x8::from_slice(simd, &q), carry);
    after.carry = a[0];
    for t in 0..n {
        let valid = row.valid[at + t];
        adv[t] = if valid { a[t] } else { 0.0 };
        ret[t] = if valid { a[t] + row.v[at + t] } else { 0.0 };
    }
}

/// A of a group from its d and q and the A that follows it; a coefficient of 0 selects +0.
#[inline(always)]
fn chain<S: Simd>(simd: S, d: f32x8<S>, q: f32x8<S>, carry: f32) -> f32x8<S> {
    let (d, q) = stride::<S, 1>(simd, d, q);
    let (d, q) = stride::<S, 2>(simd, d, q);
    let (d, q) = stride::<S, 4>(simd, d, q);
    let zero = f32x8::splat(simd, 0.0);
    q.mul_add_precise(q.simd_eq(zero).select(zero, f32x8::splat(simd, carry)), d)
}

#[inline(always)]
fn stride<S: Simd, const N: usize>(simd: S, d: f32x8<S>, q: f32x8<S>) -> (f32x8<S>, f32x8<S>) {
    let zero = f32x8::splat(simd, 0.0);
    let next = q.simd_eq(zero).select(zero, d.slide::<N>(zero));
    (q.mul_add_precise(next, d), q * q.slide::<N>(f32x8::splat(simd, 1.0)))
}
