//! Methods that the reference lacks: said by the words of a configuration, and by their numbers.

use crate::scene::Scene;
use conformance::check::not_covered::{by_settings, formulas};
use std::collections::BTreeMap;

fn said(key: &str, value: &str) -> Vec<&'static str> {
    let metadata = BTreeMap::from([(key.to_owned(), value.to_owned())]);
    by_settings(&metadata).into_iter().map(|(output, _)| output).collect()
}

#[test]
fn a_configuration_s_own_words_name_the_outputs_of_another_method() {
    for (key, value) in [
        ("actor_rollout_ref.actor.policy_loss.loss_mode", "gspo"),
        ("loss_mode", "clip-cov"),
        ("loss_mode", "of-tomorrow"),
        ("policy_loss_type", "gspo"),
        ("loss_type", "cispo"),
        ("importance_sampling_level", "sequence"),
        ("sequence_level_importance_ratios", "True"),
    ] {
        assert!(said(key, value).contains(&"pg_loss"), "{key} {value}");
        assert!(!said(key, value).contains(&"vf_loss"), "{key} {value}");
    }
    assert_eq!(said("loss_critic_type", "smooth_l1"), ["vf_loss", "grad_values"]);
    assert_eq!(said("algorithm.adv_estimator", "grpo"), ["advantages_raw", "returns"]);
    assert!(said("enable_tree_training", "true").contains(&"advantages_raw"));
    for (key, value) in [
        ("loss_mode", "vanilla"),
        ("loss_type", "dr_grpo"),
        ("importance_sampling_level", "token"),
        ("loss_critic_type", "l2"),
        ("adv_estimator", "gae"),
        ("enable_tree_training", "false"),
        ("gamma", "0.9"),
    ] {
        assert_eq!(said(key, value), [""; 0], "{key} {value}");
    }
    let sentence = &by_settings(&BTreeMap::from([("loss_mode".to_owned(), "gspo".to_owned())]))[0].1;
    assert_eq!(sentence, "loss_mode is gspo: GSPO, whose ratio is of a whole sequence");
}

/// By hand: V = (0.5, 3), R = 0, nothing clipped: (0.125 + 2.5) / 2.
#[test]
fn smooth_l1_by_hand() {
    let scene = Scene::default().row("values", &[0.5, 3.0]).row("old_values", &[0.5, 3.0]);
    let scene = scene.row("returns", &[0.0, 0.0]);
    assert_eq!(made(&scene, "SmoothL1", "vf_loss"), [1.3125]);
}

/// By hand: log ratios ln 2 and ln 8, whose mean is ln 4.
#[test]
fn a_sequence_s_ratio_by_hand() {
    let scene = Scene::default().row("log_probs", &[2f64.ln(), 8f64.ln()]).row("old_log_probs", &[0.0, 0.0]);
    for ratio in made(&scene, "GSPO", "ratio") {
        assert!((ratio - 4.0).abs() < 1e-14, "{ratio}");
    }
}

/// By hand: r = 1, V = (0, 2), γ = λ = ½, weights (½, ½): δ = (½ (1 + 1), ½ (1 − 2)), and a quarter of a half is carried.
#[test]
fn weighted_residuals_by_hand() {
    let scene = Scene::default().row("rewards", &[1.0, 1.0]).row("old_values", &[0.0, 2.0]);
    let scene = scene.row("rollout_is_weights", &[0.5, 0.5]).says("gamma", "0.5").says("lam", "0.5");
    assert_eq!(made(&scene, "ImportanceWeightedResidual", "advantages_raw"), [1.0 - 0.0625, -0.5]);
}

fn made(scene: &Scene, name: &str, of: &str) -> Vec<f64> {
    use conformance::check::step::Numbers;
    let formula = formulas().find(|bug| (bug.name, bug.of) == (name, of)).unwrap();
    assert!(!formula.is_mistake());
    match scene.step(|step, s| (formula.make)(step, s)).unwrap() {
        Numbers::Scalar(x) => vec![x.value],
        Numbers::PerToken(grid) => grid.iter().map(|x| x.value).collect(),
        Numbers::Logits(_) => panic!("{name} is no gradient of logits"),
    }
}
