//! ∂L/∂logits from ∂L/∂log π and ∂L/∂H: 4 bytes read and 4 written a logit (bf16: 2 and 2), some 14 operations.

use super::{
    TokenStats, check_actions, inv_tau,
    logits::{Logit, Logits, Shape},
};
use crate::{
    Error, Mask, check,
    lanes::{LO, exp_softmax, fma, select_greater},
    memory::Store,
    parallel::Cut,
};
use core::ops::Range;
use fearless_simd::Level;

/// Logits that are computed at once, and leave the registers for where they belong: two vectors of AVX2, or one of
/// AVX-512. Staging them instead cost a third.
const CHUNK: usize = 16;

/// The operands of a backward pass, but for the logits.
#[derive(Clone, Copy)]
pub(super) struct Backward<'a> {
    actions: &'a [u32],
    pub(super) mask: Mask<'a>,
    pub(super) vocab: usize,
    /// 1/τ of the log-probability, and of the entropy.
    inv_tau: [f32; 2],
    stats: TokenStats<'a>,
    g_logp: &'a [f32],
    g_ent: &'a [f32],
}

/// One softmax of a token and what flows through it.
#[derive(Clone, Copy)]
pub(super) struct Part {
    max: f32,
    ln_sum: f32,
    /// −(g_H H + g_π), and −g_H.
    c: f32,
    neg_g_ent: f32,
    inv_tau: f32,
}

impl Part {
    /// p (c − g_H log p) of the logit after temperature, before what belongs to the action.
    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        let lp = select_greater(LO, (x - self.max) - self.ln_sum);
        let p = if lp == LO { 0.0 } else { exp_softmax(lp) };
        p * fma(self.neg_g_ent, lp, self.c)
    }

    /// The slope in the logit before temperature.
    #[inline(always)]
    fn scaled(self, x: f32) -> f32 {
        self.slope(x * self.inv_tau) * self.inv_tau
    }

    /// The same for the action's logit.
    #[inline(always)]
    fn of_action(self, x: f32, g_logp: f32) -> f32 {
        (self.slope(x * self.inv_tau) + g_logp) * self.inv_tau
    }
}

impl<'a> Backward<'a> {
    /// The operands, all checked.
    #[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
    pub(super) fn new(
        op: &'static str,
        actions: &'a [u32],
        mask: &Mask<'a>,
        vocab: usize,
        [tau, tau_ent]: [f64; 2],
        stats: TokenStats<'a>,
        g_logp: &'a [f32],
        g_ent: &'a [f32],
    ) -> Result<Backward<'a>, Error> {
        let inv_tau = [inv_tau(op, "tau", tau)?, inv_tau(op, "tau_ent", tau_ent)?];
        check_actions(op, actions, mask, vocab)?;
        let TokenStats { ent, max, ln_sum, of_ent } = stats;
        let lengths = [
            ("ent", ent.len()),
            ("max", max.len()),
            ("ln_sum", ln_sum.len()),
            ("g_logp", g_logp.len()),
            ("g_ent", g_ent.len()),
        ];
        check::lengths(op, mask, &lengths)?;
        match of_ent {
            _ if inv_tau[0] == inv_tau[1] => {}
            Some((max, ln_sum)) => {
                check::lengths(op, mask, &[("max_ent", max.len()), ("ln_sum_ent", ln_sum.len())])?;
            }
            None => return Err(Error::StatsOfEntropy { op, tau, tau_ent }),
        }
        Ok(Backward { actions, mask: *mask, vocab, inv_tau, stats, g_logp, g_ent })
    }

    /// What flows through the first softmax of a token, and through the second if there are two.
    #[inline(always)]
    fn parts(&self, slot: usize) -> (Part, Option<Part>) {
        let TokenStats { ent, max, ln_sum, of_ent } = self.stats;
        let (g_logp, g_ent) = (self.g_logp[slot], self.g_ent[slot]);
        let part = |max: &[f32], ln_sum: &[f32], g_logp, g_ent: f32, ent, inv_tau| Part {
            max: max[slot],
            ln_sum: ln_sum[slot],
            c: -fma(g_ent, ent, g_logp),
            neg_g_ent: -g_ent,
            inv_tau,
        };
        let [inv_tau, inv_tau_ent] = self.inv_tau;
        match of_ent {
            Some((max_ent, ln_sum_ent)) if inv_tau != inv_tau_ent => (
                part(max, ln_sum, g_logp, 0.0, 0.0, inv_tau),
                Some(part(max_ent, ln_sum_ent, 0.0, g_ent, ent[slot], inv_tau_ent)),
            ),
            _ => (part(max, ln_sum, g_logp, g_ent, ent[slot], inv_tau), None),
        }
    }

    /// The gradient of a block of slots, at level `on`; `place` begins with the row of the first.
    #[inline(always)]
    pub(super) fn block<X: Logit>(&self, on: Level, slots: Range<usize>, mut place: Place<'_, X>) {
        for (at, slot) in slots.enumerate() {
            if !self.mask.holds(slot) {
                continue;
            }
            if !self.mask.valid()[slot] {
                place.clear(at);
                continue;
            }
            let (a, g_logp) = (self.actions[slot] as usize, self.g_logp[slot]);
            match self.parts(slot) {
                (p, None) if p.inv_tau == 1.0 => {
                    place.fill(
                        on,
                        at,
                        slot,
                        a,
                        #[inline(always)]
                        |x| p.slope(x),
                        |x| p.of_action(x, g_logp),
                    );
                }
                (p, None) => {
                    place.fill(
                        on,
                        at,
                        slot,
                        a,
                        #[inline(always)]
                        |x| p.scaled(x),
                        |x| p.of_action(x, g_logp),
                    );
                }
                (p, Some(h)) => place.fill(
                    on,
                    at,
                    slot,
                    a,
                    #[inline(always)]
                    |x| p.scaled(x) + h.scaled(x),
                    |x| p.of_action(x, g_logp) + h.of_action(x, 0.0),
                ),
            }
        }
    }
}

/// Where the logits are and their gradient goes.
pub(super) enum Place<'a, X> {
    /// From one array, by the slot of the whole batch, to another, by the slot of the block.
    Apart { logits: Logits<'a, X>, to: &'a mut [X], shape: Shape, store: Store },
    /// To where they are.
    Within { data: &'a mut [X], shape: Shape },
}

impl<X: Logit> Place<'_, X> {
    /// How bursts are written.
    pub(super) fn store(&self) -> Store {
        if let Place::Apart { store, .. } = self { *store } else { Store::Plain }
    }

    /// +0 for a whole row.
    #[inline(always)]
    fn clear(&mut self, at: usize) {
        let (data, Shape { vocab, stride }) = match self {
            Place::Apart { to, shape, .. } => (&mut **to, *shape),
            Place::Within { data, shape } => (&mut **data, *shape),
        };
        data[at * stride..][..vocab].fill(X::ZERO);
    }

    /// A row's gradient: `of_each` of every logit, but `of_action` of the action's.
    #[inline(always)]
    fn fill(
        &mut self,
        on: Level,
        at: usize,
        slot: usize,
        action: usize,
        of_each: impl Fn(f32) -> f32,
        of_action: impl Fn(f32) -> f32,
    ) {
        match self {
            Place::Within { data, shape } => {
                let row = &mut data[at * shape.stride..][..shape.vocab];
                let of_action = X::narrow(of_action(row[action].widen()));
                let (chunks, rest) = row.as_chunks_mut::<CHUNK>();
                for chunk in chunks {
                    *chunk = slopes(chunk, &of_each);
                }
                for x in rest {
                    *x = X::narrow(of_each(x.widen()));
                }
                row[action] = of_action;
            }
            Place::Apart { logits, to, shape, store } => {
                let row = logits.row(slot);
                let to = &mut to[at * shape.stride..][..shape.vocab];
                copy_slopes(row, to, action, (*store, on), &of_each);
                to[action] = X::narrow(of_action(row[action].widen()));
            }
        }
    }
}

/// The slopes of a chunk, all at once. Three loops, since one is not made into whole vectors where X is narrower.
#[inline(always)]
fn slopes<X: Logit>(x: &[X; CHUNK], of_each: &impl Fn(f32) -> f32) -> [X; CHUNK] {
    let mut wide = [0.0; CHUNK];
    for (wide, x) in wide.iter_mut().zip(x) {
        *wide = x.widen();
    }
    for wide in &mut wide {
        *wide = of_each(*wide);
    }
    let mut slopes = [X::ZERO; CHUNK];
    for (slope, wide) in slopes.iter_mut().zip(&wide) {
        *slope = X::narrow(*wide);
    }
    slopes
}

/// The slopes of a row to another. Nothing is asked for ahead: one stream forward is what hardware foresees by
/// itself. The chunk that holds the action is not streamed, since the action's slope will be written over.
#[inline(always)]
fn copy_slopes<X: Logit>(
    x: &[X],
    to: &mut [X],
    action: usize,
    (store, on): (Store, Level),
    of_each: &impl Fn(f32) -> f32,
) {
    let head = store.head(to);
    let (x_head, x) = x.split_at(head);
    let (to_head, to) = to.split_at_mut(head);
    let (chunks, x_tail) = x.as_chunks::<CHUNK>();
    let (to_chunks, to_tail) = to.as_chunks_mut::<CHUNK>();
    let of_action = chunks.len().min(action.wrapping_sub(head) / CHUNK);
    let after = chunks.len().min(of_action + 1);
    for (at, store) in [(0..of_action, store), (of_action..after, Store::Plain), (after..chunks.len(), store)]
    {
        for (to, x) in to_chunks[at.clone()].iter_mut().zip(&chunks[at]) {
            store.put(on, to, slopes(x, of_each));
        }
    }
    for (to, x) in to_head.iter_mut().zip(x_head).chain(to_tail.iter_mut().zip(x_tail)) {
        *to = X::narrow(of_each(x.widen()));
    }
}

impl<X: Logit> Cut for Place<'_, X> {
    fn cut(self, slots: usize) -> (Self, Self) {
        match self {
            Place::Apart { logits, to, shape, store } => {
                let (left, right) = to.split_at_mut(slots * shape.stride);
                (
                    Place::Apart { logits, to: left, shape, store },
                    Place::Apart { logits, to: right, shape, store },
                )
            }
            Place::Within { data, shape } => {
                let (left, right) = data.split_at_mut(slots * shape.stride);
                (Place::Within { data: left, shape }, Place::Within { data: right, shape })
            }
        }
    }
}
