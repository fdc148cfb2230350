//! `step` on the fast path: the rollout phase and one inner epoch, of what the models said of each token. Masks
//! that a choice makes wider than the batch's are compared in the crate, since how wide depends on the layout.

use super::{AGGS, Batch, Case, Got, Laid, Outputs, Room, Term, Want};
use crate::{
    budget::{self, Approx, Grid, Precision, counted},
    cases::EDGES,
};
use nalgebra::DMatrix;
use optimized::{
    Backend, Ends, Truncated,
    step::{Gradients, Losses, Now, Rolled, Rollout, losses, rollout_phase},
};
use reference::{
    Coefficients, EpsAt, Gap, Half, Kl, KlEstimate, Listing, Mask, PolicyClip, ScoreAt, Settings, ShiftMean,
    ValueClip, Variance, Whitening, reward::place_scores, step as truth,
};

/// The term.
pub(super) const TERM: Term = Term { stem: "step", cases, looks_ahead: true, across_rows: true };

/// Every choice of a call.
#[derive(Debug, Clone, Copy)]
struct Choices {
    settings: Settings,
    /// Whether there is a reference model.
    with_ref: bool,
    weighted: bool,
}

fn choices(k: usize) -> Choices {
    let with_ref = k % 3 != 2;
    let whitening = Whitening {
        variance: [Variance::Sample, Variance::Population][k / 2 % 2],
        eps_at: [EpsAt::Std, EpsAt::UnderRoot, EpsAt::VarFloor][k % 3],
        eps_w: 1e-5,
        shift_mean: [ShiftMean::Yes, ShiftMean::No][k / 3 % 2],
    };
    let mut settings = Settings {
        gamma: [1.0, 0.99][k % 2],
        lambda: [0.95, 1.0, 0.3][k % 3],
        lambda_critic: [None, None, Some(0.8)][k / 2 % 3],
        score_at: [ScoreAt::LastValid, ScoreAt::PerToken][k / 3 % 2],
        score_clip: [f64::INFINITY, 0.5][k / 2 % 2],
        beta_kl: if with_ref { [0.1, 0.0][k / 5 % 2] } else { 0.0 },
        kl: KlEstimate::plain([Kl::K1, Kl::K2, Kl::K3, Kl::Abs][k % 4]),
        gap: [Gap::Skip, Gap::Decay, Gap::Cut][k / 2 % 3],
        whitening: (k % 5 != 4).then_some(whitening),
        value_clip: [ValueClip::Max, ValueClip::ClippedOnly, ValueClip::Off][k / 4 % 3],
        half: [Half::No, Half::Yes][k % 2],
        eps_v: 0.5,
        coefficients: Coefficients {
            c_v: [0.5, 0.1, 0.0][k / 3 % 3],
            c_h: [0.01, 0.0][k / 4 % 2],
            beta_loss: [0.05, 0.0][k / 2 % 2],
        },
        agg: AGGS[k % AGGS.len()],
        ..Settings::default()
    };
    settings.clip = PolicyClip { eps_hi: 0.28, c_dual: [f64::INFINITY, 1.2][k % 2], ..settings.clip };
    settings.listing = Listing {
        returns_from_whitened: k % 4 == 1,
        unshaped_reward: k % 6 == 3,
        entropy_added: k % 5 == 2,
        shared_clip_radius: k % 7 == 4,
        ..Listing::CORRECTED
    };
    Choices { settings, with_ref, weighted: k % 4 < 2 }
}

fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = EDGES
        .iter()
        .enumerate()
        .map(|(k, (t_len, why))| case(why, values(Batch::mixed(*t_len, 1)), choices(k)))
        .collect();
    all.extend(
        (0..30)
            .map(|k| case(&format!("every choice, {k}"), values(Batch::mixed(37, 2 + k as u64)), choices(k))),
    );
    all.push(case("blocks of rows", values(Batch::full(19, 1100, 40)), choices(0)));
    all
}

fn values(batch: Batch) -> Batch {
    batch
        .with("logp_old", |rng| -2.0 + 0.3 * rng.normal())
        .with("logp_ref", |rng| -2.0 + 0.3 * rng.normal())
        .with("logp", |rng| -2.0 + 0.3 * rng.normal())
        .with("ent", |rng| 3.0 * rng.uniform())
        .with("v_old", |rng| rng.normal())
        .with("v", |rng| rng.normal())
        .with("weights", |rng| 2.0 * rng.uniform())
        .with("scores", |rng| rng.normal())
        .with("terminated", |rng| f64::from(rng.below(19) == 0))
        .with("truncated", |rng| f64::from(rng.below(19) == 0))
        .with("v_boot", |rng| rng.normal())
        .with_row("score", |rng| rng.normal())
        .with_row("v_last", |rng| rng.normal())
}

fn case(why: &str, batch: Batch, how: Choices) -> Case {
    Case::new(why, &how, batch, move |on, x| run(on, x, &how), move |batch| wanted(batch, &how))
}

fn run(on: Backend, x: &Laid, Choices { settings, with_ref, weighted }: &Choices) -> Got {
    let (terminated, truncated) = (x.flags("terminated"), x.flags("truncated"));
    let rollout = Rollout {
        mask: x.mask(),
        attended: None,
        scores: if settings.score_at == ScoreAt::PerToken { x.get("scores") } else { x.row("score") },
        logp_old: x.get("logp_old"),
        logp_ref: with_ref.then(|| x.get("logp_ref")),
        v_old: x.get("v_old"),
        ends: Ends {
            v_last: Some(x.row("v_last")),
            terminated: Some(&terminated),
            truncated: Some(Truncated { at: &truncated, v_boot: x.get("v_boot") }),
        },
        weights: weighted.then(|| x.get("weights")),
    };
    let mut room = optimized::step::Room::default();
    let rolled = rollout_phase(on, &rollout, settings, &mut room)?;
    let Rolled { targets, kl, token_rewards, adv_raw, whitened } = rolled;
    let mut grads = Gradients::new(&rollout.mask);
    let now = Now { logp: x.get("logp"), ent: x.get("ent"), v: x.get("v") };
    let got = losses(on, &targets, &now, settings, &mut grads)?;

    let outputs = kl.map_or(Outputs::new(), |kl| Outputs::new().tokens("kl", x, &copied(x, kl)));
    let arrays = [
        ("token_rewards", token_rewards),
        ("adv_raw", adv_raw),
        ("adv", targets.adv),
        ("ret", targets.ret),
        ("grad_logp", &grads.logp),
        ("grad_ent", &grads.ent),
        ("grad_v", &grads.v),
    ];
    let outputs = arrays.iter().fold(outputs, |out, (name, of)| out.tokens(name, x, &copied(x, of)));
    let outputs =
        whitened.map_or(outputs.clone(), |by| outputs.number("mean", by.mean).number("var", by.var));
    Ok(numbers(outputs, &got))
}

/// What the step wrote in its own room, where the mask has slots.
fn copied(x: &Laid, from: &[f32]) -> Room {
    let (mut room, mask) = (x.room(1), x.mask());
    if let Some(out) = room.out() {
        (0..mask.b()).flat_map(|row| mask.row(row)).for_each(|slot| out[slot] = from[slot]);
    }
    room
}

fn numbers(outputs: Outputs, Losses { policy, value, ent, l_kl, total }: &Losses) -> Outputs {
    let outputs = outputs
        .number("policy", policy.loss)
        .number("clip_frac", policy.clip_frac)
        .number("clip_frac_lower", policy.clip_frac_lower)
        .number("approx_kl", policy.approx_kl)
        .number("value", value.loss)
        .number("value_clip_frac", value.clip_frac)
        .number("entropy", *ent)
        .number("total", *total);
    l_kl.map_or(outputs.clone(), |l_kl| outputs.number("kl_loss", l_kl))
}

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

fn wanted(batch: &Batch, how: &Choices) -> Wants {
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
