//! The errata of the post, rows S18, S21 and S22: the inner epochs, what they cost and their one norm.
//!
//! S19 (how old and new log-probs are made alike) and S20 (how many epochs are usual) are matters of fact
//! and have no test.

use crate::{
    fixtures::g1_settings,
    printed::{exactly, printed},
};
use nalgebra::{DMatrix, RowDVector, dmatrix};
use reference::{
    Ends, Mask, Settings,
    adam::{AdamSettings, AdamState},
    cost::{Critic, ReferenceModel, cost},
    grad_norm::{clip_grad_norm, grad_norm},
    iteration::{ActorCritic, Batch, Epoch, Inner, NormClip, iteration},
    step::{Rollout, Targets, losses, rollout_phase},
    two_heads::TwoHeads,
};

const ADAM: AdamSettings =
    AdamSettings { lr: 0.05, beta1: 0.9, beta2: 0.999, eps_adam: 1e-8, weight_decay: 0.0 };

/// Two rows of three tokens over five words, three hidden dimensions, a pad in the second row.
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

fn run(model: &mut TwoHeads, scale: f64, epochs: usize) -> (Rollout, Targets, Vec<Epoch>) {
    run_with(model, scale, epochs, NormClip::Joint)
}

fn run_with(
    model: &mut TwoHeads,
    scale: f64,
    epochs: usize,
    norm_clip: NormClip,
) -> (Rollout, Targets, Vec<Epoch>) {
    let batch = Batch {
        mask: model.mask.clone(),
        actions: dmatrix![0, 3, 1; 4, 2, 0],
        scores: dmatrix![1.0; -0.5] * scale,
        logp_ref: None,
        ends: Ends::stop(2, 3),
    };
    let mut optimizer: Vec<AdamState> =
        model.parameters().iter().map(|theta| AdamState::new(theta.shape())).collect();
    let inner = Inner { epochs, max_norm: 1.0, norm_clip, adam: ADAM };
    iteration(model, &mut optimizer, &batch, &settings(), &inner)
}

fn settings() -> Settings {
    Settings { beta_kl: 0.0, ..g1_settings() }
}

/// S18: A is computed once and frozen. However V moves in the inner epochs, every one of them uses the
/// first A and R; A from the V of later epochs would be another, and the next rollout's is.
#[test]
fn the_targets_do_not_change_in_the_inner_epochs() {
    let mut model = model();
    let (rollout, targets, epochs) = run(&mut model, 1.0, 4);
    let settings = settings();
    assert_eq!(epochs.len(), 4);
    assert_eq!(epochs[0].now.v, rollout.v_old);
    for epoch in &epochs {
        assert_eq!(losses(&rollout, &targets, &epoch.now, &settings), epoch.losses);
    }
    for pair in epochs.windows(2) {
        assert_ne!(pair[0].now.v, pair[1].now.v, "the critic moves");
        let lurched = Rollout { v_old: pair[1].now.v.clone(), ..rollout.clone() };
        let stale = rollout_phase(&lurched, &settings);
        assert_ne!(stale.adv, targets.adv);
        assert_ne!(losses(&rollout, &stale, &pair[1].now, &settings), pair[1].losses);
    }
    let (_, next, _) = run(&mut model, 1.0, 1);
    assert_ne!(next.adv, targets.adv, "the next rollout's advantages do change");
}

/// S21: 4 · 3 + 2 or 3 units against 3: 4.7 to 5 SFT steps, where the post says "five to six"; a reference
/// model adds one unit, and a separate critic roughly doubles the bill.
#[test]
fn one_iteration_costs_fourteen_to_fifteen_units_against_three() {
    let units = |critic, reference| {
        let cost = cost(1_000_000, 512, 4, reference, critic);
        exactly(cost.flops, (cost.inference_units + cost.training_units) * 2.0 * 512e6);
        (cost.inference_units + cost.training_units, cost.sft_steps)
    };
    let joint = units(Critic::SharedJointPass, ReferenceModel::Without);
    let listing = units(Critic::SharedTwoPasses, ReferenceModel::Without);
    let separate = units(Critic::Separate, ReferenceModel::Without);
    assert_eq!((joint.0, listing.0), (4.0 * 3.0 + 2.0, 4.0 * 3.0 + 3.0));
    printed(joint.1, "4.7");
    exactly(listing.1, 5.0);
    assert_eq!(units(Critic::SharedTwoPasses, ReferenceModel::With).0, 16.0);
    printed(separate.0 / listing.0, "1.8");
}

/// S22: one norm over everything. A value gradient of 100 shrinks the policy's step of .5 to .005, where
/// a clip of the policy alone leaves it whole; a clip of each tensor alone turns the step.
#[test]
fn a_large_value_gradient_shrinks_the_policy_s_step() {
    let (policy, value) = ([dmatrix![0.3], dmatrix![0.4]], dmatrix![100.0]);
    let (joint, norm) = clip_grad_norm(&[policy[0].clone(), policy[1].clone(), value], 1.0);
    printed(norm, "100.001");
    printed(grad_norm(&joint), "1.000");
    printed(grad_norm(&joint[..2]), ".0050");
    let (alone, _) = clip_grad_norm(&policy, 1.0);
    exactly(grad_norm(&alone), 0.5);

    let steep = [dmatrix![3.0], dmatrix![0.5]];
    let (together, _) = clip_grad_norm(&steep, 1.0);
    printed(together[0][0] / together[1][0], "6.000");
    let each: Vec<DMatrix<f64>> =
        steep.iter().flat_map(|g| clip_grad_norm(std::slice::from_ref(g), 1.0).0).collect();
    printed(each[0][0] / each[1][0], "2.000");
}

/// S22, in the loop: whitened advantages do not see the size of the rewards, so the policy's own gradient
/// is the same, but the critic's grows with them and takes the policy's share of the joint norm.
#[test]
fn larger_rewards_shrink_the_policy_s_step_through_the_joint_norm() {
    let [small, large] = [1.0, 1e4].map(|scale| {
        let (_, targets, epochs) = run(&mut model(), scale, 1);
        (targets.adv, epochs[0].grads[0].clone(), grad_norm(&epochs[0].clipped[..1]))
    });
    assert!(large.2 < small.2 / 100.0, "{} for {}", large.2, small.2);
    let unclipped = |(_, grad, _): &(DMatrix<f64>, DMatrix<f64>, f64)| grad_norm(std::slice::from_ref(grad));
    assert!(unclipped(&large) > 0.3 * unclipped(&small), "{} for {}", unclipped(&large), unclipped(&small));
}

/// S22, the other way: with a norm for each, the policy's step does not see the critic's gradient, and each
/// of the two is at its bound or below it.
#[test]
fn separate_norms_leave_the_policy_s_step_to_itself() {
    let [small, large] = [1.0, 1e4].map(|scale| {
        let epoch = run_with(&mut model(), scale, 1, NormClip::Separate).2.remove(0);
        for (clipped, grad) in epoch.clipped.iter().zip(&epoch.grads) {
            assert!(clipped.dot(grad) > 0.0, "a clip shortens and does not turn");
        }
        (grad_norm(&epoch.clipped[..1]), grad_norm(&epoch.grads[1..]), grad_norm(&epoch.clipped[1..]))
    });
    assert!(large.0 > 0.3 * small.0, "{} for {}", large.0, small.0);
    assert!(large.1 > 1e3 * small.1, "the critic's own gradient grows with the rewards");
    printed(large.2, "1.000");
}
