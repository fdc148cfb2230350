//! What the chapter on cost shows: `cargo run -p ppo-book --example cost`.

use book::{Transcript, number};
use reference::cost::{Cost, Critic, ReferenceModel, cost};

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    ways(&mut page);
    epochs(&mut page);
    large(&mut page);
    logits(&mut page);
    page
}

fn line(page: &mut Transcript, label: &str, of: Cost) {
    let [inference, training, sft] = [of.inference_units, of.training_units, of.sft_steps];
    page.line(format!("{label:<27}{inference:>5} + {training:<5}{:>10}", number(sft, 1)));
}

/// Four epochs, in four ways to run the models.
fn ways(page: &mut Transcript) {
    page.section("ways");
    page.line("                      inference + training   SFT steps");
    for (label, critic, reference) in [
        ("one pass for both heads", Critic::SharedJointPass, ReferenceModel::Without),
        ("as the listing calls them", Critic::SharedTwoPasses, ReferenceModel::Without),
        ("with a reference model", Critic::SharedTwoPasses, ReferenceModel::With),
        ("and a critic of its own", Critic::Separate, ReferenceModel::With),
    ] {
        line(page, label, cost(1, 1, 4, reference, critic));
    }
}

/// The same by how often a batch is used.
fn epochs(page: &mut Transcript) {
    page.section("epochs");
    page.line("                      inference + training   SFT steps");
    for epochs in [1, 2, 4, 10] {
        let label = format!("K = {epochs}");
        line(page, &label, cost(1, 1, epochs, ReferenceModel::With, Critic::Separate));
    }
}

/// 7 billion parameters on a quarter of a million tokens.
fn large(page: &mut Transcript) {
    page.section("large");
    let of = cost(7_000_000_000, 512 * 512, 4, ReferenceModel::With, Critic::Separate);
    page.line(format!("7e9 parameters, 512 sequences of 512 tokens: {:.1e} operations", of.flops));
    page.line(format!("at 4e14 a second: {} s", number(of.flops / 4e14, 0)));
}

/// What the step's own terms move, beside that.
fn logits(page: &mut Transcript) {
    page.section("terms");
    let (tokens, vocab, epochs) = (512.0 * 512.0, 128_256.0, 4.0);
    // One read forward, one read and one write backward, 4 bytes each, in every epoch; forward once in the rollout.
    let bytes = tokens * vocab * 4.0 * (1.0 + 3.0 * epochs);
    // Twelve bytes in and four out for each loss, sixteen for GAE and returns, twelve for whitening.
    let rest = tokens * (epochs * 2.0 * 16.0 + 16.0 + 12.0);
    page.line(format!("logits, once forward and four times both ways: {bytes:.1e} bytes"));
    page.line(format!("everything else of the step:                   {rest:.1e} bytes"));
}
