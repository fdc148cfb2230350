//! `step` on the fast path: the rollout phase and one inner epoch, of what the models said of each token. Masks
//! that a choice makes wider than the batch's are compared in the crate, since how wide depends on the layout.

mod wanted;

use super::{AGGS, Batch, Case, Got, Laid, Outputs, Room, Term};
use crate::cases::EDGES;
use optimized::{
    Backend, Ends, Truncated,
    step::{Gradients, Losses, Now, Rolled, Rollout, losses, rollout_phase},
};
use reference::{
    Coefficients, EpsAt, Gap, Half, Kl, KlEstimate, Listing, PolicyClip, ScoreAt, Settings, ShiftMean,
    ValueClip, Variance, Whitening,
};
use wanted::wanted;

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
