//! The same step on a device: what stays there, and what is asked of a stream.

#![expect(unsafe_code, reason = "memory by its address")]

use super::case::{ARRAYS, Choices, EPS_V, FIGURES, GAMMA, Inputs, Left, TAU, VOCAB, clip};
use crate::{
    Error, Put,
    cuda::{self, Batch, Buffer, Stream, View, ViewMut},
    testing::{SENTINEL, same},
};

/// The same on a device: what stays there.
pub(super) struct OnDevice {
    pub(super) logits: Buffer<f32>,
    pub(super) actions: Buffer<u32>,
    pub(super) scores: Buffer<f32>,
    pub(super) v_last: Buffer<f32>,
    pub(super) tokens: Vec<Buffer<f32>>,
    pub(super) flags: [Buffer<u8>; 2],
    pub(super) arrays: Vec<Buffer<f32>>,
    pub(super) figures: Buffer<f32>,
    pub(super) scratch: Buffer<f32>,
}

pub(super) fn bytes(flags: &[bool]) -> Vec<u8> {
    flags.iter().map(|flag| u8::from(*flag)).collect()
}

impl OnDevice {
    pub(super) fn new(on: &Stream, batch: &Batch<'_>, x: &Inputs) -> Result<OnDevice, Error> {
        let fresh = vec![SENTINEL; batch.mask().valid().len()];
        let upload = |x: &Vec<f32>| Buffer::new(on, x);
        Ok(OnDevice {
            logits: upload(&x.logits)?,
            actions: Buffer::new(on, &x.actions)?,
            scores: upload(&x.scores)?,
            v_last: upload(&x.v_last)?,
            tokens: x.tokens.iter().map(upload).collect::<Result<_, _>>()?,
            flags: [Buffer::new(on, &bytes(&x.terminated))?, Buffer::new(on, &bytes(&x.truncated))?],
            arrays: ARRAYS.iter().map(|_| upload(&fresh)).collect::<Result<_, _>>()?,
            figures: Buffer::room(on, FIGURES)?,
            scratch: Buffer::room(on, batch.scratch_len())?,
        })
    }

    pub(super) fn write(&mut self, on: &Stream, x: &Inputs) -> Result<(), Error> {
        self.logits.write(on, &x.logits)?;
        self.actions.write(on, &x.actions)?;
        self.scores.write(on, &x.scores)?;
        self.v_last.write(on, &x.v_last)?;
        self.flags[0].write(on, &bytes(&x.terminated))?;
        self.flags[1].write(on, &bytes(&x.truncated))?;
        self.tokens.iter_mut().zip(&x.tokens).try_for_each(|(to, x)| to.write(on, x))
    }

    /// An array of this, as another framework would hand it in.
    pub(super) fn raw<'a>(on: &Stream, of: &Buffer<f32>) -> View<'a, f32> {
        // SAFETY: the buffer outlives the test's last launch; what writes it comes before or after on the stream.
        unsafe { View::from_raw(on, of.address().0, of.len()) }
    }

    pub(super) fn raw_mut<'a>(on: &Stream, of: &Buffer<f32>, from: usize, len: usize) -> ViewMut<'a, f32> {
        // SAFETY: as above, and within it.
        unsafe { ViewMut::from_raw(on, of.address().at::<f32>(from).0, len) }
    }

    /// Asks for the step.
    pub(super) fn run(&self, on: &Stream, batch: &Batch<'_>, by: &Choices) -> Result<(), Error> {
        let array = |name: &str| &self.arrays[ARRAYS.iter().position(|other| *other == name).unwrap()];
        let get = |name: &str| OnDevice::raw(on, array(name));
        let put = |name: &str| OnDevice::raw_mut(on, array(name), 0, array(name).len());
        let figure = |from, len| OnDevice::raw_mut(on, &self.figures, from, len);
        let scratch = || OnDevice::raw_mut(on, &self.scratch, 0, self.scratch.len());
        let [logp_ref, v_old, v, weights, apart, v_boot] = core::array::from_fn(|i| self.tokens[i].view());
        let actions = self.actions.view();
        let logits = cuda::Logits::strided(self.logits.view(), VOCAB, VOCAB)?;
        let out = cuda::TokenOut {
            logp: Some(put("logp")),
            ent: Some(put("ent")),
            max: Some(put("max")),
            ln_sum: Some(put("ln_sum")),
            max_ent: Some(put("max_ent")),
            ln_sum_ent: Some(put("ln_sum_ent")),
        };
        cuda::token_pass(on, logits, actions, batch, TAU, by.tau_ent, out)?;
        cuda::returns(on, get("logp"), apart, batch, put("logp_old"))?;
        cuda::kl(on, get("logp_old"), logp_ref, batch, by.estimate(), put("k"))?;
        cuda::place_scores(on, self.scores.view(), by.score_at, 2.0, batch, Some(batch), put("placed"))?;
        cuda::reward(on, get("placed"), Some(get("k")), 0.05, batch, put("r"))?;
        let ends = cuda::Ends {
            v_last: Some(self.v_last.view()),
            terminated: Some(self.flags[0].view()),
            truncated: Some((self.flags[1].view(), v_boot)),
        };
        let out = cuda::GaeOut { adv: put("adv"), ret: Some(put("ret")) };
        let lambda = cuda::Lambda::One(0.95);
        cuda::gae(on, get("r"), v_old, batch, &ends, by.gap, GAMMA, lambda, out, scratch())?;
        cuda::whiten(on, get("adv"), batch, by.whitening, put("white"), figure(0, 2), scratch())?;
        cuda::returns(on, get("adv"), v_old, batch, put("again"))?;
        let out = cuda::PolicyOut {
            per_token: Some(put("per_token")),
            ratio: Some(put("ratio")),
            grad: Some(cuda::Grad { c: 1.0, to: put("g_logp") }),
            figures: figure(2, 4),
        };
        let (logp, white) = (get("logp"), get("white"));
        cuda::policy_loss(
            on,
            logp,
            get("logp_old"),
            white,
            batch,
            Some(weights),
            &clip(),
            by.agg,
            out,
            scratch(),
        )?;
        let grad = Some(cuda::Grad { c: by.coefficients.c_v, to: put("g_v") });
        let out = cuda::ValueOut { per_token: None, grad, figures: figure(6, 2) };
        let (form, agg) = (by.form, by.agg);
        cuda::value_loss(on, v, v_old, get("ret"), batch, EPS_V, form, agg, by.half, out, scratch())?;
        cuda::aggregate(on, get("ent"), batch, by.agg, figure(8, 1), scratch())?;
        cuda::aggregate_grad(on, batch, by.agg, -by.coefficients.c_h, put("g_ent"))?;
        let grad = Some(cuda::Grad { c: by.coefficients.beta_loss, to: put("g_logp") });
        let out = cuda::KlOut { grad, put: Put::Add, loss: figure(9, 1) };
        cuda::kl_loss(on, logp, logp_ref, batch, by.estimate(), by.slope, by.agg, out, scratch())?;
        let [policy, value, ent, kl] = [2, 6, 8, 9].map(|i| figure(i, 1));
        let (value, ent, kl) = (Some(value.view()), Some(ent.view()), Some(kl.view()));
        cuda::total_loss(on, policy.view(), value, ent, kl, by.coefficients, figure(10, 1))?;
        let of_ent = Some((get("max_ent"), get("ln_sum_ent")));
        let stats = cuda::TokenStats { ent: get("ent"), max: get("max"), ln_sum: get("ln_sum"), of_ent };
        let place = OnDevice::raw_mut(on, &self.logits, 0, self.logits.len());
        let place = cuda::LogitsMut::strided(place, VOCAB, VOCAB)?;
        let (g_logp, g_ent) = (get("g_logp"), get("g_ent"));
        cuda::token_pass_grad_in_place(on, place, actions, batch, TAU, by.tau_ent, stats, g_logp, g_ent)
    }

    pub(super) fn assert_is(&self, what: &str, on: &Stream, want: &Left) {
        let compare = |name: &str, got: &Buffer<f32>, want: &[f32]| {
            let got = got.read(on).unwrap();
            let differs = got.iter().zip(want).position(|(got, want)| !same(*got, *want));
            if let Some(i) = differs {
                panic!("{what}: {name}: at {i} {:e}, not {:e}", got[i], want[i]);
            }
        };
        for ((name, got), want) in ARRAYS.iter().zip(&self.arrays).zip(&want.0) {
            compare(name, got, want);
        }
        compare("figures", &self.figures, &want.1);
        compare("logits", &self.logits, &want.2);
    }
}
