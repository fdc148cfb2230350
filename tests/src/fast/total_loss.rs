//! `total_loss` and `kl_loss` on the fast path.

use super::{AGGS, Batch, Case, Got, Laid, Outputs, Room, Term, Want, in_parts};
use crate::{
    budget::{self, Precision},
    cases::EDGES,
};
use optimized::{AggregateSums, Backend, Error, Grad, KlOut, Put, kl_loss, kl_loss_sums, total_loss};
use reference::{Agg, Coefficients, Kl, KlEstimate, KlGrad, step::scaled, total_loss as truth};

/// The term.
pub(super) const TERM: Term = Term { stem: "total_loss", cases, looks_ahead: false, across_rows: false };

/// Every choice of a call.
#[derive(Debug, Clone, Copy)]
struct Choices {
    estimate: KlEstimate,
    how: KlGrad,
    agg: Agg,
    c: f64,
    /// Whether the gradient is added to another.
    added: bool,
    coefficients: Coefficients,
}

/// The parts of the total beside the KL: policy, value, entropy.
const PARTS: [f32; 3] = [-0.031, 1.7, 2.3];

/// A pick of the estimator, its clamps and its gradient.
pub(super) fn estimate(k: usize) -> (KlEstimate, KlGrad) {
    let infinity = f64::INFINITY;
    let estimate = KlEstimate {
        kind: [Kl::K1, Kl::Abs, Kl::K2, Kl::K3][k % 4],
        clamp_in: [infinity, 20.0, 0.5][k % 3],
        clamp_out: [infinity, infinity, 10.0, 0.1, infinity][k % 5],
    };
    (estimate, [KlGrad::Own, KlGrad::StraightThrough][k / 4 % 2])
}

fn choices(k: usize) -> Choices {
    let (estimate, how) = estimate(k);
    Choices {
        estimate,
        how,
        agg: AGGS[(k + 2) % AGGS.len()],
        c: [1.0, 0.05, -0.7][k / 2 % 3],
        added: k % 7 < 3,
        coefficients: Coefficients {
            c_v: [0.5, 0.0][k / 3 % 2],
            c_h: [0.01, 0.0, -0.3][k % 3],
            beta_loss: [0.1, 0.0][k / 5 % 2],
        },
    }
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (k, (t_len, why)) in EDGES.iter().enumerate() {
        all.push(case(why, values(Batch::mixed(*t_len, 1), 0.3), choices(k)));
    }
    for k in 0..12 {
        all.push(case(&format!("far apart, {k}"), values(Batch::mixed(70, 2), 20.0), choices(k)));
        let same = Batch::mixed(40, 3).with("logp", |rng| -(rng.below(3) as f64));
        let same = same.with("logp_ref", |rng| -(rng.below(3) as f64)).with("base", |rng| rng.normal());
        all.push(case(&format!("k1 of 0 and at a clamp, {k}"), same, choices(k)));
    }
    all.push(case("more tiles than a row has lanes", values(Batch::full(1, 67_001, 4), 0.3), choices(3)));
    all
}

/// Log-probs that differ by about `spread`, and another gradient.
pub(super) fn values(batch: Batch, spread: f64) -> Batch {
    batch
        .with("logp", |rng| -2.0 + spread * rng.normal())
        .with("logp_ref", |rng| -2.0 + spread * rng.normal())
        .with("base", |rng| rng.normal())
}

/// Room that holds another gradient already, +0 where masked.
fn room(x: &Laid, added: bool) -> Room {
    let mut room = x.room(1);
    if let (true, Some(out)) = (added, room.out()) {
        let (mask, base) = (x.mask(), x.get("base"));
        for slot in (0..mask.b()).flat_map(|row| mask.row(row)) {
            out[slot] = if mask.valid()[slot] { base[slot] } else { 0.0 };
        }
    }
    room
}

fn with_outputs<T>(
    x: &Laid,
    Choices { c, added, .. }: Choices,
    call: impl FnOnce(&[f32], &[f32], KlOut<'_>) -> Result<T, Error>,
) -> Result<(T, Outputs), Error> {
    let mut grad = room(x, added);
    let put = if added { Put::Add } else { Put::Replace };
    let out = KlOut { grad: grad.out().map(|to| Grad { c, to }), put };
    let got = call(x.get("logp"), x.get("logp_ref"), out)?;
    Ok((got, Outputs::new().tokens("grad", x, &grad)))
}

fn numbers(outputs: Outputs, l_kl: f32, c: Coefficients) -> Outputs {
    let [l_policy, l_v, ent] = PARTS;
    outputs.number("kl_loss", l_kl).number("total", total_loss(l_policy, l_v, ent, l_kl, c))
}

fn case(why: &str, batch: Batch, how: Choices) -> Case {
    let Choices { estimate, how: grad, agg, coefficients, .. } = how;
    let run = move |on: Backend, x: &Laid| -> Got {
        let (l_kl, outputs) = with_outputs(x, how, |logp, logp_ref, out| {
            kl_loss(on, logp, logp_ref, &x.mask(), estimate, grad, agg, out)
        })?;
        Ok(numbers(outputs, l_kl, coefficients))
    };
    let parts = move |on: Backend, parts: &[Laid]| -> Got {
        let sums = |x: &Laid| {
            with_outputs(x, how, |logp, logp_ref, out| {
                kl_loss_sums(on, logp, logp_ref, &x.mask(), estimate, grad, agg, out)
            })
        };
        let finish = |sums: AggregateSums, out| Ok(numbers(out, sums.finish(agg)?, coefficients));
        in_parts(parts, sums, AggregateSums::merge, finish)
    };
    Case::new(why, &how, batch, run, move |batch| wanted(batch, how)).in_parts(parts)
}

fn wanted(batch: &Batch, choices: Choices) -> Vec<(&'static str, Want)> {
    let Choices { estimate, how, agg, c, added, coefficients } = choices;
    let (p, mask) = (Precision::ORDER, batch.mask());
    let [logp, logp_ref, base] = ["logp", "logp_ref", "base"].map(|name| batch.wide(name));
    let l_kl = truth::kl_loss(&logp, &logp_ref, &mask, estimate, agg);
    let mut grad = scaled(c, &truth::kl_loss_grad(&logp, &logp_ref, &mask, estimate, how, agg), &mask);
    let (allowed, slope) =
        budget::kl_loss(p, &p.read(&logp), &p.read(&logp_ref), &mask, (estimate, how), agg);
    let mut slope = slope.map(|x| p.setting(c) * x);
    if added {
        grad = mask.each(|slot| base[slot] + grad[slot]);
        slope = p.each(&mask, |slot| p.given(base[slot]) + slope[slot]);
    }
    let parts = PARTS.map(f64::from);
    let total = truth::total_loss(parts[0], parts[1], parts[2], l_kl, coefficients);
    let [l_policy, l_v, ent] = parts.map(|x| p.given(x));
    let total_allowed = budget::total_loss(p, [l_policy, l_v, ent, allowed.at(l_kl)], coefficients);
    vec![
        ("grad", Want::tokens(&grad, &slope)),
        ("kl_loss", Want::number(l_kl, allowed)),
        ("total", Want::number(total, total_allowed)),
    ]
}
