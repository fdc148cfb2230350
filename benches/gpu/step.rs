//! The whole step, from scores to the gradient of the logits: in one call, and replayed as a graph.

use crate::device::{Table, Work, numbers, same_bits};
use conformance::cases::Rng;
use optimized::{
    Backend, Ends, Mask, Settings, TokenOut, TokenStats,
    cuda::{self, Buffer, Stream, step::*},
    step, token_pass,
};
use std::error::Error;

/// What the host has: log π_old, V_old and V are per token.
struct Host {
    logits: Vec<f32>,
    actions: Vec<u32>,
    scores: Vec<f32>,
    tokens: [Vec<f32>; 3],
}

/// What is compared: Â, R, ∂L/∂V, the figures, and the gradient of the logits.
type Left = [Vec<f32>; 5];

impl Host {
    fn new((b, n): (usize, usize), vocab: usize) -> Host {
        let mut rng = Rng::new(7);
        Host {
            logits: numbers(&mut rng, n * vocab),
            actions: (0..n).map(|i| (i * 7919 % vocab) as u32).collect(),
            scores: numbers(&mut rng, b),
            tokens: [(); 3].map(|()| numbers(&mut rng, n)),
        }
    }

    /// The step on the CPU; log π_old is moved to where log π is.
    fn step(&mut self, mask: &Mask<'_>, vocab: usize, s: &Settings) -> Result<Left, optimized::Error> {
        let (on, n) = (Backend::best(), mask.valid().len());
        let logits = optimized::Logits::new(&self.logits, vocab)?;
        let [mut logp, mut ent, mut max, mut ln_sum] = [(); 4].map(|()| vec![0.0; n]);
        let out = TokenOut {
            logp: Some(&mut logp),
            ent: Some(&mut ent),
            max: Some(&mut max),
            ln_sum: Some(&mut ln_sum),
            ..TokenOut::default()
        };
        token_pass(on, logits, &self.actions, mask, s.tau, s.tau_ent, out)?;
        let [logp_old, v_old, v] = &mut self.tokens;
        logp_old.iter_mut().zip(&logp).for_each(|(old, logp)| *old = logp + 0.3 * *old);
        let rollout = step::Rollout {
            mask: *mask,
            attended: None,
            scores: &self.scores,
            logp_old,
            logp_ref: None,
            v_old,
            ends: Ends::default(),
            weights: None,
        };
        let mut room = step::Room::default();
        let targets = step::rollout_phase(on, &rollout, s, &mut room)?.targets;
        let mut grads = step::Gradients::new(mask);
        let now = step::Now { logp: &logp, ent: &ent, v };
        let said = step::losses(on, &targets, &now, s, &mut grads)?;
        let mut grad_logits = vec![0.0; self.logits.len()];
        let to = optimized::LogitsMut::new(&mut grad_logits, vocab)?;
        let stats = TokenStats { ent: &ent, max: &max, ln_sum: &ln_sum, of_ent: None };
        step::logits_grad(on, logits, &self.actions, &targets, stats, &grads, s, to)?;
        let (policy, value) = (said.policy, said.value);
        let mut figures = vec![policy.loss, policy.clip_frac, policy.clip_frac_lower, policy.approx_kl];
        // L_KL is left alone without a reference model.
        figures.extend([value.loss, value.clip_frac, said.ent, 0.0, said.total]);
        Ok([targets.adv.to_vec(), targets.ret.to_vec(), grads.v, figures, grad_logits])
    }
}

/// The same on the device.
struct Device<'a> {
    batches: Batches<'a>,
    vocab: usize,
    logits: Buffer<f32>,
    actions: Buffer<u32>,
    scores: Buffer<f32>,
    tokens: [Buffer<f32>; 3],
    left: [Buffer<f32>; 5],
    whitened: Buffer<f32>,
    scratch: Buffer<f32>,
}

impl Device<'_> {
    fn new<'a>(
        on: &Stream,
        batches: Batches<'a>,
        host: &Host,
        vocab: usize,
    ) -> Result<Device<'a>, optimized::Error> {
        let (n, upload) = (batches.mask().valid().len(), |x: &[f32]| Buffer::new(on, x));
        let [logp_old, v_old, v] = &host.tokens;
        let fresh = |n: usize| upload(&vec![0.0; n]);
        Ok(Device {
            vocab,
            logits: upload(&host.logits)?,
            actions: Buffer::new(on, &host.actions)?,
            scores: upload(&host.scores)?,
            tokens: [upload(logp_old)?, upload(v_old)?, upload(v)?],
            left: [fresh(n)?, fresh(n)?, fresh(n)?, fresh(FIGURES)?, fresh(n * vocab)?],
            whitened: Buffer::room(on, 2)?,
            scratch: Buffer::room(on, batches.scratch_len())?,
            batches,
        })
    }

    /// Logits are read twice and their gradient is written elsewhere, so that each run does the same.
    fn run(&mut self, on: &Stream) -> Result<(), optimized::Error> {
        let [logp_old, v_old, v] = self.tokens.each_ref().map(Buffer::view);
        let [adv, ret, grad_v, figures, grad_logits] = self.left.each_mut().map(Buffer::view_mut);
        let (scores, ends) = (self.scores.view(), cuda::Ends::default());
        let rollout = Rollout { scores, logp_old, logp_ref: None, v_old, ends, weights: None };
        let logits = cuda::Logits::strided(self.logits.view(), self.vocab, self.vocab)?;
        let to = cuda::LogitsMut::strided(grad_logits, self.vocab, self.vocab)?;
        let heads = Heads { logits: LogitsTo::Apart(logits, to), actions: self.actions.view(), v };
        let whitened = self.whitened.view_mut();
        let mut rolled = Rolled { kl: None, token_rewards: None, adv_raw: None, adv, ret, whitened };
        let mut epoch = Epoch { logp: None, ent: None, grad_logp: None, grad_ent: None, grad_v, figures };
        step(on, &self.batches, &rollout, heads, &mut rolled, &mut epoch, self.scratch.view_mut())
    }

    /// Bytes of all that it writes: outputs, among them a gradient as large as the logits, and scratch.
    fn extra(&self) -> usize {
        let left: usize = self.left.iter().map(Buffer::len).sum();
        4 * (left + self.whitened.len() + self.scratch.len())
    }

    fn check(&self, on: &Stream, want: &Left) -> Result<(), Box<dyn Error>> {
        let names = ["advantages", "returns", "gradient of the values", "figures", "gradient of the logits"];
        for ((name, got), want) in names.iter().zip(&self.left).zip(want) {
            same_bits(&format!("step, {name}"), &got.read(on)?, want)?;
        }
        Ok(())
    }
}

impl Table<'_> {
    /// Logits are read twice, and as many numbers written.
    pub(crate) fn of_step(&self, (b, t_len): (usize, usize), vocab: usize) -> Result<(), Box<dyn Error>> {
        let (on, n, s) = (self.on, b * t_len, Settings::default());
        let valid: Vec<bool> = (0..n).map(|slot| slot % t_len + slot / t_len % 8 < t_len).collect();
        let mask = Mask::padded(&valid, b, t_len)?;
        let mut host = Host::new((b, n), vocab);
        let want = host.step(&mask, vocab, &s)?;
        let mut slots = Slots::default();
        let batches = Batches::new(on, &mask, None, &s, &mut slots)?;
        let mut device = Device::new(on, batches, &host, vocab)?;
        let extra = device.extra();
        let work = |how: &str| {
            let name = format!("step {how} f32, {b} × {t_len} × {vocab}");
            Work { name, bytes: 12 * n * vocab, writes: true, extra, to_reach: None }
        };
        let seconds = self.time(&mut |on| device.run(on))?;
        device.check(on, &want)?;
        self.line(&work("in one call"), seconds);
        let graph = on.record(|on| device.run(on))?;
        // SAFETY: all that was recorded is there until the end of this function.
        let seconds = self.time(&mut |on| unsafe { graph.replay(on) })?;
        device.check(on, &want)?;
        self.line(&work("replayed"), seconds);
        Ok(())
    }
}
