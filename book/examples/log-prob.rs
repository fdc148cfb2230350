//! What the chapter on log-probabilities shows: `cargo run -p ppo-book --example log-prob`.

use book::Transcript;
use nalgebra::{DMatrix, dmatrix};
use optimized::{Backend, LogSumExp, Logits};
use reference::{
    Mask,
    log_prob::{log_prob, log_prob_grad_row, log_prob_row, log_softmax_row},
};

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    by_hand(&mut page);
    gradient(&mut page);
    far_from_zero(&mut page);
    phantom(&mut page);
    two_temperatures(&mut page);
    shifted(&mut page);
    fast(&mut page);
    page
}

/// Logits of the probabilities 1/8, 2/8, 5/8: any number may be added to all of them.
fn logits() -> [f64; 3] {
    [1.0_f64.ln(), 2.0_f64.ln(), 5.0_f64.ln()]
}

// ANCHOR: by_hand
fn by_hand(page: &mut Transcript) {
    let z = logits();
    page.section("by-hand");
    page.row("z", &z, 4);
    for tau in [1.0, 0.5, 2.0] {
        let logp = log_softmax_row(&z, tau);
        page.line(format!("τ = {tau}"));
        page.row("log π", &logp, 4);
        page.row("π", &logp.iter().map(|logp| logp.exp()).collect::<Vec<_>>(), 4);
    }
}
// ANCHOR_END: by_hand

/// The sampled token is the second.
fn gradient(page: &mut Transcript) {
    page.section("gradient");
    for tau in [1.0, 0.5] {
        page.row(&format!("τ = {tau}"), &log_prob_grad_row(&logits(), 1, tau, 1.0), 4);
    }
}

/// Three equal logits, as the formula is printed, from a maximum that starts at 0, and as it is computed.
fn far_from_zero(page: &mut Transcript) {
    page.section("far-from-zero");
    page.line("ln Σ exp(z) of three equal logits");
    page.line(format!("{:<10}{:>12}{:>16}{:>12}", "each z", "as printed", "max from 0", "reference"));
    for z in [0.0_f64, 800.0, -200.0, -800.0] {
        let row = [z; 3];
        let printed = row.iter().map(|z| z.exp()).sum::<f64>().ln();
        let max = row.iter().fold(0.0, |max: f64, z| if *z > max { *z } else { max });
        // In f32, as a kernel would: exp(−200) is 0 there.
        let from_zero = max + f64::from(row.iter().map(|z| ((z - max) as f32).exp()).sum::<f32>().ln());
        page.line(format!("{z:<10}{printed:>12.4}{from_zero:>16.4}{:>12.4}", z - log_prob_row(&row, 0, 1.0)));
    }
}

/// A kernel reads whole tiles of four; the vocabulary has three tokens.
fn phantom(page: &mut Transcript) {
    page.section("phantom");
    for (name, filler) in
        [("three logits", None), ("one more, of 0", Some(0.0)), ("one more, of −∞", Some(f64::NEG_INFINITY))]
    {
        let row: Vec<f64> = [-50.0; 3].into_iter().chain(filler).collect();
        page.line(format!("{name:<16} log π {:.4}", log_prob_row(&row, 0, 1.0)));
    }
}

/// Sampled at 0.7, trained at another temperature: the ratio before any update.
fn two_temperatures(page: &mut Transcript) {
    page.section("two-temperatures");
    let old = log_softmax_row(&logits(), 0.7);
    for (name, tau) in [("0.7", 0.7), ("1", 1.0), ("0.7 + 1e-7", 0.7 + 1e-7)] {
        let now = log_softmax_row(&logits(), tau);
        let ratio: Vec<f64> = now.iter().zip(&old).map(|(now, old)| (now - old).exp()).collect();
        page.line(format!(
            "trained at τ = {name:<12}{}",
            ratio.iter().map(|ratio| format!("{ratio:>12.8}")).collect::<String>()
        ));
    }
}

/// Three tokens of a response; the row of logits that produced each says it with 0.8.
fn shifted(page: &mut Transcript) {
    let actions = dmatrix![0, 1, 2];
    let of = |tokens: [usize; 3]| {
        let z = DMatrix::from_fn(3, 3, |t, v| f64::ln(if v == tokens[t] { 0.8 } else { 0.1 }));
        log_prob(&[z], &actions, &Mask::full(1, 3), 1.0).map(f64::exp)
    };
    page.section("shifted");
    page.row("its own row", &of([0, 1, 2]), 2);
    page.row("the row after", &of([1, 2, 0]), 2);
}

/// In f32: on every backend, and from a vocabulary in two parts.
fn fast(page: &mut Transcript) {
    let z: Vec<f32> = (0..4096).map(|v| (v % 97) as f32 / 16.0).collect();
    let mask = optimized::Mask::padded(&[true], 1, 1).expect("one token");
    let on = |backend: Backend| {
        let mut logp = [0.0];
        let logits = Logits::new(&z, 4096).expect("one row");
        optimized::log_prob(backend, logits, &[3000], &mask, 1.0, &mut logp).expect("the arguments fit");
        logp[0]
    };
    page.section("fast");
    let logp = on(Backend::best());
    page.line(format!("log π of one token of 4096, in f32: {logp:.6}"));
    let other = Backend::available().into_iter().filter(|backend| on(*backend).to_bits() != logp.to_bits());
    page.line(format!("backends of this machine with other bits: {}", other.count()));
    let shard = |logits: &[f32], start| {
        LogSumExp::of_shard(Backend::best(), logits, start, 3000, 1.0).expect("a shard begins at a tile")
    };
    let merged = shard(&z[..2048], 0).merge(shard(&z[2048..], 2048)).expect("they follow");
    let merged = merged.finish().expect("the whole vocabulary").logp;
    page.line(format!(
        "two halves of the vocabulary, merged, with other bits: {}",
        usize::from(merged.to_bits() != logp.to_bits())
    ));
}
