//! What the chapter on one iteration shows: `cargo run -p ppo-book --example iteration`.

use book::{Transcript, number};
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Agg, Ends, Half, Listing, Mask, Settings, ValueClip,
    step::{Now, Rollout, losses, rollout_phase},
    value_loss::value_loss_grad,
    whiten::whiten,
};

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    rollout(&mut page);
    epoch(&mut page);
    printed(&mut page);
    planted(&mut page);
    page
}

fn settings(listing: Listing) -> Settings {
    Settings { gamma: 0.9, lambda: 0.8, beta_kl: 0.1, listing, ..Settings::default() }
}

/// Two responses: four tokens and padding; four tokens with a tool's two between them. Masked slots hold junk.
fn responses() -> Rollout {
    let logp_ref = dmatrix![-1.2, -0.5, -2.3, -0.45, 3.0, -9.0; -0.5, -1.7, 3.0, -9.0, -0.8, -1.6];
    let moved = dmatrix![0.1, -0.2, 0.3, 0.05, 7.0, -7.0; 0.2, 0.1, 7.0, -7.0, -0.1, 0.4];
    Rollout {
        mask: Mask::from_rows(&[[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 1, 1]]),
        attended: None,
        scores: dmatrix![1.0; -0.5],
        logp_old: &logp_ref + moved,
        logp_ref: Some(logp_ref),
        v_old: dmatrix![0.2, 0.1, 0.4, 0.3, 9.9, -7.7; 0.0, 0.5, 3.3, -2.2, 0.25, 0.75],
        ends: Ends::stop(2, 6),
        weights: None,
    }
}

/// What policy and critic say after some steps.
fn later(rollout: &Rollout) -> Now {
    let drift = dmatrix![0.3, -0.4, 0.1, 0.05, 0.0, 0.0; -0.3, 0.1, 0.0, 0.0, 0.2, -0.5];
    Now {
        logp: &rollout.logp_old + &drift,
        ent: dmatrix![1.3, 0.9, 1.6, 0.4, 0.0, 0.0; 0.7, 1.1, 0.0, 0.0, 1.2, 1.5],
        v: &rollout.v_old + dmatrix![0.4, 0.1, 0.1, 0.5, 0.0, 0.0; -0.1, -0.4, 0.0, 0.0, -0.6, -0.1],
    }
}

/// A matrix as its two rows, masked slots as dots.
fn rows(page: &mut Transcript, label: &str, x: &DMatrix<f64>, mask: &Mask) {
    for row in 0..2 {
        let numbers: Vec<f64> =
            (0..6).map(|t| if mask.has((row, t)) { x[(row, t)] } else { f64::NAN }).collect();
        page.row(if row == 0 { label } else { "" }, &numbers, 4);
    }
}

fn rollout(page: &mut Transcript) {
    page.section("rollout");
    let rollout = responses();
    let targets = rollout_phase(&rollout, &settings(Listing::CORRECTED));
    let mask = &rollout.mask;
    if let Some(kl) = &targets.kl {
        rows(page, "k1", kl, mask);
    }
    rows(page, "r", &targets.token_rewards, mask);
    rows(page, "V_old", &rollout.v_old, mask);
    rows(page, "Â, raw", &targets.adv_raw, mask);
    rows(page, "R", &targets.ret, mask);
    rows(page, "Â, whitened", &targets.adv, mask);
}

fn epoch(page: &mut Transcript) {
    page.section("epoch");
    let (rollout, settings) = (responses(), settings(Listing::CORRECTED));
    let targets = rollout_phase(&rollout, &settings);
    let now = later(&rollout);
    let made = losses(&rollout, &targets, &now, &settings);
    let mask = &rollout.mask;
    rows(page, "ρ", &made.policy.ratio, mask);
    rows(page, "V", &now.v, mask);
    rows(page, "H", &now.ent, mask);
    rows(page, "∂L/∂log π", &made.grad_logp, mask);
    rows(page, "∂L/∂V", &made.grad_v, mask);
    for (label, x) in
        [("L_policy", made.policy.loss), ("L_V", made.value.loss), ("H", made.ent), ("L_total", made.total)]
    {
        page.line(format!("{label:<14}{:>9}", number(x, 4)));
    }
}

fn printed(page: &mut Transcript) {
    page.section("printed");
    page.line("                   corrected  as printed");
    let rollout = responses();
    let made = [Listing::CORRECTED, Listing::AS_PRINTED].map(|listing| {
        let settings = settings(listing);
        let targets = rollout_phase(&rollout, &settings);
        let losses = losses(&rollout, &targets, &later(&rollout), &settings);
        [
            targets.adv[(0, 0)],
            targets.ret[(0, 0)],
            losses.policy.loss,
            losses.value.loss,
            losses.ent,
            losses.total,
        ]
    });
    let labels = ["Â of token 0", "R of token 0", "L_policy", "L_V", "H", "L_total"];
    for (k, label) in labels.iter().enumerate() {
        let cells: String = made.iter().map(|of| format!("{:>12}", number(of[k], 4))).collect();
        page.line(format!("{label:<16}{cells}"));
    }
}

/// One response, once with two mistakes in the code and once as the equations say, for a reader to find them.
fn planted(page: &mut Transcript) {
    let mask = Mask::from_rows(&[[1, 1, 1, 1, 0, 0]]);
    let rollout = Rollout {
        mask: mask.clone(),
        attended: None,
        scores: dmatrix![1.0],
        logp_old: DMatrix::zeros(1, 6),
        logp_ref: None,
        v_old: dmatrix![0.5, 0.4, 0.2, 0.6, 0.0, 0.0],
        ends: Ends::stop(1, 6),
        weights: None,
    };
    let settings = Settings { beta_kl: 0.0, ..settings(Listing::CORRECTED) };
    let targets = rollout_phase(&rollout, &settings);
    let (v_old, ret) = (&rollout.v_old, &targets.ret);
    let v = dmatrix![0.9, 0.5, 0.6, 0.7, 0.0, 0.0];

    let every_slot = Mask::full(1, 6);
    let padded = settings.whitening.map(|how| whiten(&targets.adv_raw, &every_slot, how).adv);
    let smaller = DMatrix::from_fn(1, 6, |_, t| {
        let error = v[t] - ret[t];
        let clipped = v_old[t] + (v[t] - v_old[t]).clamp(-settings.eps_v, settings.eps_v) - ret[t];
        if clipped.abs() < error.abs() { 0.0 } else { 2.0 * error }
    });
    let n = mask.count() as f64;
    let larger =
        n * value_loss_grad(&v, v_old, ret, &mask, settings.eps_v, ValueClip::Max, Agg::TokenMean, Half::No);

    let row = |page: &mut Transcript, label, x: &DMatrix<f64>| {
        let shown: Vec<f64> = (0..6).map(|t| if mask.has((0, t)) { x[t] } else { f64::NAN }).collect();
        page.row(label, &shown, 4);
    };
    page.section("planted");
    page.line("γ = 0.9, λ = 0.8, V after the last token = 0, ε_v = 0.2");
    row(page, "r", &targets.token_rewards);
    row(page, "V_old", v_old);
    row(page, "Â, raw", &targets.adv_raw);
    row(page, "R", ret);
    if let Some(adv) = &padded {
        row(page, "Â, whitened", adv);
    }
    row(page, "V", &v);
    row(page, "slope in V", &smaller);

    page.section("found");
    row(page, "Â, whitened", &targets.adv);
    row(page, "slope in V", &larger);
}
