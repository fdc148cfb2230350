//! `eq:gae-recursion` in groups of eight tokens, from the last group of a row to its first: 9 bytes read a
//! token, 4 written, or 8 with the return. ORDER.md 5.3 says the order; values move across lanes here, so this
//! is written with vectors of a fixed width.

use super::table::{After, Row};
use crate::{
    Gap,
    lanes::fma,
    memory::{Store, prefetch},
};
use core::{array::from_fn, ops::Range};
use fearless_simd::{Simd, f32x8, prelude::*};

/// Tokens of a group.
pub(super) const GROUP: usize = 8;

/// Tokens of a row that are read, computed and written before those ahead of them: so many that memory sees
/// mostly ascending reads, and few enough for the nearest caches.
pub(super) const STAGE: usize = 2048;

/// What the rows with one γ and λ share.
pub(super) struct Decay<S: Simd> {
    pub(super) gamma: f32,
    pub(super) lambda: f32,
    /// γλ.
    pub(super) gl: f32,
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
            lambda,
            gl,
            q: q.map(|q| f32x8::from_slice(simd, &q)),
            of_group: q[3][0],
            nonzero: q.as_flattened().iter().all(|q| *q != 0.0),
        }
    }
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

/// Groups of eight valid tokens, each the step before the next: d of all in ascending order, then the groups from
/// the last to the first.
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
    let (r, v) = (&row.r[at.clone()], &row.v[at]);
    let d = &mut adv.as_flattened_mut()[..v.len()];
    let (v_next, last) = (&v[1..], v.len() - 1);
    for t in 0..last {
        d[t] = fma(by.gamma, v_next[t], r[t]) - v[t];
    }
    d[last] = fma(by.gamma, after.v, r[last]) - v[last];
    let zero = f32x8::splat(simd, 0.0);
    let gl = f32x8::splat(simd, by.gl);
    let (mut carry, mut ask) = (after.carry, after.ask);
    for ((adv, ret), v) in adv.iter_mut().zip(ret).zip(v.as_chunks::<GROUP>().0).rev() {
        // A cache line is two groups.
        prefetch(if ask & GROUP == 0 { row.r } else { row.v }, ask);
        ask += GROUP;
        let d = f32x8::from_slice(simd, adv);
        // ANCHOR: group
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
        // ANCHOR_END: group
        a.store_slice(adv);
        (a + f32x8::from_slice(simd, v)).store_slice(ret);
    }
    *after = After { carry, v: v[0], later: true, adjacent: true, ask };
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
