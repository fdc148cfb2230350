//! What the chapter on entropy shows: `cargo run -p ppo-book --example entropy`.

use book::{Transcript, number};
use optimized::{Backend, Logits, TokenOut};
use reference::{
    entropy::{entropy_grad_row, entropy_row},
    log_prob::log_softmax_row,
};

/// The logit of a token that the vocabulary mask forbids.
const NEVER: f64 = f64::NEG_INFINITY;

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    by_hand(&mut page);
    shift(&mut page);
    pull(&mut page);
    sign(&mut page);
    temperature(&mut page);
    wrong(&mut page);
    fast(&mut page);
    page
}

fn probabilities(logits: &[f64], tau: f64) -> Vec<f64> {
    log_softmax_row(logits, tau).into_iter().map(f64::exp).collect()
}

/// Logits of these probabilities.
fn logits_of(pi: &[f64]) -> Vec<f64> {
    pi.iter().map(|pi| if *pi == 0.0 { NEVER } else { pi.ln() }).collect()
}

// ANCHOR: by_hand
fn by_hand(page: &mut Transcript) {
    page.section("by-hand");
    for pi in [[0.25, 0.25, 0.25, 0.25], [0.5, 0.25, 0.25, 0.0], [0.5, 0.5, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]] {
        page.row("π", &pi, 2);
        page.row("H", &[entropy_row(&logits_of(&pi), 1.0)], 4);
    }
}
// ANCHOR_END: by_hand

fn shift(page: &mut Transcript) {
    page.section("shift");
    for z in [[2.0, 1.0, 0.0], [102.0, 101.0, 100.0], [4.0, 2.0, 0.0]] {
        page.row("z", &z, 0);
        page.row("H", &[entropy_row(&z, 1.0)], 4);
    }
}

// ANCHOR: pull
fn pull(page: &mut Transcript) {
    page.section("pull");
    page.line("π of the likelier of two tokens, H, and ∂H by that token's logit");
    for pi in [0.5, 0.6, 0.8, 0.9, 0.99, 0.999, 0.999999] {
        let z = logits_of(&[pi, 1.0 - pi]);
        let ent = entropy_row(&z, 1.0);
        let slope = number(entropy_grad_row(&z, 1.0, 1.0)[0], 6);
        page.line(format!("{pi:<9} H {ent:.6}  slope {slope:>9}"));
    }
}
// ANCHOR_END: pull

/// One step of gradient descent on c H, once with either sign.
fn sign(page: &mut Transcript) {
    let z = [2.0, 1.0, 0.0];
    page.section("sign");
    page.line(format!("before                       H {:.4}", entropy_row(&z, 1.0)));
    for (name, g) in [("after a step down −H", -1.0), ("after a step down +H", 1.0)] {
        let grad = entropy_grad_row(&z, 1.0, g);
        let next: Vec<f64> = z.iter().zip(grad).map(|(z, g)| z - g).collect();
        page.line(format!("{name:<28} H {:.4}", entropy_row(&next, 1.0)));
    }
}

fn temperature(page: &mut Transcript) {
    let z = [3.0, 2.0, 1.0, 0.0];
    page.section("temperature");
    for tau in [0.5, 1.0, 2.0] {
        page.row(&format!("π at τ = {tau}"), &probabilities(&z, tau), 4);
        page.row("H", &[entropy_row(&z, tau)], 4);
    }
}

fn wrong(page: &mut Transcript) {
    // Two tokens and two slots of padding, whose logits are all 0.
    let rows: [[f64; 4]; 4] = [[4.0, 0.0, 0.0, 0.0], [3.0, 1.0, 0.0, 0.0], [0.0; 4], [0.0; 4]];
    let each = rows.map(|z| entropy_row(&z, 1.0));
    page.section("padding");
    page.row("H", &each, 4);
    page.line(format!("mean over the two tokens: {:.4}", (each[0] + each[1]) / 2.0));
    page.line(format!("mean over all four slots: {:.4}", each.iter().sum::<f64>() / 4.0));

    page.section("sampled");
    // −log π of the sampled token has H as its mean; a padded slot filled with 1.0 makes it negative.
    let surprise = [0.2, 0.5, 0.1, -1.0, -1.0, -1.0];
    page.row("−log π", &surprise, 1);
    page.line(format!("mean over the three tokens: {:.4}", (surprise[0] + surprise[1] + surprise[2]) / 3.0));
    page.line(format!("mean over all six slots:    {:.4}", surprise.iter().sum::<f64>() / 6.0));

    page.section("overwritten");
    // The log-prob kernel wrote its probabilities where the logits stood.
    let z = [3.0, 2.0, 1.0, 0.0];
    page.line(format!("H of the logits:                        {:.4}", entropy_row(&z, 1.0)));
    page.line(format!(
        "H of what took their place, softmax(z): {:.4}",
        entropy_row(&probabilities(&z, 1.0), 1.0)
    ));
}

/// H and log π in one read of the logits, in f32, by every backend of this machine.
fn fast(page: &mut Transcript) {
    let z = [3.0_f32, 2.0, 1.0, 0.0];
    let mask = optimized::Mask::padded(&[true], 1, 1).expect("one token");
    let on = |backend: Backend| {
        let ([mut logp], [mut ent]) = ([0.0], [0.0]);
        let out = TokenOut {
            logp: Some(std::slice::from_mut(&mut logp)),
            ent: Some(std::slice::from_mut(&mut ent)),
            ..TokenOut::default()
        };
        let logits = Logits::new(&z, 4).expect("one row of four");
        optimized::token_pass(backend, logits, &[1], &mask, 1.0, 1.0, out).expect("the arguments fit");
        (logp, ent)
    };
    page.section("fast");
    let (logp, ent) = on(Backend::best());
    page.line(format!("log π of token 1: {logp:.6}, H: {ent:.6}"));
    let bits = |(logp, ent): (f32, f32)| (logp.to_bits(), ent.to_bits());
    let other = Backend::available().into_iter().filter(|backend| bits(on(*backend)) != bits((logp, ent)));
    page.line(format!("backends of this machine with other bits: {}", other.count()));
}
