//! Mistakes that a file shows only in what was made of them, and two at once.

use crate::scene::{Scene, named};
use conformance::check::{
    bugs::{Bug, bugs},
    compare::Verdict,
};

/// Outputs without which the later one of a pair is made of the mistake itself.
const MADE_OF: &[(&str, &[&str])] = &[
    ("kl", &["token_rewards"]),
    ("token_rewards", &["advantages_raw"]),
    ("advantages_raw", &["whitened", "returns"]),
    ("whitened", &["grad_log_probs"]),
    ("returns", &["grad_values"]),
    ("ratio", &["grad_log_probs"]),
    ("log_probs", &["ratio"]),
];

/// Inputs beside one output, made with these mistakes.
fn made_with(scene: &Scene, mistakes: &[&'static Bug], output: &str) -> Option<Scene> {
    let numbers = scene.step(|step, s| step.with(mistakes).output(output, s))?;
    Some(scene.clone().with(output, &numbers))
}

fn bug(name: &str, of: &str) -> &'static Bug {
    bugs().find(|bug| bug.name == name && bug.of == of).unwrap()
}

#[test]
fn a_mistake_is_named_from_a_later_output_where_its_own_is_not_in_the_file() {
    let mut named_so = 0;
    for bug in bugs() {
        for later in MADE_OF.iter().filter(|(of, _)| *of == bug.of).flat_map(|(_, later)| *later) {
            let scenes = [Scene::rich(), Scene::square()];
            let findings =
                scenes.iter().filter_map(|scene| Some(made_with(scene, &[bug], later)?.finding(later)));
            for finding in findings.filter(|finding| finding.compared.verdict == Verdict::Failed) {
                assert!(
                    finding.fits.iter().any(|fit| {
                        fit.mistakes.len() == 1
                            && fit.mistakes[0].name == bug.name
                            && fit.mistakes[0].of == bug.of
                    }),
                    "{} in {later}: {:?}",
                    bug.name,
                    named(&finding)
                );
                assert!(finding.fits.iter().all(|fit| fit.mistakes.len() + fit.changed.len() == 1));
                named_so += 1;
            }
        }
    }
    assert!(named_so > 20, "{named_so}");
}

/// The mean of the losses reads returns that the file does not hold.
#[test]
fn a_mistake_is_named_from_a_loss_alone() {
    let from = bug("ReturnsFromWhitened", "returns");
    let finding = made_with(&Scene::rich(), &[from], "vf_loss").unwrap().finding("vf_loss");
    assert!(finding.failed());
    assert_eq!(named(&finding), ["ReturnsFromWhitened"]);
    let early = bug("ValueOneEarly", "advantages_raw");
    let finding = made_with(&Scene::rich(), &[early], "pg_loss").unwrap().finding("pg_loss");
    assert_eq!(named(&finding), ["ValueOneEarly"]);
}

/// In the file the output is what the next term reads, and so no mistake of it explains that term.
#[test]
fn a_mistake_of_an_output_in_the_file_is_no_explanation_of_a_later_one() {
    let from = bug("ReturnsFromWhitened", "returns");
    let scene = Scene::rich();
    let right = scene.step(|step, s| step.output("returns", s)).unwrap();
    let file = made_with(&scene, &[from], "vf_loss").unwrap().with("returns", &right);
    // Some radius has the number, while it is not stated which.
    assert!(file.finding("vf_loss").is_open());
    let finding = file.says("cliprange_value", "0.2").finding("vf_loss");
    assert!(finding.failed() && !named(&finding).contains(&"ReturnsFromWhitened"), "{:?}", named(&finding));
}

#[test]
fn two_mistakes_are_named_together() {
    let pairs = [
        ("advantages_raw", ["LambdaForgotten", "ValueOneEarly"], ["advantages_raw", "advantages_raw"]),
        ("returns", ["ReturnsFromWhitened", "PaddingInTheStatistics"], ["returns", "whitened"]),
        ("grad_values", ["ReturnsFromWhitened", "RewardOneEarly"], ["returns", "advantages_raw"]),
        ("vf_loss", ["SmallerError", "ReturnsAreAdvantages"], ["vf_loss", "returns"]),
    ];
    for (output, names, of) in pairs {
        let pair = [bug(names[0], of[0]), bug(names[1], of[1])];
        let finding = made_with(&Scene::rich(), &pair, output).unwrap().finding(output);
        assert!(finding.failed(), "{names:?} in {output}");
        let has_both = |fit: &conformance::check::Fit| {
            names.iter().all(|name| fit.mistakes.iter().any(|bug| bug.name == *name))
        };
        assert!(finding.fits.iter().any(has_both), "{names:?} in {output}: {:?}", named(&finding));
        assert!(
            finding.fits.iter().all(|fit| fit.mistakes.len() + fit.changed.len() == 2),
            "{:?}",
            finding.fits
        );
    }
}

/// The outer one sees what the inner one made, so which is first matters.
#[test]
fn two_mistakes_of_one_output_compose_in_both_orders() {
    let (ascent, padding) = (bug("Ascent", "pg_loss"), bug("MeanOverPadding", "pg_loss"));
    let scene = Scene::rich();
    for pair in [[ascent, padding], [padding, ascent]] {
        let finding = made_with(&scene, &pair, "pg_loss").unwrap().finding("pg_loss");
        assert_eq!(finding.fits.len(), 1, "{:?}", finding.fits);
        let mut names = named(&finding);
        names.sort_unstable();
        assert_eq!(names, ["Ascent", "MeanOverPadding"]);
    }
    let once = scene.step(|step, s| step.with(&[ascent]).output("pg_loss", s)).unwrap();
    let twice = scene.step(|step, s| step.with(&[ascent, ascent]).output("pg_loss", s)).unwrap();
    let (conformance::check::step::Numbers::Scalar(once), conformance::check::step::Numbers::Scalar(twice)) =
        (once, twice)
    else {
        panic!("a loss is a number")
    };
    assert_eq!(once.value, -twice.value);
}

/// The ratio is upside down, and so is what the loss was made of: one finding.
#[test]
fn a_loss_is_checked_from_the_ratio_of_the_file() {
    let upside_down = bug("RatioUpsideDown", "ratio");
    let scene = made_with(&Scene::rich(), &[upside_down], "ratio").unwrap();
    let scene = scene
        .step(|step, s| step.with(&[upside_down]).output("pg_loss", s))
        .map(|loss| scene.with("pg_loss", &loss))
        .unwrap();
    let report = scene.report();
    let failed: Vec<_> = report.findings.iter().filter(|finding| finding.failed()).collect();
    assert_eq!(failed.iter().map(|finding| finding.output).collect::<Vec<_>>(), ["ratio"]);
    assert_eq!(named(failed[0]), ["RatioUpsideDown"]);
}
