//! Choices of trainers: recognised where the file leaves them open, and held to where it states them.

use crate::scene::{Scene, followed};
use conformance::check::{choices::CHOICES, compare::Verdict};

/// A file whose output was made by `key = value`, stating nothing of it.
fn made_by(scene: &Scene, key: &str, value: &str, output: &str) -> Option<Scene> {
    let stated = scene.clone().says(key, value);
    let numbers = stated.step(|step, s| step.output(output, s))?;
    Some(scene.clone().with(output, &numbers))
}

/// Values that nothing in the scene can show: no ratio, KL or score is as large; the
/// signed fraction counts what the effective one does; a token mean has no rows,
/// `terminated` is no `dones`, and one file is one rank.
const SILENT: &[(&str, &str)] = &[
    ("kl_clamp_in", "20"),
    ("kl_clamp_out", "10"),
    ("score_clip", "5"),
    ("score_clip", "10"),
    ("log_ratio_clamp", "20"),
    ("clip_ratio_c", "10"),
    ("clipfrac", "signed"),
    ("count_empty_rows", "true"),
    ("done_at", "next-start"),
    ("ppo_kl_of", "clamped"),
    ("whiten_over", "rank"),
];

/// Settings that the scene states, or that are no choice but a mistake.
const STATED: &[&str] = &["listing", "gamma", "lam", "kl_coef", "eps"];

#[test]
fn every_choice_is_recognised_from_some_output_that_it_makes() {
    let scene = Scene::rich().says("eps", "0.5").unsays("clip_ratio_c");
    for choice in CHOICES.iter().filter(|choice| !STATED.contains(&choice.key)) {
        let used = scene.open(|dump| dump.choose(&[]).unwrap().setting(choice.key).unwrap().value.clone());
        for value in choice.values.iter().filter(|value| value.value != used) {
            let said = format!("{} = {}", choice.key, value.value);
            let tried = choice
                .of
                .iter()
                .filter_map(|output| Some(made_by(&scene, choice.key, value.value, output)?.finding(output)));
            let findings: Vec<_> = tried.collect();
            let silent = findings.iter().all(|finding| finding.compared.verdict == Verdict::Passed);
            assert_eq!(silent, SILENT.contains(&(choice.key, value.value)), "{said}");
            let recognised = |fits: Vec<Vec<String>>| fits.contains(&vec![said.clone()]);
            let wrong = value.deviation;
            let open =
                findings.iter().any(|finding| finding.failed() == wrong && recognised(followed(finding)));
            assert!(open || silent, "{said}: {findings:?}");
        }
    }
}

/// The advantages before whitening are not in the file, so what they were made by shows in the whitened ones.
#[test]
fn a_choice_is_recognised_from_a_later_output_where_its_own_is_not_in_the_file() {
    let later = made_by(&Scene::rich(), "gap", "decay", "whitened").unwrap();
    assert_eq!(followed(&later.finding("whitened")), [["gap = decay"]]);
    let raw = Scene::rich().step(|step, s| step.output("advantages_raw", s)).unwrap();
    let finding = later.with("advantages_raw", &raw).finding("whitened");
    assert!(finding.failed() && finding.fits.is_empty(), "{:?}", finding.fits);
}

#[test]
fn a_choice_that_is_stated_is_a_claim() {
    let scene = Scene::rich();
    let decays = made_by(&scene, "gap", "decay", "advantages_raw").unwrap();
    let open = decays.finding("advantages_raw");
    assert!(!open.failed());
    assert_eq!(followed(&open), [["gap = decay"]]);
    let claimed = decays.says("gap", "skip").finding("advantages_raw");
    assert!(claimed.failed());
    assert!(claimed.fits.iter().all(|fit| fit.against_the_stated));
    assert_eq!(followed(&claimed), [["gap = decay"]]);
}

#[test]
fn a_departure_of_the_post_is_a_mistake_even_where_nothing_is_stated() {
    let scene = Scene::rich().says("cliprange", "0.1").says("cliprange_value", "0.5");
    let departures = [
        ("unmasked", "advantages_raw"),
        ("unmasked", "whitened"),
        ("unmasked", "pg_loss"),
        ("shared-clip-radius", "vf_loss"),
        ("unshaped-reward", "token_rewards"),
    ];
    for (departure, output) in departures {
        let finding = made_by(&scene, "listing", departure, output).unwrap().finding(output);
        assert!(finding.failed(), "{departure} in {output}: {:?}", finding.fits);
        // Another value than the stated one may have the same numbers, and is said after it.
        let followed = followed(&finding);
        assert_eq!(followed[0], [format!("listing = {departure}")], "{output}");
        let mut others = finding.fits.iter().filter(|fit| fit.mistakes.is_empty()).skip(1);
        assert!(others.all(|fit| fit.against_the_stated), "{output}: {followed:?}");
    }
}
