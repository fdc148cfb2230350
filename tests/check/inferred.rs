//! What is said of a file as a whole: the choices that its numbers have made, those that they leave open, and what one
//! output settles for the next.

use crate::scene::{Scene, followed};
use conformance::{
    check::{Fit, Report, bugs::bugs, compare::Verdict},
    outputs::{GRAD_LOGITS, OUTPUTS},
};
use std::path::Path;

fn in_use<'r>(report: &'r Report, key: &str) -> Option<&'r str> {
    report.in_use.iter().find(|of| of.key == key).map(|of| of.value.as_str())
}

fn open(report: &Report, key: &str) -> Option<Vec<String>> {
    report.open.iter().find(|open| open.choice.key == key).map(|open| open.values.clone())
}

/// Every output of a scene under these settings, and nothing said of them.
fn silent(settings: &[(&str, &str)]) -> Scene {
    let made = settings.iter().fold(Scene::rich(), |scene, (key, value)| scene.says(key, value)).complete();
    settings.iter().fold(made, |scene, (key, _)| scene.unsays(key))
}

#[test]
fn the_choices_that_the_numbers_have_made_are_said() {
    let report = silent(&[("gap", "decay"), ("vf_half", "true"), ("variance", "population")]).report();
    assert!(report.findings.iter().all(|finding| !finding.failed()));
    let said = ["gap", "vf_half", "variance", "eps_at", "value_clip_form", "loss_agg_mode"];
    assert_eq!(
        said.map(|key| in_use(&report, key)),
        ["decay", "true", "population", "std", "max", "token-mean"].map(Some)
    );
    assert!(said.iter().all(|key| open(&report, key).is_none()));
}

#[test]
fn a_choice_that_no_number_tells_apart_is_left_open_with_the_input_that_would() {
    let report = Scene::rich().complete().report();
    // No |log ρ| is near 20.
    assert_eq!(open(&report, "log_ratio_clamp"), Some(vec!["off".to_owned(), "20".to_owned()]));
    assert_eq!(in_use(&report, "log_ratio_clamp"), None);
    let left = report.open.iter().find(|open| open.choice.key == "log_ratio_clamp").unwrap();
    assert!(!left.choice.tells.is_empty());
}

/// Nothing in the file is made by a variance, so there is nothing to infer of it.
#[test]
fn a_default_that_no_output_of_the_file_is_made_by_is_no_inference() {
    let scene = Scene::rich();
    let kl = scene.step(|step, s| step.output("kl", s)).unwrap();
    let report = scene.with("kl", &kl).report();
    assert!(in_use(&report, "variance").is_none() && open(&report, "variance").is_none());
    assert_eq!(in_use(&report, "kl_estimator"), Some("k1"));
}

/// The first pad is paid, and so every later output of the critic has one slot more.
#[test]
fn what_one_output_settles_holds_for_the_next() {
    let report = silent(&[("score_at", "first-pad")]).report();
    for finding in &report.findings {
        assert!(!finding.failed(), "{}: {:?}", finding.output, finding.fits);
        if finding.compared.verdict == Verdict::Failed {
            assert_eq!(followed(finding), [["score_at = first-pad"]], "{}", finding.output);
        }
    }
    assert_eq!(in_use(&report, "score_at"), Some("first-pad"));
}

/// ½ stands before the loss and not before its gradient.
#[test]
fn one_choice_at_two_values_in_one_file_is_said() {
    let half = Scene::rich().says("vf_half", "true");
    let loss = half.step(|step, s| step.output("vf_loss", s)).unwrap();
    let report = Scene::rich().complete().with("vf_loss", &loss).report();
    assert!(report.contradictions[0].contains("vf_half = true"), "{:?}", report.contradictions);
    assert!(report.contradictions[0].contains("grad_values"), "{:?}", report.contradictions);
}

/// The clip is off in the loss, which two mistakes would have the numbers of, and in its gradient.
#[test]
fn what_explains_several_outputs_is_told_from_what_explains_one() {
    let off = Scene::rich().says("value_clip_form", "off").complete().unsays("value_clip_form");
    let report = off.report();
    let of = |name: &str| report.findings.iter().find(|finding| finding.output == name).unwrap();
    assert_eq!(of("vf_loss").fits.len(), 1, "{:?}", of("vf_loss").fits);
    assert_eq!(followed(of("vf_loss")), [["value_clip_form = off"]]);
    assert_eq!(followed(of("grad_values")), [["value_clip_form = off"]]);
}

#[test]
fn masked_slots_of_an_output_are_counted_and_not_judged() {
    let scene = Scene::rich();
    let conformance::check::step::Numbers::PerToken(kl) = scene.step(|step, s| step.output("kl", s)).unwrap()
    else {
        panic!("a KL is per token")
    };
    let mut x: Vec<f64> = kl.transpose().iter().map(|x| x.value).collect();
    (x[2], x[3], x[31]) = (f64::NAN, 1.0, -2.0);
    let report = scene.tensor("kl", &[4, 8], &x).report();
    assert!(!report.findings[0].failed());
    assert_eq!(report.masked, [("kl", 3, 15)]);
}

#[test]
fn a_term_is_compared_in_the_precision_of_its_own_tensors() {
    use conformance::budget::Precision;
    let report = Scene::rich().complete().stores_f32("logits").report();
    let p = |name: &str| report.findings.iter().find(|finding| finding.output == name).unwrap().p;
    assert_eq!(p("log_probs"), Precision::F32);
    assert_eq!(p("entropy"), Precision::F32);
    assert_eq!(["kl", "returns", "pg_loss", "vf_loss"].map(p), [Precision::F64; 4]);
}

/// Each output names the page that its function names.
#[test]
fn the_page_of_an_output_is_the_one_of_its_function() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for output in OUTPUTS.iter().chain([&GRAD_LOGITS]) {
        let module = output.function.split_once("::").unwrap().0;
        let text = std::fs::read_to_string(root.join(format!("reference/src/{module}.rs"))).unwrap();
        let named = text.contains(&format!("Book: `{}`", output.page()));
        assert!(named || module == "step", "{}: {}", output.name, output.page());
    }
}

/// Rows of unequal length and none empty: what is divided by all slots is a mean that trainers take too. Where another
/// loss of the file is the mean over tokens it is none of theirs; where none is there, or all are alike, it may be.
#[test]
fn a_convention_that_another_output_speaks_against_is_none() {
    let mask = [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    let right = Scene::sized(3, 4).tensor("response_mask", &[3, 4], &mask).complete();
    let by_padding = |file: Scene, of: &str| {
        let bug = bugs().find(|bug| bug.name == "MeanOverPadding" && bug.of == of).unwrap();
        let numbers = file.step(|step, s| (bug.make)(step, s)).unwrap();
        file.with(of, &numbers)
    };
    let one = by_padding(right.clone(), "entropy_loss");
    let finding = one.finding("entropy_loss");
    assert!(finding.failed() && finding.fits.iter().all(Fit::is_wrong), "{:?}", finding.fits);

    let losses = ["pg_loss", "vf_loss", "entropy_loss", "kl_loss"];
    let beside = losses.iter().filter(|name| **name != "entropy_loss");
    let alone =
        beside.fold(one.without("grad_log_probs").without("grad_values"), |file, name| file.without(name));
    let all = losses
        .iter()
        .fold(right.without("grad_log_probs").without("grad_values"), |file, name| by_padding(file, name));
    let finding = alone.finding("entropy_loss");
    assert!(!finding.failed() && finding.fits.iter().any(Fit::is_wrong), "{:?}", finding.fits);
    assert!(losses.iter().all(|name| !all.finding(name).failed()));
}
