//! `aggregate` on the fast path.

use super::{AGGS, Batch, Case, Got, Laid, Outputs, Term, Want, in_parts};
use crate::{
    budget::{self, Precision},
    cases::EDGES,
};
use optimized::{AggregateSums, Backend, aggregate, aggregate_grad, aggregate_sums};
use reference::{Agg, aggregate as truth, step::scaled};

/// The term.
pub(super) const TERM: Term = Term { stem: "aggregate", cases, looks_ahead: false, across_rows: false };

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (k, (t_len, why)) in EDGES.iter().enumerate() {
        let batch = Batch::mixed(*t_len, 1).with("x", |rng| rng.normal());
        all.push(case(why, batch, AGGS[(k + 4) % AGGS.len()], [1.0, -0.01, 0.0][k % 3]));
    }
    for (k, agg) in AGGS.into_iter().enumerate() {
        let batch = Batch::mixed(67, 2).with("x", |rng| 1e3 + rng.normal());
        all.push(case(&format!("{agg:?}"), batch, agg, 0.3));
        let sizes =
            Batch::full(k + 1, 40, 3).with("x", |rng| rng.normal() * [1e-42, 1e-3, 1.0, 1e6][rng.below(4)]);
        all.push(case(&format!("many sizes, {agg:?}"), sizes, agg, 1.0));
    }
    let huge = Batch::full(3, 20, 4).with("x", |rng| 1e38 * rng.normal());
    all.push(case("sums beyond the range", huge, Agg::TokenMean, 1.0));
    let long = Batch::full(1, 67_001, 5).with("x", |rng| rng.normal());
    all.push(case("more tiles than a row has lanes", long, Agg::TokenMean, 1.0));
    let rows = Batch::full(37, 2100, 6).with("x", |rng| rng.normal());
    all.push(case("many blocks of rows", rows, Agg::TokenMean, 1.0));
    all
}

fn case(why: &str, batch: Batch, agg: Agg, c: f64) -> Case {
    let grad = move |x: &Laid, outputs: Outputs| -> Result<Outputs, optimized::Error> {
        let mut grad = x.room(1);
        grad.out().map_or(Ok(()), |out| aggregate_grad(&x.mask(), agg, c, out))?;
        Ok(outputs.tokens("grad", x, &grad))
    };
    let run = move |on: Backend, x: &Laid| -> Got {
        let loss = aggregate(on, x.get("x"), &x.mask(), agg)?;
        Ok(grad(x, Outputs::new())?.number("loss", loss))
    };
    let parts = move |on: Backend, parts: &[Laid]| -> Got {
        let sums = |x: &Laid| Ok((aggregate_sums(on, x.get("x"), &x.mask(), agg)?, grad(x, Outputs::new())?));
        in_parts(parts, sums, AggregateSums::merge, |sums, out| Ok(out.number("loss", sums.finish(agg)?)))
    };
    let wanted = move |batch: &Batch| {
        let (p, mask, x) = (Precision::ORDER, batch.mask(), batch.wide("x"));
        let grad = scaled(c, &truth::aggregate_grad(&mask, agg), &mask);
        let allowed = budget::aggregate_grad(p, &mask, agg).map(|x| p.setting(c) * x);
        let loss =
            Want::number(truth::aggregate(&x, &mask, agg), budget::aggregate(p, &p.read(&x), &mask, agg));
        vec![("grad", Want::tokens(&grad, &allowed)), ("loss", loss)]
    };
    Case::new(why, &(agg, c), batch, run, wanted).in_parts(parts)
}
