//! Mistakes as somebody's trainer makes them, each written here as a plain loop: no code of ours made these numbers.

use crate::scene::{Scene, followed, named};
use conformance::check::{Finding, compare::Verdict};

const GAMMA: f64 = 0.9;
const LAMBDA: f64 = 0.8;

/// Three rows of four, two of them padded, with a KL at every slot; nothing is stated but γ, λ and β_kl.
fn padded() -> Scene {
    Scene::default()
        .tensor("response_mask", &[3, 4], &[1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0])
        .tensor("scores", &[3], &[1.5, -0.75, 2.25])
        .tensor("old_values", &[3, 4], &V.concat())
        .tensor("old_log_probs", &[3, 4], &LOGP.concat())
        .tensor("ref_log_probs", &[3, 4], &[-1.0; 12])
        .says("gamma", "0.9")
        .says("lam", "0.8")
        .says("kl_coef", "0.1")
}

const ENDS: [usize; 3] = [2, 4, 3];
const SCORES: [f64; 3] = [1.5, -0.75, 2.25];
const V: [[f64; 4]; 3] = [[0.25, -0.5, 4.0, 2.0], [0.75, 0.125, -0.25, 0.5], [1.0, 0.625, -1.5, 3.0]];
const LOGP: [[f64; 4]; 3] =
    [[-1.25, -0.5, -0.75, -2.0], [-0.875, -1.5, -0.25, -1.75], [-1.125, -0.625, -2.0, -1.5]];

/// Rewards with the score where `slot` says, times that, and β KL taken off; 0 in masked slots.
fn rewards(times: f64, beta: f64, slot: impl Fn(usize) -> usize) -> Vec<f64> {
    let reward = |(row, t): (usize, usize)| {
        let score = if slot(row) == t { times * SCORES[row] } else { 0.0 };
        if t < ENDS[row] { score - beta * (LOGP[row][t] + 1.0) } else { 0.0 }
    };
    (0..12).map(|i| reward((i / 4, i % 4))).collect()
}

fn last(row: usize) -> usize {
    ENDS[row] - 1
}

/// Â back from each row's end by δ of the slot.
fn advantages(delta: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut all = vec![0.0; 12];
    for row in 0..3 {
        let mut carry = 0.0;
        for t in (0..ENDS[row]).rev() {
            carry = delta(row, t) + GAMMA * LAMBDA * carry;
            all[row * 4 + t] = carry;
        }
    }
    all
}

/// V of a slot, 0 beyond its row.
fn v(row: usize, t: usize) -> f64 {
    if t < ENDS[row] { V[row][t] } else { 0.0 }
}

fn only(finding: &Finding, name: &str) {
    assert_eq!(finding.compared.verdict, Verdict::Failed, "{name}");
    let changes = finding.fits.iter().map(|fit| fit.mistakes.len() + fit.changed.len() + fit.numbers.len());
    assert_eq!((named(finding), changes.collect::<Vec<_>>()), (vec![name], vec![1]), "{:?}", finding.fits);
}

#[test]
fn these_loops_without_a_mistake_are_right() {
    let right = rewards(1.0, 0.1, last);
    let delta = |row: usize, t: usize| right[row * 4 + t] + GAMMA * v(row, t + 1) - v(row, t);
    let adv = advantages(delta);
    let ret: Vec<f64> = adv.iter().enumerate().map(|(i, adv)| adv + v(i / 4, i % 4)).collect();
    let file = padded().tensor("token_rewards", &[3, 4], &right).tensor("advantages_raw", &[3, 4], &adv);
    for finding in file.tensor("returns", &[3, 4], &ret).report().findings {
        assert_eq!(finding.compared.verdict, Verdict::Passed, "{finding:?}");
    }
}

#[test]
fn a_score_in_the_last_column_that_is_masked_away() {
    let lost = padded().tensor("token_rewards", &[3, 4], &rewards(1.0, 0.1, |_| 3));
    let finding = lost.finding("token_rewards");
    assert!(finding.failed());
    assert_eq!(named(&finding), ["ScoreInTheLastColumn"], "{:?}", finding.fits);
    // Without any mask the last column is where a row ends: the same mistake by its other name.
    assert_eq!(followed(&finding), [["listing = unmasked"]]);
}

/// TRL's slot, where the file has the score.
#[test]
fn a_score_in_the_first_pad_is_still_a_convention() {
    let mut paid = rewards(1.0, 0.1, |row| ENDS[row].min(3));
    paid[2] = SCORES[0];
    paid[2 * 4 + 3] = SCORES[2];
    let finding = padded().tensor("token_rewards", &[3, 4], &paid).finding("token_rewards");
    assert!(!finding.failed());
    assert!(followed(&finding).contains(&vec!["score_at = first-pad".to_owned()]), "{:?}", finding.fits);
    assert!(!named(&finding).contains(&"ScoreInTheLastColumn"));
}

#[test]
fn a_score_times_some_number() {
    for times in [0.5, 0.731_234_567, 10.0] {
        let scaled = padded().tensor("token_rewards", &[3, 4], &rewards(times, 0.1, last));
        let finding = scaled.finding("token_rewards");
        assert!(!finding.failed(), "a convention of trainers");
        only(&finding, "scaled-score");
    }
    // Turned, it is nobody's choice.
    let turned =
        padded().tensor("token_rewards", &[3, 4], &rewards(-1.0, 0.1, last)).finding("token_rewards");
    assert!(turned.failed() && !named(&turned).contains(&"scaled-score"), "{:?}", turned.fits);
}

#[test]
fn a_kl_that_is_added_by_a_coefficient_that_nobody_states() {
    for beta in [0.2, 0.1, 0.037_5, 0.412_345_67] {
        let added = padded().unsays("kl_coef").tensor("token_rewards", &[3, 4], &rewards(1.0, -beta, last));
        let finding = added.finding("token_rewards");
        assert!(finding.failed());
        only(&finding, "KlAdded");
    }
}

#[test]
fn a_coefficient_that_is_stated_with_the_other_sign_is_a_departure() {
    let file = padded().says("kl_coef", "-0.2").tensor("token_rewards", &[3, 4], &rewards(1.0, -0.2, last));
    let report = file.report();
    assert_eq!(report.departures, ["kl_coef is -0.2 by the metadata: its term has the other sign"]);
    assert!(padded().says("kl_coef", "0").tensor("kl", &[3, 4], &[0.0; 12]).report().departures.is_empty());
}

#[test]
fn values_that_are_shifted_to_the_right() {
    let right = rewards(1.0, 0.1, last);
    let starts: [fn(usize) -> f64; 3] = [|_| 0.0, |row| V[row][0], |row| V[row][ENDS[row] - 1]];
    for start in starts {
        let before = |row: usize, t: usize| if t == 0 { start(row) } else { V[row][t - 1] };
        let next = |row: usize, t: usize| if t + 1 < ENDS[row] { V[row][t] } else { 0.0 };
        let adv = advantages(|row, t| right[row * 4 + t] + GAMMA * next(row, t) - before(row, t));
        let finding = padded().tensor("advantages_raw", &[3, 4], &adv).finding("advantages_raw");
        assert!(finding.failed());
        only(&finding, "ValueOneLate");
    }
}

#[test]
fn values_that_are_shifted_where_the_returns_are_made() {
    let right = rewards(1.0, 0.1, last);
    let adv = advantages(|row, t| right[row * 4 + t] + GAMMA * v(row, t + 1) - v(row, t));
    let shifted = |by: &dyn Fn(usize, usize) -> f64| {
        let ret: Vec<f64> = adv.iter().enumerate().map(|(i, adv)| adv + by(i / 4, i % 4)).collect();
        padded().tensor("advantages_raw", &[3, 4], &adv).tensor("returns", &[3, 4], &ret).finding("returns")
    };
    only(&shifted(&|row, t| v(row, t + 1)), "ValueOneEarly");
    only(&shifted(&|row, t| if t == 0 { 0.0 } else { V[row][t - 1] }), "ValueOneLate");
}

#[test]
fn a_residual_without_the_next_value() {
    let right = rewards(1.0, 0.1, last);
    let adv = advantages(|row, t| right[row * 4 + t] - V[row][t]);
    let finding = padded().tensor("advantages_raw", &[3, 4], &adv).finding("advantages_raw");
    assert!(finding.failed());
    only(&finding, "NextValueForgotten");
}

/// Two tokens and one of padding, whose id is 0; three words.
#[test]
fn the_next_token_s_log_prob() {
    let logits: [[f64; 3]; 3] = [[0.5, -0.25, 1.0], [2.0, 0.0, -1.5], [0.25, 0.5, 0.75]];
    let ids = [1, 2, 0];
    let logp = |t: usize, id: usize| logits[t][id] - logits[t].iter().map(|z| z.exp()).sum::<f64>().ln();
    let scene = Scene::default()
        .row("response_mask", &[1.0, 1.0, 0.0])
        .tensor("logits", &[1, 3, 3], &logits.concat())
        .row("actions", &ids.map(|id| id as f64));
    let right = scene.clone().row("log_probs", &[logp(0, 1), logp(1, 2), 0.0]);
    assert_eq!(right.finding("log_probs").compared.verdict, Verdict::Passed);
    // The label of the last token is the padding's id, or none.
    for after_the_last in [logp(1, 0), 0.0] {
        let wrong = scene.clone().row("log_probs", &[logp(0, 2), after_the_last, 0.0]).finding("log_probs");
        assert!(wrong.failed());
        only(&wrong, "NextTokenGathered");
    }
}
