//! What the chapter on the inner loop shows: `cargo run -p ppo-book --example inner-loop`.

use book::{Transcript, number};
use nalgebra::{DMatrix, RowDVector, dmatrix};
use reference::{
    Ends, Mask, Settings,
    adam::{AdamSettings, AdamState, adam},
    iteration::{ActorCritic, Batch, Epoch, Inner, NormClip, iteration},
    nan::greater,
    step::{Rollout, Targets, rollout_phase},
    two_heads::TwoHeads,
};

const ADAM: AdamSettings =
    AdamSettings { lr: 0.05, beta1: 0.9, beta2: 0.999, eps_adam: 1e-8, weight_decay: 0.0 };

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    let (rollout, targets, epochs) = run(&mut model(), 8);
    first(&mut page, &targets, &epochs[0]);
    each(&mut page, &rollout, &epochs);
    frozen(&mut page);
    first_steps(&mut page);
    page
}

/// Two rows of three tokens over five words, the second row one token short, on fixed hidden states.
fn model() -> TwoHeads {
    let states =
        |shift: usize| DMatrix::from_fn(3, 3, |t, d| (((t * 5 + d * 3 + shift) % 7) as f64 - 3.0) / 4.0);
    TwoHeads {
        h: vec![states(0), states(2)],
        w_lm: DMatrix::from_fn(5, 3, |v, d| (((v * 3 + d * 4) % 5) as f64 - 2.0) / 4.0),
        w_v: RowDVector::from_row_slice(&[0.5, -0.25, 0.75]),
        mask: Mask::from_rows(&[[1, 1, 1], [1, 1, 0]]),
    }
}

fn settings() -> Settings {
    Settings { gamma: 0.9, lambda: 0.8, ..Settings::default() }
}

// ANCHOR: run
/// One rollout of this model, scored 1 and −½, and so many epochs on it.
fn run(model: &mut TwoHeads, epochs: usize) -> (Rollout, Targets, Vec<Epoch>) {
    let batch = Batch {
        mask: model.mask.clone(),
        actions: dmatrix![0, 3, 1; 4, 2, 0],
        scores: dmatrix![1.0; -0.5],
        logp_ref: None,
        ends: Ends::stop(2, 3),
    };
    let mut optimizer: Vec<AdamState> =
        model.parameters().iter().map(|theta| AdamState::new(theta.shape())).collect();
    let inner = Inner { epochs, max_norm: 1.0, norm_clip: NormClip::Joint, adam: ADAM };
    iteration(model, &mut optimizer, &batch, &settings(), &inner)
}
// ANCHOR_END: run

/// The mean over the five tokens.
fn mean(x: &DMatrix<f64>, mask: &Mask) -> f64 {
    mask.sum(x) / mask.count() as f64
}

/// What the first epoch must be, whatever the rollout.
fn first(page: &mut Transcript, targets: &Targets, epoch: &Epoch) {
    page.section("first");
    let mask = &targets.mask;
    let far = epoch.losses.policy.ratio.map(|ratio| (ratio - 1.0).abs());
    let far = mask.keep(&far).iter().copied().fold(0.0, greater);
    let squares = mean(&targets.adv_raw.map(|adv| adv * adv), mask);
    for (label, x) in [
        ("largest |ρ − 1|", far),
        ("L_policy", epoch.losses.policy.loss),
        ("pg_clipfrac", epoch.losses.policy.clip_frac),
        ("ppo_kl", epoch.losses.policy.approx_kl),
        ("vf_clipfrac", epoch.losses.value.clip_frac),
        ("L_V", epoch.losses.value.loss),
        ("mean of raw Â²", squares),
    ] {
        page.line(format!("{label:<18}{:>9}", number(x, 6)));
    }
}

/// The same batch, epoch by epoch.
fn each(page: &mut Transcript, rollout: &Rollout, epochs: &[Epoch]) {
    page.section("epochs");
    page.line("epoch   ρ least   ρ most   clipped   L_policy      L_V        H   ‖g‖");
    let mask = &rollout.mask;
    for (k, epoch) in epochs.iter().enumerate() {
        let losses = &epoch.losses;
        let tokens = (0..2).flat_map(|row| mask.tokens_of(row).into_iter().map(move |t| (row, t)));
        let ratios: Vec<f64> = tokens.map(|slot| losses.policy.ratio[slot]).collect();
        let least = ratios.iter().copied().fold(f64::INFINITY, reference::nan::lesser);
        let most = ratios.iter().copied().fold(0.0, greater);
        let numbers = [
            least,
            most,
            losses.policy.clip_frac,
            losses.policy.loss,
            losses.value.loss,
            losses.ent,
            epoch.grad_norm,
        ];
        let cells: String = numbers.iter().map(|x| format!("{:>9}", number(*x, 3))).collect();
        page.line(format!("{:<6}{cells}", k + 1));
    }
}

/// The targets against those that later epochs would make.
fn frozen(page: &mut Transcript) {
    page.section("frozen");
    let (rollout, targets, epochs) = run(&mut model(), 8);
    let row = |page: &mut Transcript, label: &str, adv: &DMatrix<f64>| {
        let numbers: Vec<f64> = (0..3).map(|t| adv[(0, t)]).collect();
        page.row(label, &numbers, 3);
    };
    row(page, "V, epoch 1", &epochs[0].now.v);
    row(page, "V, epoch 8", &epochs[7].now.v);
    row(page, "Â, both", &targets.adv);
    let later = Rollout { v_old: epochs[7].now.v.clone(), ..rollout };
    row(page, "Â from the last", &rollout_phase(&later, &settings()).adv);
}

/// Adam's first step does not see how large a gradient is.
fn first_steps(page: &mut Transcript) {
    page.section("adam");
    let theta = dmatrix![0.0];
    for g in [0.001, 1.0, 1000.0] {
        let (after, _) = adam(&theta, &dmatrix![g], &AdamState::new((1, 1)), &ADAM);
        page.line(format!("gradient {g:<6} first step {}", number(after[0], 4)));
    }
}
