//! Settings at values that no list has: found from the numbers, and a claim where the file states another.

use crate::scene::{Scene, followed, named};
use conformance::check::bugs::bugs;

/// Inputs with one output that these settings made, and nothing said of them.
fn made_by(scene: &Scene, settings: &[(&str, &str)], output: &str) -> Scene {
    let stated = settings.iter().fold(scene.clone(), |scene, (key, value)| scene.says(key, value));
    let numbers = stated.step(|step, s| step.output(output, s)).unwrap();
    settings.iter().fold(scene.clone().with(output, &numbers), |scene, (key, _)| scene.unsays(key))
}

fn scene() -> Scene {
    ["gamma", "lam", "kl_coef", "clip_ratio_c", "entropy_temperature", "eps"]
        .iter()
        .fold(Scene::rich(), |scene, key| scene.unsays(key))
}

#[test]
fn a_number_that_is_in_no_list_is_found_and_passes() {
    let found = [
        ("gamma", "0.97", "advantages_raw"),
        ("lam", "0.93", "advantages_raw"),
        ("lam", "0.9375", "whitened"),
        ("lam_critic", "0.7", "returns"),
        ("kl_coef", "0.037", "token_rewards"),
        ("score_clip", "0.35", "token_rewards"),
        ("eps", "0.003", "whitened"),
        ("cliprange_low", "0.15", "pg_loss"),
        ("cliprange_high", "0.24", "pg_loss"),
        ("cliprange_value", "0.35", "vf_loss"),
        ("vf_coef", "0.3", "total_loss"),
        ("entropy_coef", "0.003", "total_loss"),
        ("temperature", "0.7", "log_probs"),
        ("entropy_temperature", "1.3", "entropy"),
    ];
    for (key, value, output) in found {
        let finding = made_by(&scene(), &[(key, value)], output).finding(output);
        let said = format!("{key} = {value}");
        assert!(!finding.failed(), "{said} in {output}: {finding:?}");
        assert!(
            followed(&finding).contains(&vec![said.clone()]),
            "{said} in {output}: {:?}",
            followed(&finding)
        );
        let silent = finding.compared.verdict == conformance::check::compare::Verdict::Passed;
        assert!(!silent, "{said} does not show in {output}");
    }
}

/// A KL that is added to the reward, an entropy that is added to the loss: the equation at a negative coefficient.
#[test]
fn a_coefficient_of_the_other_sign_is_no_convention() {
    for (key, value, output) in
        [("kl_coef", "-0.2", "token_rewards"), ("entropy_coef", "-0.037", "total_loss")]
    {
        let turned = made_by(&scene(), &[(key, value)], output).finding(output);
        assert!(turned.failed(), "{key} = {value} in {output}: {:?}", turned.fits);
        let mistaken = !named(&turned).is_empty();
        assert!(
            mistaken || followed(&turned).contains(&vec![format!("{key} = {value}")]),
            "{:?}",
            turned.fits
        );
    }
}

#[test]
fn gamma_and_lambda_are_found_together() {
    for output in ["advantages_raw", "returns"] {
        let both = [("gamma", "0.97"), ("lam", "0.93")];
        let finding = made_by(&scene(), &both, output).finding(output);
        assert!(!finding.failed());
        assert_eq!(followed(&finding), [["gamma = 0.97", "lam = 0.93"]], "{output}");
        // And where gaps are decayed besides.
        let three = [both[0], both[1], ("gap", "decay")];
        let finding = made_by(&scene(), &three, output).finding(output);
        assert_eq!(followed(&finding), [["gap = decay", "gamma = 0.97", "lam = 0.93"]], "{output}");
    }
}

#[test]
fn a_number_is_found_beside_a_choice_and_beside_a_mistake() {
    let finding = made_by(&scene(), &[("gamma", "0.97"), ("gap", "decay")], "advantages_raw");
    assert!(
        followed(&finding.finding("advantages_raw"))
            .contains(&vec!["gap = decay".into(), "gamma = 0.97".into()])
    );
    let bug = bugs().find(|bug| bug.name == "ValueOneEarly").unwrap();
    let numbers =
        scene().says("gamma", "0.97").step(|step, s| step.with(&[bug]).output("advantages_raw", s)).unwrap();
    let finding = scene().with("advantages_raw", &numbers).finding("advantages_raw");
    assert!(finding.failed());
    assert_eq!(named(&finding), ["ValueOneEarly"]);
    assert_eq!(
        (finding.fits[0].numbers[0].key, finding.fits[0].numbers[0].value.as_str()),
        ("gamma", "0.97")
    );
}

#[test]
fn a_number_that_the_file_states_otherwise_is_a_departure_that_names_the_one_that_fits() {
    let file = made_by(&scene(), &[("gamma", "0.97")], "advantages_raw").says("gamma", "0.99");
    let finding = file.finding("advantages_raw");
    assert!(finding.failed() && finding.fits.iter().all(|fit| fit.against_the_stated));
    assert_eq!(followed(&finding), [["gamma = 0.97"]]);
}

/// A loss that is off by some factor is met by some coefficient: the one that meets it is no short decimal.
#[test]
fn not_every_number_is_explained_by_some_value() {
    let scene = scene();
    let loss = scene.step(|step, s| step.output("total_loss", s)).unwrap();
    let conformance::check::step::Numbers::Scalar(loss) = loss else { panic!("a loss is a number") };
    for factor in [1.012_345_678_9, 0.973_214_653] {
        // In f32 a decimal of seven digits would meet it.
        let scene = scene.clone().says("entropy_coef", "0.01").says("kl_loss_coef", "0");
        let file = scene.tensor("total_loss", &[], &[factor * loss.value]);
        for file in [file.clone().stores_f32("total_loss"), file] {
            let finding = file.finding("total_loss");
            assert!(finding.failed() && finding.fits.is_empty(), "{:?}", finding.fits);
        }
    }
}
