//! What the reference says of a step, each number with the allowance that its operands bring along.

use super::Choices;
use crate::{
    budget::{self, Approx, Grid, Precision, counted},
    fast::{Batch, Want},
};
use nalgebra::DMatrix;
use reference::{Mask, ScoreAt, Settings, reward::place_scores, step as truth};

/// The rollout as the reference takes it.
fn rollout_of(batch: &Batch, Choices { settings, with_ref, weighted }: &Choices) -> truth::Rollout {
    let per_row = || DMatrix::from_column_slice(batch.b, 1, batch.wide_row("score").as_slice());
    truth::Rollout {
        mask: batch.mask(),
        attended: None,
        scores: if settings.score_at == ScoreAt::PerToken { batch.wide("scores") } else { per_row() },
        logp_old: batch.wide("logp_old"),
        logp_ref: with_ref.then(|| batch.wide("logp_ref")),
        v_old: batch.wide("v_old"),
        ends: reference::Ends {
            v_last: batch.wide_row("v_last"),
            terminated: batch.flags("terminated"),
            truncated: batch.flags("truncated"),
            v_boot: batch.wide("v_boot"),
        },
        weights: weighted.then(|| batch.wide("weights")),
    }
}

type Wants = Vec<(&'static str, Want)>;

/// Every output of the two phases, by the names of `run`.
pub(super) fn wanted(batch: &Batch, how: &Choices) -> Wants {
    let rollout = rollout_of(batch, how);
    let targets = truth::rollout_phase(&rollout, &how.settings);
    let [logp, ent, v] = ["logp", "ent", "v"].map(|name| batch.wide(name));
    let now = truth::Now { logp, ent, v };
    let losses = truth::losses(&rollout, &targets, &now, &how.settings);
    let (s, mut all) = (how.settings.as_listed(), Vec::new());
    let (adv, ret) = rolled(&rollout, &targets, &s, &mut all);
    inner_epoch(&rollout, &now, &losses, &s, [&adv, &ret], &mut all);
    all
}

/// The rollout phase with its allowances; those of Â and R go on into the losses.
fn rolled(rollout: &truth::Rollout, got: &truth::Targets, s: &Settings, all: &mut Wants) -> (Grid, Grid) {
    let (p, mask) = (Precision::ORDER, &rollout.mask);
    let (old, v_old) = (p.read(&rollout.logp_old), p.read(&rollout.v_old));
    let kl = rollout.logp_ref.as_ref().map(|logp_ref| budget::kl(p, &old, &p.read(logp_ref), mask, s.kl));
    let placed = place_scores(&rollout.scores, s.score_at, s.score_clip, mask, None);
    let r = budget::reward(p, &placed, kl.as_ref(), s.beta_kl, mask);
    let gae = |lambda: f64| {
        let decay = vec![p.setting(lambda); mask.shape().0];
        budget::gae_in_order(p, &r, &v_old, mask, &rollout.ends, s.gap, s.gamma, &decay)
    };
    let adv_raw = gae(s.lambda);
    let mut adv = adv_raw.clone();
    if let (Some(how), Some((mean, var))) = (s.whitening, got.whitened) {
        let whitened = budget::whiten_in_order(p, &adv_raw, mask, how);
        all.extend([("mean", Want::number(mean, whitened.mean)), ("var", Want::number(var, whitened.var))]);
        adv = whitened.adv;
    }
    let from = if s.listing.returns_from_whitened {
        adv.clone()
    } else {
        s.lambda_critic.map_or_else(|| adv_raw.clone(), gae)
    };
    let ret = budget::returns(p, &from, &v_old, mask);
    if let (Some(got), Some(kl)) = (&got.kl, &kl) {
        all.push(("kl", Want::tokens(got, kl)));
    }
    all.extend([
        ("token_rewards", Want::tokens(&got.token_rewards, &r)),
        ("adv_raw", Want::tokens(&got.adv_raw, &adv_raw)),
        ("adv", Want::tokens(&got.adv, &adv)),
        ("ret", Want::tokens(&got.ret, &ret)),
    ]);
    (adv, ret)
}

fn inner_epoch(
    rollout: &truth::Rollout,
    now: &truth::Now,
    got: &truth::Losses,
    s: &Settings,
    [adv, ret]: [&Grid; 2],
    all: &mut Wants,
) {
    let (p, mask, c) = (Precision::ORDER, &rollout.mask, s.coefficients);
    let read = |x| p.read(x);
    let (logp, old, w) = (read(&now.logp), read(&rollout.logp_old), rollout.weights.as_ref());
    let policy = budget::policy_loss(p, &logp, &old, adv, mask, w, &s.clip, s.agg);
    let slope = budget::policy_loss_grad(p, &logp, &old, adv, mask, w, &s.clip, s.agg);
    let (v, v_old) = (read(&now.v), read(&rollout.v_old));
    let value = budget::value_loss(p, &v, &v_old, ret, mask, s.eps_v, s.value_clip, s.agg, s.half);
    let slope_v = budget::value_loss_grad(p, &v, &v_old, ret, mask, s.eps_v, s.value_clip, s.agg, s.half);
    let ent = budget::aggregate(p, &read(&now.ent), mask, s.agg);
    let kl = rollout
        .logp_ref
        .as_ref()
        .map(|logp_ref| budget::kl_loss(p, &logp, &read(logp_ref), mask, (s.kl_loss, s.kl_loss_grad), s.agg));
    let l_kl = kl.as_ref().map_or(p.given(0.0), |(l_kl, _)| *l_kl);
    let total = budget::total_loss(p, [policy.loss, value.loss, ent, l_kl], c);
    let scaled = |c: f64, x: Approx| if c == 0.0 { p.given(0.0) } else { p.setting(c) * x };
    let grad_logp = p.each(mask, |slot| match &kl {
        Some((_, slope_kl)) => slope[slot] + scaled(c.beta_loss, slope_kl[slot]),
        None => slope[slot],
    });
    let grad_ent = budget::aggregate_grad(p, mask, s.agg).map(|x| scaled(-c.c_h, x));
    let share = |mask: &Mask, value, in_doubt| Want::number(value, counted(p, mask, value, in_doubt));
    all.extend([
        ("policy", Want::number(got.policy.loss, policy.loss)),
        ("clip_frac", share(mask, got.policy.clip_frac, policy.clip_in_doubt)),
        ("clip_frac_lower", share(mask, got.policy.clip_frac_lower, policy.dual_in_doubt)),
        ("approx_kl", Want::number(got.policy.approx_kl, policy.approx_kl)),
        ("value", Want::number(got.value.loss, value.loss)),
        ("value_clip_frac", share(mask, got.value.clip_frac, value.clip_in_doubt)),
        ("entropy", Want::number(got.ent, ent)),
        ("total", Want::number(got.total, total)),
        ("grad_logp", Want::tokens(&got.grad_logp, &grad_logp)),
        ("grad_ent", Want::tokens(&got.grad_ent, &grad_ent)),
        ("grad_v", Want::tokens(&got.grad_v, &slope_v.map(|x| scaled(c.c_v, x)))),
    ]);
    all.extend(got.l_kl.map(|value| ("kl_loss", Want::number(value, l_kl))));
}
