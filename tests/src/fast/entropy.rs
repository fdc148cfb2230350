//! `entropy` on the fast path; its kernel is `token_pass`'s, which has the cases.

use super::{Batch, Case, Got, Laid, Outputs, Term, Want, logits};
use crate::budget::Softmax;
use half::bf16;
use optimized::{Backend, Logit, Logits, entropy};

/// The term.
pub(super) const TERM: Term = Term { stem: "entropy", cases, looks_ahead: false, across_rows: false };

fn cases() -> Vec<Case> {
    vec![
        case::<f32>("every kind of row", 129, 1.0, false),
        case::<f32>("odd rows, hot", 17, 1.3, true),
        case::<bf16>("bf16, cold", 513, 0.7, false),
    ]
}

fn case<X: Logit>(why: &str, vocab: usize, tau: f64, odd: bool) -> Case {
    let run = move |on: Backend, x: &Laid| -> Got {
        let (z, mut out) = (logits::of::<X>(x), x.room(1));
        entropy(on, Logits::new(&z, vocab)?, &x.mask(), tau, out.must())?;
        Ok(Outputs::new().tokens("ent", x, &out))
    };
    let batch = logits::batch::<X>(Batch::mixed(6, 2), vocab, odd);
    Case::new(why, &(vocab, tau), batch, run, move |batch| {
        let ent = logits::each_token(batch, |_, z, _| vec![Softmax::of(z, tau).ent()]);
        vec![("ent", Want::slots(ent, 1))]
    })
}
