//! The step as ORDER.md 7 says it: each term called by hand.

use super::{
    cases::{Batch, VOCAB},
    *,
};
use crate::{
    GaeOut, Lambda, ScoreAt, TokenOut, Whitened, broadcast_scores, gae, kl, place_scores, returns, reward,
    token_pass, whiten,
};

/// Every number of a step by name, those between rows left out.
pub(super) type Numbers = Vec<(&'static str, Vec<u32>)>;

/// The bits of the rows' numbers.
pub(super) fn rows(mask: &Mask<'_>, x: &[f32]) -> Vec<u32> {
    let width = x.len() / mask.valid().len();
    let slots = (0..mask.b()).flat_map(|row| mask.row(row));
    slots.flat_map(|slot| &x[slot * width..(slot + 1) * width]).map(|x| x.to_bits()).collect()
}

pub(super) fn of_losses(got: &Losses) -> Vec<u32> {
    let Losses { policy, value, ent, l_kl, total } = *got;
    let policy = [policy.loss, policy.clip_frac, policy.clip_frac_lower, policy.approx_kl];
    let rest = [value.loss, value.clip_frac, ent, l_kl.unwrap_or(f32::MIN), total];
    policy.into_iter().chain(rest).map(f32::to_bits).collect()
}

pub(super) fn of_rolled(rolled: &Rolled<'_>) -> Numbers {
    let Rolled { targets, kl, token_rewards, adv_raw, whitened } = *rolled;
    let mask = &targets.mask;
    let by = whitened.map_or(Vec::new(), |Whitened { mean, var }| vec![mean.to_bits(), var.to_bits()]);
    vec![
        ("kl", kl.map_or(Vec::new(), |kl| rows(mask, kl))),
        ("token_rewards", rows(mask, token_rewards)),
        ("adv_raw", rows(mask, adv_raw)),
        ("adv", rows(mask, targets.adv)),
        ("ret", rows(mask, targets.ret)),
        ("whitened", by),
    ]
}

/// What the model says now: log π, H, and what else the pass over the logits leaves behind.
pub(super) fn say(on: Backend, batch: &Batch, mask: &Mask<'_>, s: &Settings) -> [Vec<f32>; 6] {
    let mut said = [(); 6].map(|()| vec![0.0f32; batch.laid.slots]);
    let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = said.each_mut().map(|x| Some(&mut x[..]));
    let out = TokenOut { logp, ent, max, ln_sum, max_ent, ln_sum_ent };
    let logits = Logits::new(&batch.logits, VOCAB).unwrap();
    token_pass(on, logits, &batch.actions, mask, s.tau, s.tau_ent, out).unwrap();
    said
}

/// Every number of a step.
pub(super) fn term_by_term(on: Backend, batch: &Batch, settings: &Settings, with_ref: bool) -> Numbers {
    let (rollout, s) = (batch.rollout(settings, with_ref), settings.as_listed());
    let all = vec![true; batch.laid.slots];
    let mask = if s.listing.unmasked { batch.laid.mask(&all) } else { rollout.mask };
    let mut value_valid = mask.valid().to_vec();
    if s.score_at == ScoreAt::FirstPad {
        mask.with_first_pad(&mut value_valid).unwrap();
    }
    let value_mask = batch.laid.mask(&value_valid);
    let new = || vec![f32::NAN; batch.laid.slots];
    let (mut of_kl, mut placed, mut r, mut adv_raw, mut adv, mut ret) =
        (new(), new(), new(), new(), new(), new());

    if s.listing.score_broadcast {
        broadcast_scores(rollout.scores, s.score_clip, &mask, &mut placed).unwrap();
    } else {
        let attended = rollout.attended.as_ref();
        place_scores(on, rollout.scores, s.score_at, s.score_clip, &mask, attended, &mut placed).unwrap();
    }
    if let Some(logp_ref) = rollout.logp_ref {
        kl(on, rollout.logp_old, logp_ref, &mask, s.kl, &mut of_kl).unwrap();
    }
    let of_kl = with_ref.then_some(&of_kl[..]);
    reward(on, &placed, of_kl, s.beta_kl, &value_mask, &mut r).unwrap();
    let gae = |lambda, adv: &mut [f32]| {
        let (lambda, out) = (Lambda::One(lambda), GaeOut { adv, ret: None });
        gae(on, &r, rollout.v_old, &value_mask, &rollout.ends, s.gap, s.gamma, lambda, out).unwrap();
    };
    gae(s.lambda, &mut adv_raw);
    let whitened = s.whitening.map(|how| whiten(on, &adv_raw, &mask, how, &mut adv).unwrap());
    if whitened.is_none() {
        adv = mask.valid().iter().zip(&adv_raw).map(|(valid, x)| if *valid { *x } else { 0.0 }).collect();
    }
    let mut from = if s.listing.returns_from_whitened { adv.clone() } else { adv_raw.clone() };
    if let (Some(lambda), false) = (s.lambda_critic, s.listing.returns_from_whitened) {
        gae(lambda, &mut from);
    }
    returns(on, &from, rollout.v_old, &value_mask, &mut ret).unwrap();

    let Rollout { logp_old, logp_ref, v_old, weights, .. } = rollout;
    let (adv, ret, token_rewards, adv_raw) = (&adv, &ret, &r, &adv_raw);
    let targets = Targets { mask, value_mask, logp_old, logp_ref, v_old, adv, ret, weights };
    let mut numbers = of_rolled(&Rolled { targets, kl: of_kl, token_rewards, adv_raw, whitened });
    numbers.extend(inner(on, batch, &targets, &s));
    numbers
}

/// The inner epoch of [`term_by_term`]; `s` has its departures applied.
fn inner(on: Backend, batch: &Batch, targets: &Targets<'_>, s: &Settings) -> Numbers {
    let Targets { mask, value_mask, logp_old, logp_ref, v_old, adv, ret, weights } = *targets;
    let said = say(on, batch, &mask, s);
    let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = &said;
    let mut want = Gradients::new(&mask);
    let c = s.coefficients;
    let out = PolicyOut { grad: Some(Grad { c: 1.0, to: &mut want.logp }), ..PolicyOut::default() };
    let policy = policy_loss(on, logp, logp_old, adv, &mask, weights, &s.clip, s.agg, out).unwrap();
    let out = ValueOut { grad: Some(Grad { c: c.c_v, to: &mut want.v }), ..ValueOut::default() };
    let (v, form, half) = (&batch.x[4], s.value_clip, s.half);
    let value = value_loss(on, v, v_old, ret, &value_mask, s.eps_v, form, s.agg, half, out).unwrap();
    want.v.iter_mut().for_each(|x| *x = if c.c_v == 0.0 { 0.0 } else { *x });
    let mean_ent = aggregate(on, ent, &mask, s.agg).unwrap();
    aggregate_grad(&mask, s.agg, -c.c_h, &mut want.ent).unwrap();
    let l_kl = logp_ref.map(|logp_ref| {
        let mut apart = vec![0.0; batch.laid.slots];
        let (grad, how) = (Some(Grad { c: c.beta_loss, to: &mut apart }), s.kl_loss_grad);
        let out = KlOut { grad, put: Put::Replace };
        let l_kl = kl_loss(on, logp, logp_ref, &mask, s.kl_loss, how, s.agg, out).unwrap();
        if c.beta_loss != 0.0 {
            want.logp.iter_mut().zip(&apart).for_each(|(x, kl)| *x += *kl);
        }
        l_kl
    });
    let total = total_loss(policy.loss, value.loss, mean_ent, l_kl.unwrap_or(0.0), c);
    let mut dz = vec![f32::NAN; batch.logits.len()];
    let (logits, to) = (Logits::new(&batch.logits, VOCAB).unwrap(), LogitsMut::new(&mut dz, VOCAB).unwrap());
    let stats = TokenStats { ent, max, ln_sum, of_ent: Some((max_ent, ln_sum_ent)) };
    let (tau, tau_ent) = (s.tau, s.tau_ent);
    token_pass_grad(on, logits, &batch.actions, &mask, tau, tau_ent, stats, &want.logp, &want.ent, to)
        .unwrap();
    let mut numbers = vec![("losses", of_losses(&Losses { policy, value, ent: mean_ent, l_kl, total }))];
    for (name, x) in [("logp", &want.logp), ("ent", &want.ent), ("v", &want.v), ("logits", &dz)] {
        numbers.push((name, rows(&mask, x)));
    }
    numbers
}
