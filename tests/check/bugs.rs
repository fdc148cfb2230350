//! Every known mistake is named from a file that has it.

use crate::scene::{Scene, followed, named};
use conformance::{
    check::{bugs::bugs, compare::Verdict, step::Numbers},
    dump::Inputs,
    outputs::OUTPUTS,
};

/// Mistakes whose numbers are those of a choice or of another mistake, whatever the inputs, each with why.
const ALIKE: &[(&str, &str)] = &[
    (
        "ClipAroundTheReturns",
        "|clip(V − R)| is at most |V − R|, so the larger error is the unclipped one: off too",
    ),
    ("OldValuesRecomputed", "a clip that never bites is no clip: value_clip_form = off has its numbers"),
];

#[test]
fn every_mistake_is_named_from_a_file_that_is_right_otherwise() {
    for bug in bugs() {
        let scenes = [Scene::rich(), Scene::square()];
        let with = |scene: &Scene| {
            let numbers = scene.step(|step, s| (bug.make)(step, s))?;
            let finding = scene.complete().with(bug.of, &numbers).finding(bug.of);
            (finding.compared.verdict == Verdict::Failed).then_some(finding)
        };
        let finding = scenes.iter().find_map(with).unwrap_or_else(|| panic!("{} has no scene", bug.name));
        let alike = ALIKE.iter().any(|(name, _)| *name == bug.name);
        assert_eq!(
            finding.failed(),
            !alike && bug.is_mistake(),
            "{} of {}: {:?}",
            bug.name,
            bug.of,
            finding.fits
        );
        assert!(named(&finding).contains(&bug.name), "{} of {}: {:?}", bug.name, bug.of, finding.fits);
        if !alike {
            assert_eq!(named(&finding), [bug.name], "of {}", bug.of);
            // Masked slots that are read and hold 0 are the same mistake as a mean over them.
            assert!(
                followed(&finding).iter().all(|fit| *fit == ["listing = unmasked"]),
                "{}: {:?}",
                bug.name,
                finding.fits
            );
        }
    }
}

#[test]
fn no_mistake_is_named_where_there_is_none() {
    for scene in [Scene::rich(), Scene::square()] {
        let report = scene.complete().report();
        assert_eq!((report.findings.len(), report.skipped.len()), (OUTPUTS.len(), 0));
        for finding in &report.findings {
            assert_eq!(finding.compared.verdict, Verdict::Passed, "{}", finding.output);
        }
    }
}

/// The mistake is in `returns`, and the value loss is right for the returns of the file.
#[test]
fn one_mistake_is_one_finding() {
    let scene = Scene::rich();
    let bug = bugs().find(|bug| bug.name == "ReturnsFromWhitened").unwrap();
    let numbers = scene.step(|step, s| (bug.make)(step, s)).unwrap();
    let wrong = scene.with("returns", &numbers);
    let Numbers::PerToken(returns) = numbers else { panic!("returns are per token") };
    let loss = wrong.step(|step, s| {
        let Inputs { values: Some(v), old_values: Some(v_old), value_mask, .. } = &*step.inputs else {
            panic!()
        };
        let ret = returns.map(|x| x.value);
        reference::value_loss::value_loss(v, v_old, &ret, value_mask, s.eps_v, s.value_clip, s.agg, s.half)
            .loss
    });
    let report = wrong.tensor("vf_loss", &[], &[loss]).report();
    let failed: Vec<_> = report.findings.iter().filter(|finding| finding.failed()).collect();
    assert_eq!(failed.iter().map(|finding| finding.output).collect::<Vec<_>>(), ["returns"]);
    assert_eq!(named(failed[0]), ["ReturnsFromWhitened"]);
}

/// A mistake beside a choice that the file leaves open.
#[test]
fn a_mistake_is_named_together_with_a_choice() {
    let scene = Scene::rich();
    let bug = bugs().find(|bug| bug.name == "SmallerError").unwrap();
    let half = scene.clone().says("vf_half", "true");
    let numbers = half.step(|step, s| (bug.make)(step, s)).unwrap();
    let finding = scene.with("vf_loss", &numbers).finding("vf_loss");
    assert_eq!(named(&finding), ["SmallerError"], "{:?}", finding.fits);
    let fit = &finding.fits[0];
    assert_eq!(
        fit.changed.iter().map(|(choice, value)| (choice.key, value.value)).collect::<Vec<_>>(),
        [("vf_half", "true")]
    );
}

#[test]
fn what_nothing_explains_is_localised_and_not_guessed() {
    let scene = Scene::rich();
    let right = scene.step(|step, s| step.output("returns", s)).unwrap();
    let Numbers::PerToken(grid) = right else { panic!("returns are per token") };
    let mut other = grid.clone();
    other[(1, 4)].value += 0.125;
    let off = |grid| scene.clone().with("returns", &Numbers::PerToken(grid));
    let finding = off(other).finding("returns");
    assert!(finding.failed() && finding.fits.is_empty());
    let pattern = finding.pattern.unwrap();
    assert!(pattern.starts_with("1 of 17 tokens differ, first [1, 4]: expected "), "{pattern}");
    let scaled = off(grid.map(|x| x.at(2.5 * x.value))).finding("returns").pattern.unwrap();
    assert!(scaled.ends_with("; each is 2.500000 times ours"), "{scaled}");
}
