//! `gae` and `returns` on the fast path.

use super::{Batch, Case, Got, Laid, Outputs, Term, Want};
use crate::{
    budget::{self, Precision},
    cases::{EDGES, Rng},
};
use nalgebra::DVector;
use optimized::{Backend, Ends, GaeOut, Lambda, Truncated, gae};
use reference::{Gap, gae::gae_recursion, returns::returns};

/// The term.
pub(super) const TERM: Term = Term { stem: "gae", cases, looks_ahead: true, across_rows: false };

/// What follows a row's last token and where episodes end inside one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Stop,
    After,
    Episodes,
}

/// Every choice of a call; a λ of none is one per row.
#[derive(Debug, Clone, Copy)]
struct Choices {
    gap: Gap,
    gamma: f64,
    lambda: Option<f64>,
    ending: Ending,
}

fn choices(k: usize) -> Choices {
    Choices {
        gap: [Gap::Skip, Gap::Decay, Gap::Cut][k % 3],
        gamma: [1.0, 0.99, 0.5, 1.0, 0.0][k % 5],
        lambda: [Some(0.95), Some(1.0), None, Some(0.0), Some(1e-20), Some(0.97)][k / 2 % 6],
        ending: [Ending::Stop, Ending::After, Ending::Episodes, Ending::Episodes][k % 4],
    }
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let normal = |rng: &mut Rng| rng.normal();
    for (k, (t_len, why)) in EDGES.iter().enumerate() {
        all.push(case(why, values(Batch::mixed(*t_len, 1), normal), choices(k)));
    }
    for k in 0..24 {
        all.push(case(
            &format!("every choice, {k}"),
            values(Batch::mixed(37, 2 + k as u64), normal),
            choices(k),
        ));
    }
    let far = values(Batch::mixed(100, 30), |rng| 1e4 + rng.normal());
    all.push(case("far from 0, where δ cancels", far, choices(1)));
    let sizes = |rng: &mut Rng| rng.normal() * [1e-44, 1e-20, 1.0, 1e10][rng.below(4)];
    all.push(case("many sizes", values(Batch::mixed(100, 31), sizes), choices(2)));
    let huge = |rng: &mut Rng| rng.normal() * [1.0, 1e38][usize::from(rng.below(60) == 0)];
    all.push(case("beyond the range", values(Batch::mixed(100, 32), huge), choices(6)));
    all.push(case("blocks of rows", values(Batch::full(19, 2100, 33), normal), choices(0)));
    all
}

fn values(batch: Batch, mut draw: impl FnMut(&mut Rng) -> f64) -> Batch {
    batch
        .with("r", &mut draw)
        .with("v", &mut draw)
        .with("terminated", |rng| f64::from(rng.below(9) == 0))
        .with("truncated", |rng| f64::from(rng.below(9) == 0))
        .with("v_boot", &mut draw)
        .with_row("v_last", &mut draw)
        .with_row("lambda", |rng| rng.uniform())
}

fn case(why: &str, batch: Batch, how: Choices) -> Case {
    let run = move |on: Backend, x: &Laid| -> Got {
        let (terminated, truncated) = (x.flags("terminated"), x.flags("truncated"));
        let inside = how.ending == Ending::Episodes;
        let ends = Ends {
            v_last: (how.ending != Ending::Stop).then(|| x.row("v_last")),
            terminated: inside.then_some(&terminated[..]),
            truncated: inside.then(|| Truncated { at: &truncated, v_boot: x.get("v_boot") }),
        };
        let lambda = how.lambda.map_or(Lambda::PerRow(x.row("lambda")), Lambda::One);
        let (mut adv, mut ret) = (x.room(1), x.room(1));
        let out = GaeOut { adv: adv.must(), ret: ret.out() };
        gae(on, x.get("r"), x.get("v"), &x.mask(), &ends, how.gap, how.gamma, lambda, out)?;
        Ok(Outputs::new().tokens("adv", x, &adv).tokens("ret", x, &ret))
    };
    Case::new(why, &how, batch, run, move |batch| wanted(batch, how))
}

fn wanted(batch: &Batch, Choices { gap, gamma, lambda, ending }: Choices) -> Vec<(&'static str, Want)> {
    let (p, mask) = (Precision::ORDER, batch.mask());
    let (r, v, b) = (batch.wide("r"), batch.wide("v"), batch.b);
    let mut ends = reference::Ends::stop(b, batch.t_len);
    if ending != Ending::Stop {
        ends.v_last = batch.wide_row("v_last");
    }
    if ending == Ending::Episodes {
        ends.terminated = batch.flags("terminated");
        ends.truncated = batch.flags("truncated");
        ends.v_boot = batch.wide("v_boot");
    }
    let of_row = lambda.map_or_else(|| batch.wide_row("lambda"), |lambda| DVector::from_element(b, lambda));
    let adv = gae_recursion(&r, &v, &mask, &ends, gap, gamma, &of_row);
    let ret = returns(&adv, &v, &mask);
    let decay: Vec<_> = of_row.iter().map(|x| p.setting(*x)).collect();
    let (r, v) = (p.read(&r), p.read(&v));
    let allowed = budget::gae_in_order(p, &r, &v, &mask, &ends, gap, gamma, &decay);
    let ret_allowed = budget::returns(p, &allowed, &v, &mask);
    vec![("adv", Want::tokens(&adv, &allowed)), ("ret", Want::tokens(&ret, &ret_allowed))]
}
