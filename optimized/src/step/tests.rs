//! The step is its terms, one after the other, to the bit.

use super::*;
use crate::{
    Coefficients, TokenOut, ValueClip,
    testing::{Random, everywhere},
    token_pass,
};
use reference::Listing;

const B: usize = 5;
const T_LEN: usize = 70;
const VOCAB: usize = 9;

struct Batch {
    valid: Vec<bool>,
    value_valid: Vec<bool>,
    x: [Vec<f32>; 7],
    logits: Vec<f32>,
    actions: Vec<u32>,
}

impl Batch {
    fn new() -> Batch {
        let mut random = Random(11);
        let ends: Vec<usize> = (0..B).map(|_| random.index(T_LEN)).collect();
        let up_to =
            |end: &dyn Fn(usize) -> usize| (0..B * T_LEN).map(|i| i % T_LEN < end(i / T_LEN)).collect();
        Batch {
            valid: up_to(&|row| ends[row]),
            value_valid: up_to(&|row| ends[row] + 1),
            x: [(); 7].map(|()| (0..B * T_LEN).map(|_| random.uniform()).collect()),
            logits: (0..B * T_LEN * VOCAB).map(|_| 4.0 * random.uniform()).collect(),
            actions: (0..B * T_LEN).map(|_| random.index(VOCAB) as u32).collect(),
        }
    }

    fn targets(&self, with_ref: bool) -> Targets<'_> {
        let [logp_old, logp_ref, v_old, adv, ret, weights, _] = &self.x;
        Targets {
            mask: Mask::padded(&self.valid, B, T_LEN).unwrap(),
            value_mask: Mask::padded(&self.value_valid, B, T_LEN).unwrap(),
            logp_old,
            logp_ref: with_ref.then_some(logp_ref),
            v_old,
            adv,
            ret,
            weights: with_ref.then_some(weights),
        }
    }
}

/// The defaults; everything on, with two temperatures and departures; everything off.
fn settings() -> [Settings; 3] {
    let c = |c_v, c_h, beta_loss| Coefficients { c_v, c_h, beta_loss };
    let listing = Listing { entropy_added: true, shared_clip_radius: true, ..Listing::CORRECTED };
    let all =
        Settings { coefficients: c(0.7, 0.03, 0.2), tau: 0.7, tau_ent: 1.3, listing, ..Settings::default() };
    let value_clip = ValueClip::Off;
    let off = Settings { coefficients: c(0.0, 0.0, 0.0), value_clip, ..Settings::default() };
    [Settings::default(), all, off]
}

/// `s` has its departures applied.
fn term_by_term(on: Backend, targets: &Targets<'_>, now: &Now<'_>, s: &Settings) -> (Losses, Gradients) {
    let (mask, value_mask) = (&targets.mask, &targets.value_mask);
    let mut want = Gradients::new(mask);
    let c = s.coefficients;
    let out = PolicyOut { grad: Some(Grad { c: 1.0, to: &mut want.logp }), ..PolicyOut::default() };
    let (old, adv, w) = (targets.logp_old, targets.adv, targets.weights);
    let policy = policy_loss(on, now.logp, old, adv, mask, w, &s.clip, s.agg, out).unwrap();
    let out = ValueOut { grad: Some(Grad { c: c.c_v, to: &mut want.v }), ..ValueOut::default() };
    let (v_old, ret) = (targets.v_old, targets.ret);
    let (form, half) = (s.value_clip, s.half);
    let value = value_loss(on, now.v, v_old, ret, value_mask, s.eps_v, form, s.agg, half, out).unwrap();
    want.v.iter_mut().for_each(|x| *x = if c.c_v == 0.0 { 0.0 } else { *x });
    let mean_ent = aggregate(on, now.ent, mask, s.agg).unwrap();
    aggregate_grad(mask, s.agg, -c.c_h, &mut want.ent).unwrap();
    let mut l_kl = None;
    if let Some(logp_ref) = targets.logp_ref {
        let mut apart = vec![0.0; B * T_LEN];
        let grad = Some(Grad { c: c.beta_loss, to: &mut apart });
        let (out, how) = (KlOut { grad, put: Put::Replace }, s.kl_loss_grad);
        l_kl = Some(kl_loss(on, now.logp, logp_ref, mask, s.kl_loss, how, s.agg, out).unwrap());
        if c.beta_loss != 0.0 {
            want.logp.iter_mut().zip(&apart).for_each(|(x, kl)| *x += *kl);
        }
    }
    let total = total_loss(policy.loss, value.loss, mean_ent, l_kl.unwrap_or(0.0), c);
    (Losses { policy, value, ent: mean_ent, l_kl, total }, want)
}

#[test]
fn the_step_is_its_terms_one_after_the_other() {
    let batch = Batch::new();
    for (settings, with_ref) in settings().into_iter().flat_map(|s| [(s, true), (s, false)]) {
        let (s, targets) = (settings.as_listed(), batch.targets(with_ref));
        let mask = &targets.mask;
        everywhere(|on| {
            let logits = Logits::new(&batch.logits, VOCAB).unwrap();
            let mut said = [(); 6].map(|()| vec![0.0f32; B * T_LEN]);
            let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = said.each_mut().map(|x| Some(&mut x[..]));
            let out = TokenOut { logp, ent, max, ln_sum, max_ent, ln_sum_ent };
            token_pass(on, logits, &batch.actions, mask, s.tau, s.tau_ent, out).unwrap();
            let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = &said;
            let stats = TokenStats { ent, max, ln_sum, of_ent: Some((max_ent, ln_sum_ent)) };
            let now = Now { logp, ent, v: &batch.x[6] };

            let mut grads = Gradients::new(mask);
            for room in [&mut grads.logp, &mut grads.ent, &mut grads.v] {
                room.fill(f32::NAN);
            }
            let got = losses(on, &targets, &now, &settings, &mut grads).unwrap();

            let (want_losses, want) = term_by_term(on, &targets, &now, &s);
            assert_eq!(got, want_losses, "{on}");
            for (got, want) in [(&grads.logp, &want.logp), (&grads.ent, &want.ent), (&grads.v, &want.v)] {
                assert!(got.iter().zip(want).all(|(a, b)| a.to_bits() == b.to_bits()), "{on}, {with_ref}");
            }

            let mut rooms = [(); 2].map(|()| vec![f32::NAN; B * T_LEN * VOCAB]);
            let [to, want_to] = rooms.each_mut().map(|x| LogitsMut::new(x, VOCAB).unwrap());
            logits_grad(on, logits, &batch.actions, &targets, stats, &grads, &settings, to).unwrap();
            let (actions, tau, tau_ent) = (&batch.actions, s.tau, s.tau_ent);
            let (by_logp, by_ent) = (&want.logp, &want.ent);
            token_pass_grad(on, logits, actions, mask, tau, tau_ent, stats, by_logp, by_ent, want_to)
                .unwrap();
            assert_eq!(rooms[0], rooms[1], "{on}");
        });
    }
}

#[test]
fn a_term_that_is_off_is_no_operand() {
    let batch = Batch::new();
    let targets = batch.targets(true);
    let nan = vec![f32::NAN; B * T_LEN];
    let now = Now { logp: &batch.x[0], ent: &nan, v: &nan };
    let mut grads = Gradients::new(&targets.mask);
    let got = losses(Backend::best(), &targets, &now, &settings()[2], &mut grads).unwrap();
    assert_eq!(got.total, got.policy.loss);
    assert!(grads.v.iter().chain(&grads.ent).all(|x| x.to_bits() == 0));
}
