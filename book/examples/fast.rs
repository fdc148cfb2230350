//! One read of a row of logits, and its gradient in place: `cargo run -p ppo-book --example fast`.

use book::{Transcript, number};
use optimized::{
    Backend, Error, Logits, LogitsMut, Mask, TokenOut, TokenStats, token_pass, token_pass_grad_in_place,
};
use reference::{entropy::entropy_row, log_prob::log_prob_row, rng::Rng};

/// Two tokens over the vocabulary of a large model.
const VOCAB: usize = 128_256;
const ACTIONS: [u32; 2] = [17, 99_999];

fn main() -> Result<(), Error> {
    print!("{}", listing()?);
    Ok(())
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Result<Transcript, Error> {
    let mut text = Transcript::new();
    let mut rng = Rng::of(&[11]);
    let mut x: Vec<f32> = (0..2 * VOCAB).map(|_| (3.0 * rng.normal()) as f32).collect();
    let rows: Vec<Vec<f64>> =
        x.chunks(VOCAB).map(|row| row.iter().map(|x| f64::from(*x)).collect()).collect();

    text.section("one-read");
    let (on, mask) = (Backend::best(), Mask::padded(&[true; 2], 2, 1)?);
    // ANCHOR: one_read
    let [mut logp, mut ent, mut max, mut ln_sum] = [[0.0; 2]; 4];
    let out = TokenOut {
        logp: Some(&mut logp),
        ent: Some(&mut ent),
        max: Some(&mut max),
        ln_sum: Some(&mut ln_sum),
        ..TokenOut::default()
    };
    token_pass(on, Logits::new(&x, VOCAB)?, &ACTIONS, &mask, 1.0, 1.0, out)?;
    // ANCHOR_END: one_read
    for (token, row) in rows.iter().enumerate() {
        let a = ACTIONS[token] as usize;
        let exact = [log_prob_row(row, a, 1.0), entropy_row(row, 1.0)];
        for (name, one_read, exact) in [("log π", logp[token], exact[0]), ("H", ent[token], exact[1])] {
            let (fast, exact) = (number(f64::from(one_read), 5), number(exact, 5));
            text.line(format!(
                "token {token}  {name:<6} one read, f32 {fast:>10}   the equation, f64 {exact:>10}"
            ));
        }
    }

    text.section("in-place");
    // ANCHOR: in_place
    let stats = TokenStats { ent: &ent, max: &max, ln_sum: &ln_sum, of_ent: None };
    let (g_logp, g_ent) = ([-1.0, 0.5], [0.0; 2]);
    token_pass_grad_in_place(
        on,
        LogitsMut::new(&mut x, VOCAB)?,
        &ACTIONS,
        &mask,
        1.0,
        1.0,
        stats,
        &g_logp,
        &g_ent,
    )?;
    // ANCHOR_END: in_place
    for (token, row) in rows.iter().enumerate() {
        let a = ACTIONS[token] as usize;
        // ∂ log π(a) / ∂ z_a = 1 − π(a).
        let exact = f64::from(g_logp[token]) * (1.0 - log_prob_row(row, a, 1.0).exp());
        let sum: f64 = x[token * VOCAB..][..VOCAB].iter().map(|g| f64::from(*g)).sum();
        let own = f64::from(x[token * VOCAB + a]);
        text.line(format!(
            "token {token}  ∂L/∂z at its action {:>8}, by the equation {:>8}; over the vocabulary they add up to {}",
            number(own, 5),
            number(exact, 5),
            number(sum, 5),
        ));
    }
    Ok(text)
}
