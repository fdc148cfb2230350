//! The same step on a device: what stays there, and the call.

#![expect(unsafe_code, reason = "memory by its address")]

use super::{
    super::{Batches, Epoch, FIGURES, Heads, LogitsTo, Rolled, Rollout, step},
    case::{ARRAYS, Case, Inputs, Left, VOCAB, narrowed},
};
use crate::{
    Error, Logit, Mask,
    cuda::{Buffer, Ends, Logits, LogitsMut, Stream, View, ViewMut},
    testing::{SENTINEL, same},
};

/// What is asked for, and where the gradient goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    pub(super) all: bool,
    pub(super) in_place: bool,
}

pub(super) struct OnDevice<X> {
    pub(super) full: bool,
    logits: Buffer<X>,
    grad_logits: Buffer<X>,
    pub(super) actions: Buffer<u32>,
    pub(super) scores: Buffer<f32>,
    v_last: Buffer<f32>,
    pub(super) tokens: [Buffer<f32>; 6],
    flags: [Buffer<u8>; 2],
    pub(super) arrays: [Buffer<f32>; ARRAYS.len()],
    pub(super) whitened: Buffer<f32>,
    pub(super) figures: Buffer<f32>,
    scratch: Buffer<f32>,
    pub(super) scratch_len: usize,
}

/// Numbers behind the scratch that nothing may write.
const BEYOND: usize = 64;

fn bytes(flags: &[bool]) -> Vec<u8> {
    flags.iter().map(|flag| u8::from(*flag)).collect()
}

impl<X: Logit> OnDevice<X> {
    pub(super) fn new(
        on: &Stream,
        case: &Case,
        batches: &Batches<'_>,
        x: &Inputs,
    ) -> Result<OnDevice<X>, Error> {
        let upload = |x: &[f32]| Buffer::new(on, x).unwrap();
        let fresh = |n: usize| upload(&vec![SENTINEL; n]);
        let (slots, scratch_len) = (batches.mask().valid().len(), batches.scratch_len());
        Ok(OnDevice {
            full: case.full,
            logits: Buffer::new(on, &narrowed(&x.logits))?,
            grad_logits: Buffer::new(on, &vec![X::narrow(SENTINEL); x.logits.len()])?,
            actions: Buffer::new(on, &x.actions)?,
            scores: upload(&x.scores),
            v_last: upload(&x.v_last),
            tokens: x.tokens.each_ref().map(|x| upload(x)),
            flags: [Buffer::new(on, &bytes(&x.terminated))?, Buffer::new(on, &bytes(&x.truncated))?],
            arrays: ARRAYS.map(|_| fresh(slots)),
            whitened: fresh(2),
            figures: fresh(FIGURES),
            scratch: upload(&[vec![f32::NAN; scratch_len], vec![SENTINEL; BEYOND]].concat()),
            scratch_len,
        })
    }

    /// Other numbers, and nothing made of them yet.
    pub(super) fn write(&mut self, on: &Stream, x: &Inputs) -> Result<(), Error> {
        self.logits.write(on, &narrowed(&x.logits))?;
        self.grad_logits.write(on, &vec![X::narrow(SENTINEL); x.logits.len()])?;
        self.actions.write(on, &x.actions)?;
        self.scores.write(on, &x.scores)?;
        self.v_last.write(on, &x.v_last)?;
        self.flags[0].write(on, &bytes(&x.terminated))?;
        self.flags[1].write(on, &bytes(&x.truncated))?;
        self.tokens.iter_mut().zip(&x.tokens).try_for_each(|(to, x)| to.write(on, x))?;
        let outputs = [&mut self.whitened, &mut self.figures];
        for to in outputs.into_iter().chain(&mut self.arrays) {
            to.write(on, &vec![SENTINEL; to.len()])?;
        }
        Ok(())
    }

    /// Asks for the step.
    pub(super) fn run(&mut self, on: &Stream, batches: &Batches<'_>, how: How) -> Result<(), Error> {
        let [logp_old, logp_ref, v_old, weights, v, v_boot] = self.tokens.each_ref().map(Buffer::view);
        let [terminated, truncated] = self.flags.each_ref().map(Buffer::view);
        let ends = Ends {
            v_last: Some(self.v_last.view()),
            terminated: Some(terminated),
            truncated: Some((truncated, v_boot)),
        };
        let rollout = Rollout {
            // As another framework would hand it in.
            // SAFETY: the buffer outlives the last launch, and nothing writes it meanwhile.
            scores: unsafe { View::from_raw(on, self.scores.as_raw(), self.scores.len()) },
            logp_old,
            logp_ref: self.full.then_some(logp_ref),
            v_old,
            ends: if self.full { ends } else { Ends::default() },
            weights: self.full.then_some(weights),
        };
        let logits = match how.in_place {
            true => LogitsTo::InPlace(LogitsMut::strided(self.logits.view_mut(), VOCAB, VOCAB)?),
            false => LogitsTo::Apart(
                Logits::strided(self.logits.view(), VOCAB, VOCAB)?,
                LogitsMut::strided(self.grad_logits.view_mut(), VOCAB, VOCAB)?,
            ),
        };
        let heads = Heads { logits, actions: self.actions.view(), v };
        // SAFETY: as above, and nothing else reads it.
        let of_ret = unsafe { ViewMut::from_raw(on, self.arrays[8].as_raw(), self.arrays[8].len()) };
        let [kl, token_rewards, adv_raw, logp, ent, grad_logp, grad_ent, adv, _, grad_v] =
            self.arrays.each_mut().map(Buffer::view_mut);
        let [kl, token_rewards, adv_raw, logp, ent, grad_logp, grad_ent] =
            [kl, token_rewards, adv_raw, logp, ent, grad_logp, grad_ent].map(|to| how.all.then_some(to));
        let whitened = self.whitened.view_mut();
        let mut rolled = Rolled { kl, token_rewards, adv_raw, adv, ret: of_ret, whitened };
        let figures = self.figures.view_mut();
        let mut epoch = Epoch { logp, ent, grad_logp, grad_ent, grad_v, figures };
        let (scratch, _) = self.scratch.view_mut().split_at(self.scratch_len);
        step(on, batches, &rollout, heads, &mut rolled, &mut epoch, scratch)
    }

    /// An array that every step writes.
    pub(super) fn untouched(&self, on: &Stream) -> Vec<f32> {
        self.arrays[7].read(on).unwrap()
    }

    /// Compares every number, and what may not have been written.
    pub(super) fn assert_is(&self, what: &str, on: &Stream, mask: &Mask<'_>, how: How, want: &Left) {
        let compare = |name: &str, got: &Buffer<f32>, want: &[f32]| {
            for (slot, (got, want)) in got.read(on).unwrap().into_iter().zip(want).enumerate() {
                let want = if mask.holds(slot) { *want } else { SENTINEL };
                assert!(same(got, want), "{what}, {how:?}: {name}: at {slot} {got:e}, not {want:e}");
            }
        };
        let alone = vec![SENTINEL; mask.valid().len()];
        for (i, (name, got)) in ARRAYS.iter().zip(&self.arrays).enumerate() {
            let is_asked = how.all || i >= 7;
            compare(name, got, if is_asked { &want.arrays[i] } else { &alone });
        }
        // Between rows stands what stood there.
        let (got, between) = match how.in_place {
            true => (&self.logits, None),
            false => (&self.grad_logits, Some(X::narrow(SENTINEL).widen())),
        };
        for (i, (got, want)) in got.read(on).unwrap().into_iter().zip(&want.grad_logits).enumerate() {
            let (got, between) = (got.widen(), between.filter(|_| !mask.holds(i / VOCAB)));
            let want = between.unwrap_or(*want);
            assert!(same(got, want), "{what}, {how:?}: logit {i}: {got:e}, not {want:e}");
        }
        let mut figures = self.whitened.read(on).unwrap();
        figures.extend(self.figures.read(on).unwrap());
        let wanted = want.whitened.iter().chain(&want.figures);
        for (i, (got, want)) in figures.iter().zip(wanted).enumerate() {
            assert!(same(*got, *want), "{what}, {how:?}: figure {i} is {got:e}, not {want:e}");
        }
        let beyond = &self.scratch.read(on).unwrap()[self.scratch_len..];
        assert!(beyond.iter().all(|x| *x == SENTINEL), "{what}: beyond the scratch");
    }
}
