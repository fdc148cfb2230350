//! The errata of the post, each with a number: `cargo run -p ppo-book --example errata`.

use book::{Transcript, number};
use nalgebra::{DMatrix, DVector, dmatrix};
use reference::{
    Agg, Ends, EpsAt, Gap, Half, Listing, Mask, Settings, ShiftMean, ValueClip, Variance, Whitening,
    cost::{Critic, ReferenceModel, cost},
    gae::gae,
    grad_norm::{clip_grad_norm, grad_norm},
    policy_loss::policy_loss_grad,
    step::{Now, Rollout, losses, rollout_phase},
    value_loss::value_loss_grad,
    whiten::whiten,
};

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut text = Transcript::new();
    targets(&mut text);
    advantages(&mut text);
    rewards(&mut text);
    statistics(&mut text);
    clips(&mut text);
    bill(&mut text);
    text
}

/// The post's settings, by its printed listing or by the corrected one.
fn post(listing: Listing) -> Settings {
    Settings { listing, ..Settings::default() }
}

/// Rows without padding, scores and old values.
fn every_slot(scores: DMatrix<f64>, v_old: DMatrix<f64>) -> Rollout {
    let (b, t_len) = v_old.shape();
    Rollout {
        mask: Mask::full(b, t_len),
        attended: None,
        scores,
        logp_old: DMatrix::from_element(b, t_len, -1.0),
        logp_ref: None,
        v_old,
        ends: Ends::stop(b, t_len),
        weights: None,
    }
}

/// Three rows of four tokens, the scores multiplied by `scale`.
fn twelve_tokens(scale: f64) -> Rollout {
    let v_old = dmatrix![1.3, 1.4, 0.1, -0.8; -1.1, 0.0, -1.0, -1.4; 0.2, 0.1, 0.5, -0.9];
    every_slot(dmatrix![0.0; -0.1; -1.5] * scale, v_old)
}

/// GAE of one row, with V after its last token.
fn one_row(r: &[f64], v: &[f64], v_last: f64, gamma: f64, lambda: f64) -> Vec<f64> {
    let row = |x: &[f64]| DMatrix::from_row_slice(1, x.len(), x);
    let ends = Ends::after(DVector::from_element(1, v_last), r.len());
    let lambda = DVector::from_element(1, lambda);
    let adv = gae(&row(r), &row(v), &Mask::full(1, r.len()), &ends, Gap::Skip, gamma, &lambda);
    adv.iter().copied().collect()
}

fn mean(x: &DMatrix<f64>) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// S1: what the critic is told.
fn targets(text: &mut Transcript) {
    text.section("returns");
    text.line(
        "scores ×    mean V_old    mean R, printed    mean R, corrected    L_V, printed    L_V, corrected",
    );
    for scale in [0.001, 1.0, 100.0] {
        let rollout = twelve_tokens(scale);
        let [printed, corrected] = [Listing::AS_PRINTED, Listing::CORRECTED].map(|listing| {
            let settings = post(listing);
            let made = rollout_phase(&rollout, &settings);
            // The first inner step: policy and critic still say what they said in the rollout.
            let ent = DMatrix::from_element(3, 4, 1.0);
            let now = Now { logp: rollout.logp_old.clone(), ent, v: rollout.v_old.clone() };
            (mean(&made.ret), losses(&rollout, &made, &now, &settings).value.loss)
        });
        let cells = [mean(&rollout.v_old), printed.0, corrected.0, printed.1, corrected.1];
        let cells: Vec<String> = cells
            .iter()
            .zip([12, 17, 19, 15, 16])
            .map(|(x, width)| format!("{:>width$}", number(*x, 4)))
            .collect();
        text.line(format!("{scale:<9}{}", cells.join("  ")));
    }
}

/// S2, S3, S15 to S17.
fn advantages(text: &mut Transcript) {
    text.section("limit");
    text.line("three tokens, γλ = ½, δ = 1 0 2; the slot past the end holds 8");
    text.row("to T−1−t", &one_row(&[1.0, 0.0, 2.0], &[0.0; 3], 0.0, 1.0, 0.5), 2);
    text.row("to T−t", &one_row(&[1.0, 0.0, 2.0, 8.0], &[0.0; 4], 0.0, 1.0, 0.5)[..3], 2);

    text.section("end");
    text.line("last token: r = 1, V = 0.25, γ = 0.9");
    for v_last in [0.0, 2.0] {
        let adv = one_row(&[1.0], &[0.25], v_last, 0.9, 0.8)[0];
        text.line(format!("V after it {v_last}: Â = {}", number(adv, 2)));
    }

    text.section("decay");
    text.line("score 2, γ = 1, λ = ½");
    text.row("V = 1 1 1", &one_row(&[0.0, 0.0, 2.0], &[1.0; 3], 0.0, 1.0, 0.5), 2);
    text.row("V = 0 4 1", &one_row(&[0.0, 0.0, 2.0], &[0.0, 4.0, 1.0], 0.0, 1.0, 0.5), 2);
    text.row("λ²,λ,1 · (R−V)", &[0.25 * (2.0 - 0.0), 0.5 * (2.0 - 4.0), 2.0 - 1.0], 2);
    let mut r = [0.0; 1000];
    r[999] = 1.0;
    let first = one_row(&r, &[0.0; 1000], 0.0, 1.0, 0.95)[0];
    text.line(format!("λ = 0.95, V = 0: the first of 1000 tokens sees {first:.1e} of the score"));

    text.section("monte_carlo");
    text.line("r = 0.1 −0.2 0.3, V = 0.5 0.4 −0.1, γ = 0.9, λ = 1");
    let adv = one_row(&[0.1, -0.2, 0.3], &[0.5, 0.4, -0.1], 0.0, 0.9, 1.0);
    text.row("Â", &adv, 3);
    text.row("Â + V", &[adv[0] + 0.5, adv[1] + 0.4, adv[2] - 0.1], 3);
}

/// S6, S7.
fn rewards(text: &mut Transcript) {
    text.section("broadcast");
    text.line("two rows of two tokens, scores 1 and 2, V = 0, γ = λ = 1: advantages");
    let broadcast = Listing { score_broadcast: true, ..Listing::CORRECTED };
    for (label, listing) in [("corrected", Listing::CORRECTED), ("as printed", broadcast)] {
        let rollout = every_slot(dmatrix![1.0; 2.0], DMatrix::zeros(2, 2));
        let made = rollout_phase(&rollout, &Settings { lambda: 1.0, ..post(listing) });
        text.row(label, &made.adv_raw.transpose(), 0);
    }

    text.section("shaped");
    text.line("score 1, β_kl = 0.1, log π − log π_ref = 0.1 −0.2 0.3 0.05: rewards");
    let logp_ref = DMatrix::from_element(1, 4, -1.0);
    let rollout = Rollout {
        logp_old: &logp_ref + dmatrix![0.1, -0.2, 0.3, 0.05],
        logp_ref: Some(logp_ref),
        ..every_slot(dmatrix![1.0], DMatrix::zeros(1, 4))
    };
    let unshaped = Listing { unshaped_reward: true, ..Listing::CORRECTED };
    for (label, listing) in [("shaped", Listing::CORRECTED), ("as described", unshaped)] {
        let made = rollout_phase(&rollout, &Settings { beta_kl: 0.1, ..post(listing) });
        text.row(label, &made.token_rewards, 3);
    }
}

/// S8, S9.
fn statistics(text: &mut Transcript) {
    let how = |variance| Whitening { variance, eps_at: EpsAt::Std, eps_w: 0.0, shift_mean: ShiftMean::Yes };
    text.section("mask");
    let (adv, mask) = (dmatrix![1.0, 3.0, 5.0, 0.0, 0.0, 0.0], Mask::from_rows(&[[1, 1, 1, 0, 0, 0]]));
    for (label, mask) in [("three valid", mask), ("all six", Mask::full(1, 6))] {
        let made = whiten(&adv, &mask, how(Variance::Sample));
        text.row(label, made.adv.columns(0, 3).iter(), 3);
    }

    text.section("variance");
    for n in [4, 256, 65_536] {
        let x = DMatrix::from_fn(1, n, |_, t| ((t * 37) % 101) as f64);
        let [sample, population] = [Variance::Sample, Variance::Population]
            .map(|variance| whiten(&x, &Mask::full(1, n), how(variance)).adv[0]);
        text.line(format!("n = {n:<6} sample / population = {}", number(sample / population, 6)));
    }
    let one = whiten(&dmatrix![1.0], &Mask::full(1, 1), how(Variance::Sample)).adv[0];
    text.line(format!("n = 1      {one}"));
}

/// S10, S13, S14.
fn clips(text: &mut Transcript) {
    text.section("entropy");
    let ent = dmatrix![1.5, 0.5];
    let added = Listing { entropy_added: true, ..Listing::CORRECTED };
    for (label, listing) in [("−c_H H", Listing::CORRECTED), ("+c_H H", added)] {
        let rollout = every_slot(dmatrix![0.0], dmatrix![0.0, 0.0]);
        let settings = Settings { whitening: None, ..post(listing) };
        let now = Now { logp: rollout.logp_old.clone(), ent: ent.clone(), v: rollout.v_old.clone() };
        let made = losses(&rollout, &rollout_phase(&rollout, &settings), &now, &settings);
        text.line(format!(
            "{label}: loss {}, its slope in H {}",
            number(made.total, 3),
            number(made.grad_ent[0], 3)
        ));
    }

    text.section("drift");
    text.line("V_old = 0, R = 1, ε_v = 0.2: slope of the value loss");
    let (zero, one, mask) = (dmatrix![0.0], dmatrix![1.0], Mask::full(1, 1));
    for v in [0.5, -0.5, -100.0] {
        let form = ValueClip::Max;
        let slope = value_loss_grad(&dmatrix![v], &zero, &one, &mask, 0.2, form, Agg::TokenSum, Half::No)[0];
        text.line(format!("V = {v:<6} {}", number(slope, 1)));
    }
    text.line("A = −1, ε = 0.2: slope of the policy loss in log π");
    for ratio in [4.0, 1000.0] {
        let (logp, clip) = (dmatrix![f64::ln(ratio)], Settings::default().clip);
        let slope = policy_loss_grad(&logp, &zero, &dmatrix![-1.0], &mask, None, &clip, Agg::TokenSum)[0];
        text.line(format!("ρ = {ratio:<6} {}", number(slope, 1)));
    }
}

/// S21, S22.
fn bill(text: &mut Transcript) {
    text.section("cost");
    let rows = [
        ("one pass for both heads", Critic::SharedJointPass, ReferenceModel::Without),
        ("as the listing calls them", Critic::SharedTwoPasses, ReferenceModel::Without),
        ("with a reference model", Critic::SharedTwoPasses, ReferenceModel::With),
        ("a critic of its own", Critic::Separate, ReferenceModel::With),
    ];
    for (label, critic, reference) in rows {
        let of = cost(1_000_000, 512, 4, reference, critic);
        let units = of.inference_units + of.training_units;
        text.line(format!("{label:<27}{units:>3} units, {} SFT steps", number(of.sft_steps, 1)));
    }

    text.section("norm");
    let (policy, value) = ([dmatrix![0.3], dmatrix![0.4]], dmatrix![100.0]);
    let (joint, norm) = clip_grad_norm(&[policy[0].clone(), policy[1].clone(), value], 1.0);
    text.line(format!("joint norm {}, clipped to 1", number(norm, 3)));
    text.line(format!("the policy's share before {}", number(grad_norm(&policy), 4)));
    text.line(format!("and after                 {}", number(grad_norm(&joint[..2]), 4)));
}
