//! `whiten` on the fast path.

use super::{Batch, Case, Got, Laid, Outputs, Term, Want};
use crate::{
    budget::{Precision, whiten_in_order},
    cases::EDGES,
};
use optimized::{
    Agg, AggregateSums, Backend, SquareSum, Whitened, aggregate_sums, square_sum, whiten, whiten_by,
};
use reference::{EpsAt, ShiftMean, Variance, Whitening, whiten as truth};

/// The term.
pub(super) const TERM: Term = Term { stem: "whiten", cases, looks_ahead: false, across_rows: true };

fn choices(k: usize) -> Whitening {
    Whitening {
        variance: [Variance::Sample, Variance::Population][k % 2],
        eps_at: [EpsAt::Std, EpsAt::UnderRoot, EpsAt::VarFloor][k % 3],
        eps_w: [1e-8, 1e-5, 0.0, 2.0][k / 2 % 4],
        shift_mean: [ShiftMean::Yes, ShiftMean::No][k / 3 % 2],
    }
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (k, (t_len, why)) in EDGES.iter().enumerate() {
        all.push(case(why, Batch::mixed(*t_len, 1).with("adv", |rng| rng.normal()), choices(k)));
    }
    for k in 0..12 {
        let far = Batch::mixed(70, 2).with("adv", |rng| 100.0 + rng.normal());
        all.push(case(&format!("a mean far from 0, {k}"), far, choices(k)));
    }
    let one = |b| Batch::full(b, 1, 3).with("adv", |rng| rng.normal());
    all.push(case("one token, the sample variance: NaN", one(1), choices(0)));
    all.push(case("one token, the population variance", one(1), choices(1)));
    all.push(case("two tokens", one(2), choices(0)));
    let same = Batch::full(3, 10, 4).with("adv", |_| 0.5);
    all.push(case("no variance", same, choices(0)));
    let huge = Batch::full(3, 10, 5).with("adv", |rng| 1e25 * rng.normal());
    all.push(case("squares beyond the range", huge, choices(0)));
    let long = Batch::full(1, 67_001, 6).with("adv", |rng| rng.normal());
    all.push(case("more tiles than a row has lanes", long, choices(0)));
    let rows = Batch::full(37, 2100, 7).with("adv", |rng| rng.normal());
    all.push(case("many blocks of rows", rows, choices(0)));
    all
}

fn case(why: &str, batch: Batch, how: Whitening) -> Case {
    let run = move |on: Backend, x: &Laid| -> Got {
        let mut out = x.room(1);
        let by = whiten(on, x.get("adv"), &x.mask(), how, out.must())?;
        Ok(numbers(Outputs::new().tokens("adv", x, &out), by))
    };
    let parts = move |on: Backend, parts: &[Laid]| -> Got {
        let mut sum = AggregateSums::default();
        for x in parts {
            sum = sum.merge(aggregate_sums(on, x.get("adv"), &x.mask(), Agg::TokenMean)?)?;
        }
        let mean = sum.finish(Agg::TokenMean)?;
        let mut squares = SquareSum::default();
        for x in parts {
            squares = squares.merge(square_sum(on, x.get("adv"), &x.mask(), mean)?)?;
        }
        let by = Whitened { mean, var: squares.var(how.variance)? };
        let mut outputs = Outputs::new();
        for x in parts {
            let mut out = x.room(1);
            whiten_by(on, x.get("adv"), &x.mask(), by, how, out.must())?;
            outputs.append(Outputs::new().tokens("adv", x, &out));
        }
        Ok(numbers(outputs, by))
    };
    let wanted = move |batch: &Batch| {
        let (mask, adv) = (batch.mask(), batch.wide("adv"));
        let truth = truth::whiten(&adv, &mask, how);
        let allowed = whiten_in_order(Precision::ORDER, &Precision::ORDER.read(&adv), &mask, how);
        vec![
            ("adv", Want::tokens(&truth.adv, &allowed.adv)),
            ("mean", Want::number(truth.mean, allowed.mean)),
            ("var", Want::number(truth.var, allowed.var)),
        ]
    };
    Case::new(why, &how, batch, run, wanted).in_parts(parts)
}

fn numbers(outputs: Outputs, by: Whitened) -> Outputs {
    outputs.number("mean", by.mean).number("var", by.var)
}
