//! `policy_loss` on the fast path.

use super::{AGGS, Batch, Case, Got, Laid, Outputs, Term, Want, in_parts};
use crate::{
    budget::{self, Precision, counted},
    cases::{EDGES, Rng},
};
use optimized::{Backend, Error, Grad, PolicyLoss, PolicyOut, PolicySums, policy_loss, policy_sums};
use reference::{Agg, ClipFrac, Kl, KlOf, PolicyClip, policy_loss as truth, step::scaled};

/// The term.
pub(super) const TERM: Term = Term { stem: "policy_loss", cases, looks_ahead: false, across_rows: false };

/// Every choice of a call.
#[derive(Debug, Clone, Copy)]
struct Choices {
    clip: PolicyClip,
    weighted: bool,
    agg: Agg,
    c: f64,
}

/// A pick of every choice, each at its own pace.
fn choices(k: usize) -> Choices {
    let clip = PolicyClip {
        eps_lo: [0.2, 0.1, 0.9][k % 3],
        eps_hi: [0.2, 0.28][k % 2],
        c_dual: [f64::INFINITY, 3.0, 1.1][k % 3],
        log_ratio_clamp: [20.0, f64::INFINITY, 0.5, 80.5][k % 4],
        clip_frac: [ClipFrac::Effective, ClipFrac::SignBlind, ClipFrac::Signed][k / 2 % 3],
        kl_kind: [Kl::K1, Kl::Abs, Kl::K2, Kl::K3][k / 3 % 4],
        kl_of: [KlOf::Raw, KlOf::Clamped][k / 4 % 2],
    };
    Choices { clip, weighted: k % 5 < 2, agg: AGGS[k % AGGS.len()], c: [1.0, -0.7][k / 2 % 2] }
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (k, (t_len, why)) in EDGES.iter().enumerate() {
        all.push(case(why, values(Batch::mixed(*t_len, 1), 0.3, |rng| rng.normal()), choices(k)));
    }
    let long = values(Batch::full(1, 67_001, 3), 0.3, |rng| rng.normal());
    all.push(case("more tiles than a row has lanes", long, choices(1)));
    all.push(case(
        "many blocks of rows",
        values(Batch::full(37, 2100, 2), 0.3, |rng| rng.normal()),
        choices(0),
    ));
    for k in 0..12 {
        let grid = Batch::mixed(70, 4).with("logp", |rng| -(rng.below(5) as f64) / 4.0);
        let grid = grid.with("logp_old", |rng| -(rng.below(5) as f64) / 4.0);
        let grid =
            grid.with("adv", |rng| rng.below(3) as f64 - 1.0).with("weights", |rng| rng.below(3) as f64);
        all.push(case(&format!("a grid with Â = 0 and ρ = 1, {k}"), grid, choices(k)));
        let far = values(Batch::mixed(70, 5), 15.0, |rng| 10.0 * rng.normal());
        all.push(case(&format!("ratios far from 1, {k}"), far, choices(k)));
    }
    for k in 0..4 {
        let huge = values(Batch::mixed(70, 6), 90.0, |rng| 1e3 * rng.normal());
        all.push(case(&format!("ratios beyond the range, {k}"), huge, choices(k)));
        let tiny = values(Batch::mixed(70, 7), 1e-6, |rng| 1e-38 * rng.normal());
        all.push(case(&format!("subnormal advantages, {k}"), tiny, choices(k)));
    }
    all
}

/// Log-probs that differ by about `spread`.
fn values(batch: Batch, spread: f64, adv: impl FnMut(&mut Rng) -> f64) -> Batch {
    batch
        .with("logp", |rng| -2.0 + spread * rng.normal())
        .with("logp_old", |rng| -2.0 + spread * rng.normal())
        .with("adv", adv)
        .with("weights", |rng| 2.0 * rng.uniform())
}

fn case(why: &str, batch: Batch, how: Choices) -> Case {
    let run = move |on: Backend, x: &Laid| -> Got {
        let (got, outputs) = with_outputs(x, how, |weights, out| {
            let [logp, logp_old, adv] = ["logp", "logp_old", "adv"].map(|name| x.get(name));
            policy_loss(on, logp, logp_old, adv, &x.mask(), weights, &how.clip, how.agg, out)
        })?;
        Ok(numbers(outputs, got))
    };
    let parts = move |on: Backend, parts: &[Laid]| -> Got {
        let sums = |x: &Laid| {
            with_outputs(x, how, |weights, out| {
                let [logp, logp_old, adv] = ["logp", "logp_old", "adv"].map(|name| x.get(name));
                policy_sums(on, logp, logp_old, adv, &x.mask(), weights, &how.clip, how.agg, out)
            })
        };
        in_parts(parts, sums, PolicySums::merge, |sums, out| Ok(numbers(out, sums.finish(how.agg)?)))
    };
    Case::new(why, &how, batch, run, move |batch| wanted(batch, how)).in_parts(parts)
}

fn with_outputs<T>(
    x: &Laid,
    how: Choices,
    call: impl FnOnce(Option<&[f32]>, PolicyOut<'_>) -> Result<T, Error>,
) -> Result<(T, Outputs), Error> {
    let mut rooms: [_; 3] = std::array::from_fn(|_| x.room(1));
    let [per_token, ratio, grad] = &mut rooms;
    let grad = grad.out().map(|to| Grad { c: how.c, to });
    let out = PolicyOut { per_token: per_token.out(), ratio: ratio.out(), grad };
    let got = call(how.weighted.then(|| x.get("weights")), out)?;
    let names = ["per_token", "ratio", "grad"];
    Ok((got, names.iter().zip(&rooms).fold(Outputs::new(), |out, (name, room)| out.tokens(name, x, room))))
}

fn numbers(outputs: Outputs, got: PolicyLoss) -> Outputs {
    outputs
        .number("loss", got.loss)
        .number("clip_frac", got.clip_frac)
        .number("clip_frac_lower", got.clip_frac_lower)
        .number("approx_kl", got.approx_kl)
}

fn wanted(batch: &Batch, Choices { clip, weighted, agg, c }: Choices) -> Vec<(&'static str, Want)> {
    let (p, mask) = (Precision::ORDER, batch.mask());
    let [logp, old, adv] = ["logp", "logp_old", "adv"].map(|name| batch.wide(name));
    let w = weighted.then(|| batch.wide("weights"));
    let w = w.as_ref();
    let policy = truth::policy_loss(&logp, &old, &adv, &mask, w, &clip, agg);
    let grad = truth::policy_loss_grad(&logp, &old, &adv, &mask, w, &clip, agg);
    let [logp, old, adv] = [logp, old, adv].map(|x| p.read(&x));
    let allowed = budget::policy_loss(p, &logp, &old, &adv, &mask, w, &clip, agg);
    let slope = budget::policy_loss_grad(p, &logp, &old, &adv, &mask, w, &clip, agg);
    let share = |value, in_doubt| Want::number(value, counted(p, &mask, value, in_doubt));
    vec![
        ("per_token", Want::tokens(&policy.per_token, &allowed.per_token)),
        ("ratio", Want::tokens(&policy.ratio, &allowed.ratio)),
        ("grad", Want::tokens(&scaled(c, &grad, &mask), &slope.map(|x| p.setting(c) * x))),
        ("loss", Want::number(policy.loss, allowed.loss)),
        ("clip_frac", share(policy.clip_frac, allowed.clip_in_doubt)),
        ("clip_frac_lower", share(policy.clip_frac_lower, allowed.dual_in_doubt)),
        ("approx_kl", Want::number(policy.approx_kl, allowed.approx_kl)),
    ]
}
