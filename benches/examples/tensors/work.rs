//! The works: the order of their operands, and the call that does each.

use half::bf16;
use optimized::{
    Agg, Backend, Error, Gap, Half, Logit, Mask, ValueClip,
    cuda::{self, Batch, Logits, LogitsMut, Plain, Stream, View, ViewMut},
};
use ppo_benches::verl::CLIP;
use std::ffi::c_void;

/// A kind by its name, with its operands: inputs, outputs, and scratch where it takes any.
const KINDS: [(&str, usize); 9] = [
    ("gae", 5),                // r, v; adv, ret; scratch
    ("value_loss", 6),         // v, v_old, ret; grad, two figures; scratch
    ("policy_loss", 6),        // logp, logp_old, adv; grad, four figures; scratch
    ("forward_f32", 6),        // logits, actions; logp, ent, max, ln_sum
    ("forward_bf16", 6),       // …
    ("grad_f32", 9),           // the same; g_logp, g_ent; the gradient
    ("grad_bf16", 9),          // …
    ("grad_in_place_f32", 8),  // the same, its gradient in place of the logits
    ("grad_in_place_bf16", 8), // …
];

/// A work of a kind: a stream of the caller's, and a mask.
pub(crate) struct Work {
    kind: &'static str,
    operands: usize,
    size: (usize, usize),
    batch: Batch<'static>,
    stream: Stream,
}

impl Work {
    /// # Safety
    ///
    /// The stream is there as long as this is.
    pub(crate) unsafe fn new(
        on: Backend,
        kind: &str,
        size: (usize, usize),
        valid: Option<Vec<bool>>,
        stream: *mut c_void,
    ) -> Result<Work, Error> {
        let Some(&(kind, operands)) = KINDS.iter().find(|(name, _)| *name == kind) else {
            return Err(Error::NotOn { op: "tensors", backend: on.name() });
        };
        // SAFETY: as the caller says.
        let stream = unsafe { Stream::from_raw(on, stream) }?;
        // A few megabytes that stay until the process ends, since a batch borrows its mask.
        let (b, t_len) = if valid.is_some() { size } else { (1, size.0) };
        let valid: &'static [bool] = valid.unwrap_or_else(|| vec![true; t_len]).leak();
        let batch = Batch::new(&stream, &Mask::padded(valid, b, t_len)?)?;
        Ok(Work { kind, operands, size, batch, stream })
    }

    pub(crate) fn operands(&self) -> usize {
        self.operands
    }

    pub(crate) fn scratch(&self) -> usize {
        self.batch.scratch_len()
    }

    /// # Safety
    ///
    /// The addresses are those of the kind's operands, which are there until the stream has come to the end of what is asked.
    pub(crate) unsafe fn run(&self, at: &[u64]) -> Result<(), Error> {
        // SAFETY: as the caller says, of all three.
        unsafe {
            match self.kind {
                "gae" => self.gae(at),
                "value_loss" => self.value_loss(at),
                "policy_loss" => self.policy_loss(at),
                kind if kind.ends_with("bf16") => self.logits::<bf16>(at),
                _ => self.logits::<f32>(at),
            }
        }
    }

    /// # Safety
    ///
    /// As [`Work::run`].
    unsafe fn read<T: Plain>(&self, address: u64, len: usize) -> View<'_, T> {
        // SAFETY: as the caller says.
        unsafe { View::from_raw(&self.stream, address, len) }
    }

    /// # Safety
    ///
    /// As [`Work::run`].
    unsafe fn write<T: Plain>(&self, address: u64, len: usize) -> ViewMut<'_, T> {
        // SAFETY: as the caller says.
        unsafe { ViewMut::from_raw(&self.stream, address, len) }
    }

    unsafe fn gae(&self, at: &[u64]) -> Result<(), Error> {
        let (n, on) = (self.size.0 * self.size.1, &self.stream);
        let (ends, lambda) = (cuda::Ends::default(), cuda::Lambda::One(0.95));
        // SAFETY: as `run` says.
        unsafe {
            let (r, v) = (self.read(at[0], n), self.read(at[1], n));
            let out = cuda::GaeOut { adv: self.write(at[2], n), ret: Some(self.write(at[3], n)) };
            let scratch = self.write(at[4], self.scratch());
            cuda::gae(on, r, v, &self.batch, &ends, Gap::Skip, 0.99, lambda, out, scratch)
        }
    }

    unsafe fn value_loss(&self, at: &[u64]) -> Result<(), Error> {
        let (n, on) = (self.size.0 * self.size.1, &self.stream);
        let (form, agg, half) = (ValueClip::Max, Agg::TokenMean, Half::Yes);
        // SAFETY: as `run` says.
        unsafe {
            let [v, v_old, ret] = [at[0], at[1], at[2]].map(|x| self.read(x, n));
            let grad = Some(cuda::Grad { c: 1.0, to: self.write(at[3], n) });
            let out = cuda::ValueOut { per_token: None, grad, figures: self.write(at[4], 2) };
            let scratch = self.write(at[5], self.scratch());
            cuda::value_loss(on, v, v_old, ret, &self.batch, 0.2, form, agg, half, out, scratch)
        }
    }

    unsafe fn policy_loss(&self, at: &[u64]) -> Result<(), Error> {
        let (n, on, agg) = (self.size.0 * self.size.1, &self.stream, Agg::TokenMean);
        // SAFETY: as `run` says.
        unsafe {
            let [logp, logp_old, adv] = [at[0], at[1], at[2]].map(|x| self.read(x, n));
            let grad = Some(cuda::Grad { c: 1.0, to: self.write(at[3], n) });
            let figures = self.write(at[4], 4);
            let out = cuda::PolicyOut { per_token: None, ratio: None, grad, figures };
            let scratch = self.write(at[5], self.scratch());
            cuda::policy_loss(on, logp, logp_old, adv, &self.batch, None, &CLIP, agg, out, scratch)
        }
    }

    /// The forward pass, and then the gradient where the kind has one.
    unsafe fn logits<X: Logit>(&self, at: &[u64]) -> Result<(), Error> {
        let ((n, vocab), on) = (self.size, &self.stream);
        // SAFETY: as `run` says. What the forward pass wrote is read by what the stream does after it, and so are logits that
        // are replaced.
        unsafe {
            let actions = self.read(at[1], n);
            let x = Logits::strided(self.read::<X>(at[0], n * vocab), vocab, vocab)?;
            let [logp, ent, max, ln_sum] = [at[2], at[3], at[4], at[5]].map(|to| Some(self.write(to, n)));
            let out = cuda::TokenOut { logp, ent, max, ln_sum, ..cuda::TokenOut::default() };
            cuda::token_pass(on, x, actions, &self.batch, 1.0, 1.0, out)?;
            if self.kind.starts_with("forward") {
                return Ok(());
            }
            let [ent, max, ln_sum] = [at[3], at[4], at[5]].map(|x| self.read(x, n));
            let stats = cuda::TokenStats { ent, max, ln_sum, of_ent: None };
            let (g_logp, g_ent) = (self.read(at[6], n), self.read(at[7], n));
            let in_place = self.kind.starts_with("grad_in_place");
            let to = self.write::<X>(at[if in_place { 0 } else { 8 }], n * vocab);
            let to = LogitsMut::strided(to, vocab, vocab)?;
            let batch = &self.batch;
            if in_place {
                return cuda::token_pass_grad_in_place(
                    on, to, actions, batch, 1.0, 1.0, stats, g_logp, g_ent,
                );
            }
            cuda::token_pass_grad(on, x, actions, batch, 1.0, 1.0, stats, g_logp, g_ent, to)
        }
    }
}
