//! `returns` on the fast path; `gae` gives the same in its own pass.

use super::{Batch, Case, Got, Laid, Outputs, Term, Want};
use crate::{
    budget::{self, Precision},
    cases::EDGES,
};
use optimized::{Backend, returns};
use reference::returns as truth;

/// The term.
pub(super) const TERM: Term = Term { stem: "returns", cases, looks_ahead: false, across_rows: false };

fn cases() -> Vec<Case> {
    EDGES.iter().map(|(t_len, why)| case(why, Batch::mixed(*t_len, 1))).collect()
}

fn case(why: &str, batch: Batch) -> Case {
    let batch = batch.with("adv", |rng| rng.normal()).with("v", |rng| 1e3 * rng.normal());
    let run = move |on: Backend, x: &Laid| -> Got {
        let mut out = x.room(1);
        returns(on, x.get("adv"), x.get("v"), &x.mask(), out.must())?;
        Ok(Outputs::new().tokens("ret", x, &out))
    };
    Case::new(why, &"", batch, run, |batch| {
        let (p, mask, adv, v) = (Precision::ORDER, batch.mask(), batch.wide("adv"), batch.wide("v"));
        let allowed = budget::returns(p, &p.read(&adv), &p.read(&v), &mask);
        vec![("ret", Want::tokens(&truth::returns(&adv, &v, &mask), &allowed))]
    })
}
