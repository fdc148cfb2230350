//! B = 2, T = 4, seven tokens in the vocabulary, two linear heads on three hidden dimensions.
//!
//! Row 0 has a gap inside whose slot holds junk (states of 3, 4 and 5, the last token id) and was cut off,
//! so that V after its last token is not 0. Row 1 ended one slot early; its padding holds junk too. γ = 0.9,
//! λ = 0.8, a KL of 0.1 to a reference model. The learning rate is large, so that by the last of four epochs
//! ratios have left 1 and both clips act; the tests say so, since a snapshot in which nothing is clipped
//! would hold only half of the step.

use crate::blocks::Blocks;
use conformance::cases::{Rng, mask};
use nalgebra::{DMatrix, DVector, RowDVector};
use reference::{
    Coefficients, Ends, Listing, Mask, Settings,
    adam::{AdamSettings, AdamState},
    iteration::{ActorCritic, Batch, Epoch, Inner, NormClip, iteration},
    step::{Rollout, Targets},
    two_heads::TwoHeads,
};

const B: usize = 2;
const T: usize = 4;
const VOCAB: usize = 7;
const D_MODEL: usize = 3;

struct Run {
    model: TwoHeads,
    batch: Batch,
    rollout: Rollout,
    targets: Targets,
    epochs: Vec<Epoch>,
}

fn valid() -> Mask {
    mask("1011/1110")
}

/// Ordinary numbers in valid slots; in masked ones what no formula may read, unless the listing has no mask.
fn states(rng: &mut Rng) -> Vec<DMatrix<f64>> {
    let mask = valid();
    let mut one = |row: usize| {
        let h = rng.matrix(T, D_MODEL, 1.0);
        DMatrix::from_fn(T, D_MODEL, |t, d| if mask.has((row, t)) { h[(t, d)] } else { 3.0 + d as f64 })
    };
    (0..B).map(&mut one).collect()
}

fn settings(listing: Listing) -> Settings {
    Settings {
        gamma: 0.9,
        lambda: 0.8,
        beta_kl: 0.1,
        coefficients: Coefficients { c_v: 0.5, c_h: 0.01, beta_loss: 0.05 },
        listing,
        ..Settings::default()
    }
}

fn run(listing: Listing) -> Run {
    let mut rng = Rng::new(3);
    let h = states(&mut rng);
    let w_lm = rng.matrix(VOCAB, D_MODEL, 0.5);
    let w_v = RowDVector::from_row_slice(rng.matrix(1, D_MODEL, 0.5).as_slice());
    let mut actions = rng.ids(B, T, VOCAB);
    // The listing without a mask reads every slot, and so must the heads.
    let mask = if listing.unmasked { Mask::full(B, T) } else { valid() };
    for (row, t) in [(0, 1), (1, 3)] {
        actions[(row, t)] = VOCAB - 1;
    }
    let mut model = TwoHeads { h, w_lm, w_v, mask };
    let batch = Batch {
        mask: valid(),
        actions,
        scores: DMatrix::from_row_slice(B, 1, &[1.5, -0.5]),
        logp_ref: Some(rng.matrix(B, T, 0.25).map(|x| x - 2.0)),
        ends: Ends::after(DVector::from_row_slice(&[0.75, 0.0]), T),
    };
    let started = model.clone();
    let mut optimizer: Vec<_> =
        model.parameters().iter().map(|theta| AdamState::new(theta.shape())).collect();
    let adam = AdamSettings { lr: 0.15, beta1: 0.9, beta2: 0.999, eps_adam: 1e-8, weight_decay: 0.01 };
    let inner = Inner { epochs: 4, max_norm: 1.0, norm_clip: NormClip::Joint, adam };
    let (rollout, targets, epochs) =
        iteration(&mut model, &mut optimizer, &batch, &settings(listing), &inner);
    Run { model: started, batch, rollout, targets, epochs }
}

fn text(run: &Run) -> String {
    let mut out = Blocks::default();
    before(&mut out, run);
    frozen(&mut out, run);
    for (k, epoch) in run.epochs.iter().enumerate() {
        out.heading(&format!("inner epoch {k}"));
        one_epoch(&mut out, epoch);
    }
    out.text()
}

fn before(out: &mut Blocks, run: &Run) {
    out.heading("model and batch");
    for (row, h) in run.model.h.iter().enumerate() {
        out.matrix(&format!("h of row {row}"), "hidden states", h);
    }
    out.matrix("W_lm", "policy head", &run.model.w_lm);
    out.matrix("W_v", "eq:value-head", &DMatrix::from_row_slice(1, D_MODEL, run.model.w_v.as_slice()));
    out.matrix("y", "sampled token ids", &run.batch.actions.map(|id| id as f64));
    out.matrix("score", "reward model", &run.batch.scores);
    out.matrix("log π_ref", "reference model", run.batch.logp_ref.as_ref().unwrap());
    out.matrix(
        "V_T",
        "after the last token",
        &DMatrix::from_column_slice(B, 1, run.batch.ends.v_last.as_slice()),
    );
}

fn frozen(out: &mut Blocks, Run { rollout, targets, .. }: &Run) {
    let seen = |mask: &Mask| DMatrix::from_fn(B, T, |row, t| f64::from(mask.has((row, t))));
    out.heading("rollout phase");
    out.matrix("m", "mask of policy loss and entropy", &seen(&targets.mask));
    out.matrix("m of V", "mask of GAE, returns and value loss", &seen(&targets.value_mask));
    out.matrix("log π_old", "eq:log-prob", &rollout.logp_old);
    out.matrix("V_old", "eq:value-head", &rollout.v_old);
    out.matrix("k", "eq:kl", targets.kl.as_ref().unwrap());
    out.matrix("r", "eq:shaped-reward", &targets.token_rewards);
    out.matrix("Â", "eq:gae", &targets.adv_raw);
    let (mean, var) = targets.whitened.unwrap();
    out.number("μ", "eq:whiten", mean);
    out.number("σ²", "eq:whiten", var);
    out.matrix("Â'", "eq:whiten", &targets.adv);
    out.matrix("R", "eq:return", &targets.ret);
}

fn one_epoch(out: &mut Blocks, epoch: &Epoch) {
    let Epoch { now, losses, grads, grad_norm, clipped, parameters } = epoch;
    out.matrix("log π", "eq:log-prob", &now.logp);
    out.matrix("H", "eq:entropy", &now.ent);
    out.matrix("V", "eq:value-head", &now.v);
    out.matrix("ρ", "eq:ratio", &losses.policy.ratio);
    out.matrix("L_policy per token", "eq:policy-loss", &losses.policy.per_token);
    out.number("L_policy", "eq:policy-loss", losses.policy.loss);
    out.number("clip fraction", "eq:policy-loss", losses.policy.clip_frac);
    out.number("dual clip fraction", "eq:policy-loss", losses.policy.clip_frac_lower);
    out.number("approximate KL", "eq:kl", losses.policy.approx_kl);
    out.matrix("L_V per token", "eq:value-loss", &losses.value.per_token);
    out.number("L_V", "eq:value-loss", losses.value.loss);
    out.number("value clip fraction", "eq:value-clip", losses.value.clip_frac);
    out.number("H aggregated", "eq:aggregate", losses.ent);
    out.number("L_KL", "eq:kl-loss", losses.l_kl.unwrap());
    out.number("L_total", "eq:total-loss", losses.total);
    out.matrix("∂L/∂log π", "gradient", &losses.grad_logp);
    out.matrix("∂L/∂H", "gradient", &losses.grad_ent);
    out.matrix("∂L/∂V", "gradient", &losses.grad_v);
    out.matrix("∂L/∂W_lm", "gradient", &grads[0]);
    out.matrix("∂L/∂W_v", "gradient", &grads[1]);
    out.number("‖g‖", "eq:grad-norm", *grad_norm);
    out.matrix("∂L/∂W_lm clipped", "eq:grad-clip", &clipped[0]);
    out.matrix("∂L/∂W_v clipped", "eq:grad-clip", &clipped[1]);
    out.matrix("W_lm after the step", "eq:adam", &parameters[0]);
    out.matrix("W_v after the step", "eq:adam", &parameters[1]);
}

/// What the snapshots are worth: at first nothing has moved, at last both clips act and some token is free.
fn is_worth_a_snapshot(run: &Run) {
    let ratios = |epoch: &Epoch| valid_ratios(run, epoch);
    let (first, last) = (&run.epochs[0], &run.epochs[3]);
    assert!(ratios(first).iter().all(|ratio| *ratio == 1.0), "ρ is 1 before the first step");
    assert_eq!((first.losses.policy.clip_frac, first.losses.value.clip_frac), (0.0, 0.0));
    assert!(ratios(last).iter().all(|ratio| *ratio != 1.0), "every ratio has moved");
    for (name, share) in [("ratio", last.losses.policy.clip_frac), ("value", last.losses.value.clip_frac)] {
        assert!(0.0 < share && share < 1.0, "the {name}'s clip acts on {share} of the tokens");
    }
    assert!(run.epochs.iter().any(|epoch| epoch.grad_norm > 1.0), "the gradient's bound acts");
    assert!(run.batch.ends.v_last[0] != 0.0);
}

fn valid_ratios(run: &Run, epoch: &Epoch) -> Vec<f64> {
    let slots = (0..B).flat_map(|row| (0..T).map(move |t| (row, t)));
    slots.filter(|slot| run.targets.mask.has(*slot)).map(|slot| epoch.losses.policy.ratio[slot]).collect()
}

#[test]
fn the_iteration_of_the_equations() {
    let run = run(Listing::CORRECTED);
    is_worth_a_snapshot(&run);
    insta::assert_snapshot!("iteration_corrected", text(&run));
}

#[test]
fn the_iteration_of_the_listing_as_printed() {
    let run = run(Listing::AS_PRINTED);
    is_worth_a_snapshot(&run);
    insta::assert_snapshot!("iteration_as_printed", text(&run));
}

/// The junk in masked slots, which the listing as printed reads, is nowhere in the equations' run.
#[test]
fn only_the_listing_as_printed_reads_the_padding() {
    let (corrected, printed) = (run(Listing::CORRECTED), run(Listing::AS_PRINTED));
    for slot in [(0, 1), (1, 3)] {
        assert_eq!(corrected.targets.ret[slot].to_bits(), 0);
        assert_ne!(printed.targets.ret[slot], 0.0);
    }
    assert_ne!(corrected.epochs[0].losses.total, printed.epochs[0].losses.total);
}
