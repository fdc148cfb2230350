//! `token_pass` and its gradient on the fast path: one read of the logits, one read and one write.

use super::{Batch, Case, Got, Laid, Outputs, Term, Want, logits};
use crate::{
    budget::{Approx, Softmax, as_bf16, both},
    cases::EDGES,
};
use half::bf16;
use optimized::{
    Backend, Logit, Logits, LogitsMut, TokenOut, TokenStats, token_pass, token_pass_grad,
    token_pass_grad_in_place,
};

/// The term.
pub(super) const TERM: Term = Term { stem: "token_pass", cases, looks_ahead: false, across_rows: false };

const NAMES: [&str; 6] = ["logp", "ent", "max", "ln_sum", "max_ent", "ln_sum_ent"];

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (k, (vocab, why)) in EDGES.iter().enumerate() {
        let batch = Batch::mixed(if *vocab < 1000 { 7 } else { 3 }, k as u64);
        let (tau, tau_ent) = [(1.0, 1.0), (0.8, 0.8), (1.0, 1.3)][k % 3];
        let name = format!("a vocabulary of {vocab}: {why}");
        if k % 4 == 3 {
            all.push(case::<bf16>(&format!("{name}, bf16"), batch, *vocab, [tau, tau_ent], false));
        } else {
            all.push(case::<f32>(&name, batch, *vocab, [tau, tau_ent], false));
        }
    }
    let row = |seed| Batch::full(1, 1, seed);
    all.push(case::<f32>("more tiles than lanes", row(20), 67_001, [1.0, 1.0], false));
    all.push(case::<bf16>("more tiles than lanes, bf16", row(21), 67_001, [1.0, 0.5], false));
    all.push(case::<f32>("blocks of rows", Batch::full(5, 60, 22), 1021, [1.0, 1.0], false));
    all.push(case::<f32>("odd rows", Batch::mixed(8, 23), 131, [1.0, 1.0], true));
    all.push(case::<f32>("odd rows, two temperatures", Batch::mixed(8, 24), 131, [0.9, 1.1], true));
    all.push(case::<bf16>("odd rows, bf16", Batch::mixed(8, 25), 131, [1.0, 1.0], true));
    all
}

fn case<X: Logit>(why: &str, batch: Batch, vocab: usize, tau: [f64; 2], odd: bool) -> Case {
    let batch = logits::batch::<X>(batch, vocab, odd)
        .with("g_logp", |rng| rng.normal() / 8.0)
        .with("g_ent", |rng| [0.0, -0.01, 0.3][rng.below(3)] * rng.uniform());
    let run = move |on: Backend, x: &Laid| run::<X>(on, x, tau);
    Case::new(why, &(vocab, tau), batch, run, move |batch| wanted::<X>(batch, tau))
}

fn run<X: Logit>(on: Backend, x: &Laid, [tau, tau_ent]: [f64; 2]) -> Got {
    let (mut z, actions, mask, vocab) = (logits::of::<X>(x), logits::actions(x), x.mask(), x.width("logits"));
    let mut rooms: [_; 6] = std::array::from_fn(|_| x.room(1));
    let [logp, ent, max, ln_sum, max_ent, ln_sum_ent] = &mut rooms;
    let out = TokenOut {
        logp: Some(logp.must()),
        ent: ent.out(),
        max: max.out(),
        ln_sum: ln_sum.out(),
        max_ent: max_ent.out(),
        ln_sum_ent: ln_sum_ent.out(),
    };
    token_pass(on, Logits::new(&z, vocab)?, &actions, &mask, tau, tau_ent, out)?;
    let names = ["logp", "ent", "max", "ln_sum", "max_ent", "ln_sum_ent"];
    let outputs =
        names.iter().zip(&rooms).fold(Outputs::new(), |out, (name, room)| out.tokens(name, x, room));
    if !x.is_asked() {
        return Ok(outputs);
    }
    let [_, ent, max, ln_sum, max_ent, ln_sum_ent] = rooms.each_mut().map(|room| &*room.must());
    let stats = TokenStats { ent, max, ln_sum, of_ent: Some((max_ent, ln_sum_ent)) };
    let (g_logp, g_ent, mut apart, mut within) =
        (x.get("g_logp"), x.get("g_ent"), x.room(vocab), x.room(vocab));
    apart.with(|to: &mut [X]| {
        let grad = LogitsMut::new(to, vocab)?;
        token_pass_grad(
            on,
            Logits::new(&z, vocab)?,
            &actions,
            &mask,
            tau,
            tau_ent,
            stats,
            g_logp,
            g_ent,
            grad,
        )
    })?;
    let place = LogitsMut::new(&mut z, vocab)?;
    token_pass_grad_in_place(on, place, &actions, &mask, tau, tau_ent, stats, g_logp, g_ent)?;
    // What stood between rows stands there still: the room is compared where the mask has slots.
    within.with(|to: &mut [X]| {
        for slot in (0..mask.b()).flat_map(|row| mask.row(row)) {
            to[slot * vocab..(slot + 1) * vocab].copy_from_slice(&z[slot * vocab..(slot + 1) * vocab]);
        }
    });
    Ok(outputs.tokens("grad", x, &apart).tokens("grad in place", x, &within))
}

fn wanted<X: Logit>(batch: &Batch, [tau, tau_ent]: [f64; 2]) -> Vec<(&'static str, Want)> {
    let stored = |x: Approx| if size_of::<X>() == 2 { as_bf16(x) } else { x };
    let tokens = logits::each_token(batch, |slot, z, a| {
        let g = |name| batch.at(name, slot)[0];
        let (row, row_ent) = (Softmax::of(z, tau), Softmax::of(z, tau_ent));
        let dx = if tau == tau_ent {
            row.grad(a, g("g_logp"), g("g_ent"))
        } else {
            both(row.grad(a, g("g_logp"), 0.0), row_ent.grad(a, 0.0, g("g_ent")))
        };
        let numbers = [row.logp(a), row_ent.ent(), row.max(), row.ln_sum(), row_ent.max(), row_ent.ln_sum()];
        (numbers, dx.into_iter().map(stored).collect::<Vec<_>>())
    });
    let one = |k: usize| Want::slots(tokens.iter().map(|x| x.as_ref().map(|x| vec![x.0[k]])).collect(), 1);
    let grad = tokens.iter().map(|x| x.as_ref().map(|x| x.1.clone())).collect();
    let grad = Want::slots(grad, batch.width("logits"));
    let mut all: Vec<_> = NAMES.iter().enumerate().map(|(k, name)| (*name, one(k))).collect();
    all.extend([("grad", grad.clone()), ("grad in place", grad)]);
    all
}
