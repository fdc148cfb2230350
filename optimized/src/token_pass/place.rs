//! Where the gradient of the logits goes: to another array, past the caches where it is large, or to where the logits
//! are.

use super::logits::{Logit, Logits, Shape};
use crate::{
    memory::{Store, prefetch},
    parallel::Cut,
};
use fearless_simd::Simd;

/// How many bytes ahead of a chunk what follows is asked for. Hardware foresees one stream forward by itself, but not
/// always far enough: on a Xeon asking saves a quarter, and half with bf16, whose arithmetic is as long for half the bytes.
const AHEAD: usize = 2048;

/// Where the logits are and their gradient goes.
pub(super) enum Place<'a, X> {
    /// From one array, by the slot of the whole batch, to another, by the slot of the block.
    Apart { logits: Logits<'a, X>, to: &'a mut [X], shape: Shape, store: Store },
    /// To where they are.
    Within { data: &'a mut [X], shape: Shape },
}

/// A row of a block.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// Its slot, of the block.
    pub(super) at: usize,
    /// Its slot, of the whole batch.
    pub(super) slot: usize,
    /// The token that was sampled.
    pub(super) action: usize,
}

impl<X: Logit> Place<'_, X> {
    /// How bursts are written.
    pub(super) fn store(&self) -> Store {
        if let Place::Apart { store, .. } = self { *store } else { Store::Plain }
    }

    /// +0 for a whole row.
    #[inline(always)]
    pub(super) fn clear(&mut self, at: usize) {
        let (data, Shape { vocab, stride }) = match self {
            Place::Apart { to, shape, .. } => (&mut **to, *shape),
            Place::Within { data, shape } => (&mut **data, *shape),
        };
        data[at * stride..][..vocab].fill(X::ZERO);
    }

    /// A row's gradient: `of_each` of every logit, but `of_action` of the action's.
    ///
    /// Logits are computed two vectors at once, and leave the registers for where they belong. Staging them
    /// instead cost a third.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(
        &mut self,
        simd: S,
        row: Row,
        of_each: impl Fn(f32) -> f32,
        of_action: impl Fn(f32) -> f32,
    ) {
        if const { size_of::<S::f32s>() == 64 } {
            self.fill_in_chunks::<S, 32>(simd, row, of_each, of_action);
        } else {
            self.fill_in_chunks::<S, 16>(simd, row, of_each, of_action);
        }
    }

    #[inline(always)]
    fn fill_in_chunks<S: Simd, const CHUNK: usize>(
        &mut self,
        simd: S,
        row: Row,
        of_each: impl Fn(f32) -> f32,
        of_action: impl Fn(f32) -> f32,
    ) {
        let Row { at, slot, action } = row;
        match self {
            Place::Within { data, shape } => {
                let row = &mut data[at * shape.stride..][..shape.vocab];
                let of_action = X::narrow(of_action(row[action].widen()));
                let (chunks, rest) = row.as_chunks_mut::<CHUNK>();
                for chunk in chunks {
                    ask_ahead(chunk);
                    *chunk = slopes(simd, chunk, &of_each);
                }
                for x in rest {
                    *x = X::narrow(of_each(x.widen()));
                }
                row[action] = of_action;
            }
            Place::Apart { logits, to, shape, store } => {
                let row = logits.row(slot);
                let to = &mut to[at * shape.stride..][..shape.vocab];
                copy_slopes::<S, CHUNK, X>(simd, row, to, action, *store, &of_each);
                to[action] = X::narrow(of_action(row[action].widen()));
            }
        }
    }
}

/// The slopes of a chunk, all at once.
#[inline(always)]
fn slopes<S: Simd, const CHUNK: usize, X: Logit>(
    simd: S,
    x: &[X; CHUNK],
    of_each: &impl Fn(f32) -> f32,
) -> [X; CHUNK] {
    let mut slopes = X::widened(simd, x);
    for x in &mut slopes {
        *x = of_each(*x);
    }
    X::narrowed(simd, &slopes)
}

/// Asks for the lines that are [`AHEAD`] of a chunk.
#[inline(always)]
fn ask_ahead<const CHUNK: usize, X>(chunk: &[X; CHUNK]) {
    for at in (0..CHUNK).step_by(64 / size_of::<X>()) {
        prefetch(chunk, AHEAD / size_of::<X>() + at);
    }
}

/// The slopes of a row to another. The chunk that holds the action is not streamed, since the action's slope will be
/// written over.
#[inline(always)]
fn copy_slopes<S: Simd, const CHUNK: usize, X: Logit>(
    simd: S,
    x: &[X],
    to: &mut [X],
    action: usize,
    store: Store,
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
            ask_ahead(x);
            store.put(simd.level(), to, slopes(simd, x, of_each));
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
