//! `kl` and its slope on the fast path.

use super::{Batch, Case, Got, Laid, Outputs, Term, Want, total_loss};
use crate::{
    budget::{self, Precision},
    cases::EDGES,
};
use optimized::{Backend, kl, kl_grad};
use reference::{KlEstimate, KlGrad, kl as truth};

/// The term.
pub(super) const TERM: Term = Term { stem: "kl", cases, looks_ahead: false, across_rows: false };

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (k, (t_len, why)) in EDGES.iter().enumerate() {
        all.push(case(why, total_loss::values(Batch::mixed(*t_len, 1), 0.3), k));
    }
    for k in 0..12 {
        let far = total_loss::values(Batch::mixed(70, 2), 20.0);
        all.push(case(&format!("far apart, {k}"), far, k));
    }
    all
}

fn case(why: &str, batch: Batch, k: usize) -> Case {
    let (estimate, how): (KlEstimate, KlGrad) = total_loss::estimate(k);
    let run = move |on: Backend, x: &Laid| -> Got {
        let (logp, logp_ref, mut value, mut grad) = (x.get("logp"), x.get("logp_ref"), x.room(1), x.room(1));
        kl(on, logp, logp_ref, &x.mask(), estimate, value.must())?;
        kl_grad(on, logp, logp_ref, &x.mask(), estimate, how, grad.must())?;
        Ok(Outputs::new().tokens("kl", x, &value).tokens("grad", x, &grad))
    };
    let wanted = move |batch: &Batch| {
        let (p, mask) = (Precision::ORDER, batch.mask());
        let [logp, logp_ref] = ["logp", "logp_ref"].map(|name| batch.wide(name));
        let value = truth::kl(&logp, &logp_ref, &mask, estimate);
        let grad = truth::kl_grad(&logp, &logp_ref, &mask, estimate, how);
        let [logp, logp_ref] = [logp, logp_ref].map(|x| p.read(&x));
        let allowed = budget::kl(p, &logp, &logp_ref, &mask, estimate);
        let slope = budget::kl_grad(p, &logp, &logp_ref, &mask, (estimate, how));
        vec![("kl", Want::tokens(&value, &allowed)), ("grad", Want::tokens(&grad, &slope))]
    };
    Case::new(why, &(estimate, how), batch, run, wanted)
}
