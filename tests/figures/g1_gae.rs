//! G1: rewards, advantages and returns of two short rows at γ = .9, λ = .8, β = .1.

use crate::{
    fixtures::{K3, g1, g1_adv, g1_settings},
    printed::{exactly, exactly_row, printed, printed_row},
};
use nalgebra::{DMatrix, DVector};
use reference::{
    Ends, Gap, Mask, ScoreAt, Settings,
    gae::gae,
    step::{Rollout, rollout_phase},
};

#[test]
fn the_rewards_with_k1_are_minus_beta_k1_and_the_score_at_the_last_token() {
    let r = rollout_phase(&g1(), &g1_settings()).token_rewards;
    exactly_row(r.row(0).iter(), &[-0.01, 0.02, -0.03, 0.995, 0.0, 0.0]);
    exactly_row(r.row(1).iter(), &[-0.02, -0.01, 0.0, 0.0, 0.01, -0.54]);
}

#[test]
fn the_rewards_with_k3_are_never_above_the_score() {
    let r = rollout_phase(&g1(), &Settings { kl: K3, ..g1_settings() }).token_rewards;
    printed_row(r.row(0).iter(), "-.0005 -.0021 -.0041 .9999 _ _");
    printed_row(r.row(1).iter(), "-.0019 -.0005 _ _ -.0005 -.5070");
}

#[test]
fn a_gap_that_is_skipped_is_not_there() {
    let adv = g1_adv(Gap::Skip);
    printed_row(adv.row(0).iter(), ".2581 .5251 .3404 .6950 _ _");
    printed_row(adv.row(1).iter(), "-.0312 -.6405 _ _ -.4938 -1.2900");
}

/// The tail term of the second token of row B decays twice more: −.51 + .72² · (.225 − .3555).
#[test]
fn a_gap_that_decays_costs_gamma_lambda_a_token() {
    let adv = g1_adv(Gap::Decay);
    printed_row(adv.row(0).iter(), ".2581 .5251 .3404 .6950 _ _");
    printed_row(adv.row(1).iter(), ".0141 -.5777 _ _ -.4938 -1.2900");
    printed(-0.51 + 0.72 * 0.72 * (0.225 - 0.3555), "-.5777");
}

#[test]
fn a_gap_that_cuts_ends_the_episode() {
    let adv = g1_adv(Gap::Cut);
    printed_row(adv.row(0).iter(), ".2581 .5251 .3404 .6950 _ _");
    printed_row(adv.row(1).iter(), ".0628 -.5100 _ _ -.4938 -1.2900");
}

/// TRL's p1: the decision process is one step longer, and the pad's value is what the score is measured
/// against.
#[test]
fn a_score_on_the_first_pad_makes_the_row_one_step_longer() {
    let targets =
        rollout_phase(&g1(), &Settings { score_at: ScoreAt::FirstPad, whitening: None, ..g1_settings() });
    exactly_row(targets.token_rewards.row(0).iter(), &[-0.01, 0.02, -0.03, -0.005, 1.0, 0.0]);
    printed_row(targets.adv_raw.row(0).iter(), ".8187 1.3037 1.4218 2.1970 -8.9 _");
    exactly(targets.adv_raw[(0, 4)], -8.9);
    // Its return is the score: −8.9 + 9.9. The policy loss does not see the slot.
    printed_row(targets.ret.row(0).iter().skip(4), "1.000 _");
    printed_row(targets.adv.row(0).iter(), ".8187 1.3037 1.4218 2.1970 _ _");
}

/// p1 is a slot of the critic alone: statistics are those of the tokens, (5.7412 − 2.4555) / 8.
#[test]
fn the_first_pad_is_not_whitened() {
    let got = rollout_phase(&g1(), &Settings { score_at: ScoreAt::FirstPad, ..g1_settings() });
    let (mean, _) = got.whitened.unwrap();
    assert!((mean - (5.7412 - 2.4555) / 8.0).abs() < 1e-4, "{mean}");
    assert_eq!(got.adv[(0, 4)], 0.0);
}

/// The bug of ROLL #447 and verl #50: rewards are masked, values are not, and the junk in padding reaches
/// the tokens before it.
#[test]
fn values_that_are_not_masked_reach_the_tokens_before_them() {
    let r = rollout_phase(&g1(), &g1_settings()).token_rewards;
    let (all, ends, lambda) = (Mask::full(2, 6), Ends::stop(2, 6), DVector::from_element(2, 0.8));
    let adv = gae(&r, &g1().v_old, &all, &ends, Gap::Skip, 0.9, &lambda);
    printed_row(adv.row(0).iter().take(4), ".5507 .9316 .9049 1.4791");
    printed_row(adv.row(1).iter().take(2), ".2365 -.2688");
}

#[test]
fn the_returns_are_the_raw_advantages_plus_the_values() {
    let ret = rollout_phase(&g1(), &g1_settings()).ret;
    printed_row(ret.row(0).iter(), ".4581 .6251 .7404 .9950 _ _");
    printed_row(ret.row(1).iter(), "-.0312 -.1405 _ _ -.2438 -.5400");
}

/// The junk is junk: other junk, a NaN among it, gives the same bits.
#[test]
fn other_junk_in_masked_slots_gives_the_same_bits() {
    let mut other = g1();
    for slot in [(0, 4), (0, 5), (1, 2), (1, 3)] {
        other.v_old[slot] = f64::NAN;
        other.logp_old[slot] = f64::INFINITY;
        other.logp_ref.as_mut().unwrap()[slot] = 1e30;
    }
    let bits = |x: &DMatrix<f64>| x.iter().map(|x| x.to_bits()).collect::<Vec<u64>>();
    for gap in [Gap::Skip, Gap::Decay, Gap::Cut] {
        let settings = Settings { gap, ..g1_settings() };
        let (got, want) = (rollout_phase(&other, &settings), rollout_phase(&g1(), &settings));
        assert_eq!(bits(&got.adv), bits(&want.adv), "{gap:?}");
        assert_eq!(bits(&got.ret), bits(&want.ret), "{gap:?}");
    }
}

/// open-instruct's packed form cuts after a masked token, whose V the token before it has read: no convention of
/// [`Gap`], so it is written out here.
#[test]
fn a_cut_after_the_first_gap_token_reads_v_of_a_masked_one() {
    let Rollout { mask, v_old, .. } = g1();
    let r = rollout_phase(&g1(), &g1_settings()).token_rewards;
    let mut adv = [0.0; 6];
    let (mut v_next, mut carry) = (0.0, 0.0);
    for t in (0..6).rev() {
        let m = if mask.has((1, t)) { 1.0 } else { 0.0 };
        let (gamma, lambda) = (0.9, 0.8);
        carry = r[(1, t)] + gamma * v_next * m - v_old[(1, t)] + gamma * lambda * m * carry;
        (adv[t], v_next) = (carry, v_old[(1, t)]);
    }
    printed_row(adv.iter(), ".4905 .0840 -3.3 2.2 -.4938 -1.29");
}
