//! Every known mistake is named from a file that has it.

use crate::scene::{Scene, named};
use conformance::{
    check::{
        Finding, Fit,
        bugs::{
            bugs,
            rows::{Held, ROWS},
        },
        choices::CHOICES,
        compare::Verdict,
        step::Numbers,
    },
    dump::Inputs,
    outputs::{GRAD_LOGITS, OUTPUTS},
};

/// Mistakes that have the numbers of a choice or of another, whatever the inputs, each with why.
const ALIKE: &[(&str, &str)] = &[
    (
        "ClipAroundTheReturns",
        "|clip(V − R)| is at most |V − R|, so the larger error is the unclipped one: off too",
    ),
    ("OldValuesRecomputed", "a clip that never bites is no clip: value_clip_form = off has its numbers"),
];

/// What rounding leaves of it depends on the order: it has a test of its own.
const APART: &str = "OnePassVariance";

/// Inputs of which every mistake finds some that show it.
fn scenes() -> Vec<Scene> {
    let rich = Scene::rich().says("vf_coef", "0.5");
    let junk = |at: usize| 0.3 + (at * 7 % 11) as f64 / 4.0 - 1.25;
    let weights: Vec<f64> = (0..32).map(|at| 0.5 + (at * 5 % 7) as f64 / 8.0).collect();
    let flags =
        |ones: &[usize]| (0..32).map(|at| f64::from(u8::from(ones.contains(&at)))).collect::<Vec<_>>();
    let dones = rich
        .clone()
        .tensor("terminated", &[4, 8], &flags(&[14]))
        .tensor("truncated", &[4], &[1.0, 1.0, 0.0, 0.0])
        .tensor("last_values", &[4], &[0.5, 0.75, -0.25, 0.0]);
    // One row alone goes on after its last valid token.
    let observed = flags(&(0..7).chain(8..16).chain(16..21).collect::<Vec<_>>());
    let tempered = rich.clone().says("temperature", "0.7").unsays("entropy_temperature");
    let negative: Vec<f64> = (0..32 * 6).map(|at| -800.0 - (at * 5 % 13) as f64 / 4.0).collect();
    vec![
        rich.complete().littered(junk),
        Scene::square().complete(),
        rich.clone().tensor("rollout_is_weights", &[4, 8], &weights).complete(),
        dones.complete(),
        tempered.complete(),
        rich.clone().says("kl_estimator", "k2").says("kl_loss_coef", "0.3").complete(),
        rich.clone().tensor("attention_mask", &[4, 8], &observed).complete(),
        rich.clone().tensor("logits", &[4, 8, 6], &negative).complete(),
        rich.complete().littered(|_| f64::NAN),
        // Nothing says what was paid to a slot of padding, nor that one was attended.
        rich.without("attention_mask"),
    ]
}

/// What a finding shows: choices, numbers and mistakes.
fn shown(finding: &Finding) -> Vec<String> {
    let one = |fit: &Fit| {
        let mut parts: Vec<String> =
            fit.changed.iter().map(|(choice, value)| format!("{} = {}", choice.key, value.value)).collect();
        parts.extend(fit.numbers.iter().map(|number| format!("{} = {}", number.key, number.value)));
        parts.extend(fit.mistakes.iter().map(|bug| bug.name.to_owned()));
        parts.join(" and ")
    };
    finding.fits.iter().map(one).collect()
}

/// In one scene at least it is named and nothing else is, but that no slot was masked: to read masked slots that hold
/// 0 is the same mistake as a mean over them.
#[test]
fn every_mistake_is_named_from_a_file_that_is_right_otherwise() {
    let scenes = scenes();
    let mut unnamed = Vec::new();
    // Those of the gradient of the logits are in a suite of their own: no output is as wide.
    for bug in bugs().filter(|bug| bug.name != APART && bug.of != GRAD_LOGITS.name) {
        let alike = ALIKE.iter().any(|(name, _)| *name == bug.name);
        let mut all = Vec::new();
        let named_alone = scenes.iter().any(|scene| {
            let Some(numbers) = scene.step(|step, s| (bug.make)(step, s)) else { return false };
            let finding = scene.clone().until(bug.of).with(bug.of, &numbers).finding(bug.of);
            if finding.compared.verdict != Verdict::Failed {
                return false;
            }
            // Another value than a stated one may have the same numbers: a claim that fails, and no other mistake.
            let mut beside = finding.clone();
            beside.fits.retain(|fit| !(fit.mistakes.is_empty() && fit.against_the_stated));
            let (all_shown, shown) = (shown(&finding), shown(&beside));
            let others =
                shown.iter().filter(|name| *name != bug.name && *name != "listing = unmasked").count();
            let is_named = shown.iter().any(|name| name == bug.name);
            all.push(all_shown);
            is_named && (alike || (others == 0 && finding.failed() == bug.is_mistake()))
        });
        if !named_alone {
            unnamed.push(format!("{} of {}: {all:?}", bug.name, bug.of));
        }
    }
    assert!(unnamed.is_empty(), "{}", unnamed.join("\n"));
}

#[test]
fn no_mistake_is_named_where_there_is_none() {
    for scene in scenes() {
        let report = scene.report();
        for finding in &report.findings {
            assert_eq!(finding.compared.verdict, Verdict::Passed, "{}: {finding:?}", finding.output);
        }
    }
    let report = Scene::rich().complete().report();
    assert_eq!((report.findings.len(), report.skipped.len()), (OUTPUTS.len(), 0));
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

/// Every row of the collection, and what holds it is there.
#[test]
fn every_collected_bug_is_held_or_said_not_to_be_in_a_dump() {
    let ids: Vec<&str> = ROWS.iter().map(|row| row.id).collect();
    let all = (1..=89).map(|n| format!("B{n}")).chain((1..=22).map(|n| format!("S{n}")));
    assert_eq!(ids, all.collect::<Vec<_>>());
    for row in ROWS {
        match row.held {
            Held::By(names) => {
                assert!(!names.is_empty(), "{}", row.id);
                for name in names {
                    assert!(bugs().any(|bug| bug.name == *name), "{}: {name}", row.id);
                }
            }
            Held::Choice(key) => assert!(CHOICES.iter().any(|choice| choice.key == key), "{}: {key}", row.id),
            Held::NotShown(why) => assert!(why.len() > 20, "{}", row.id),
        }
    }
}

/// B45: a mean of a million beside a deviation of a hundredth. By E[x²] − E[x]² the variance is what rounding leaves.
#[test]
fn a_variance_that_cancels() {
    let raw: Vec<f64> = (0..8).map(|at| 1e6 + 0.01 * f64::from(at)).collect();
    let n = raw.len() as f64;
    let mean = raw.iter().sum::<f64>() / n;
    let var = (raw.iter().map(|x| x * x).sum::<f64>() - n * mean * mean) / (n - 1.0);
    let by = |var: f64| raw.iter().map(|x| (x - mean) / (var.sqrt() + 1e-8)).collect::<Vec<_>>();
    let right = raw.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0);
    assert!(var > 0.0 && (var / right - 1.0).abs() > 0.01, "{var} {right}");
    let scene = Scene::default().row("advantages_raw", &raw);
    assert!(!scene.clone().row("whitened", &by(right)).finding("whitened").failed());
    let finding = scene.row("whitened", &by(var)).finding("whitened");
    assert_eq!(shown(&finding), ["OnePassVariance"]);
}

/// A name says which mistake of an output it is, so that one is told from another by it.
#[test]
fn no_output_has_two_mistakes_of_one_name() {
    let all: Vec<_> = bugs().collect();
    for (at, bug) in all.iter().enumerate() {
        assert!(all[at + 1..].iter().all(|other| !other.is(bug)), "{} of {}", bug.name, bug.of);
    }
}
