//! What is a claim, and what passes: with a trainer's name and without.

use crate::scene::{Scene, followed, named};
use conformance::check::{
    Report,
    bugs::bugs,
    compare::Verdict,
    dialects::{DIALECTS, Dialect},
};

/// A file of that trainer under these settings besides, and nothing said of any.
fn file_of(name: &str, but: &[(&str, &str)]) -> Scene {
    let dialect: &Dialect = DIALECTS.iter().find(|dialect| dialect.name == name).unwrap();
    let all: Vec<_> =
        dialect.does.iter().chain(dialect.defaults).map(|(key, value)| (*key, *value)).collect();
    let says = |scene: Scene, (key, value): &(&str, &str)| scene.says(key, value);
    let made = all.iter().chain(but).fold(Scene::rich(), says).complete();
    all.iter().chain(but).fold(made, |scene, (key, _)| scene.unsays(key))
}

fn failed(report: &Report) -> Vec<&'static str> {
    report.findings.iter().filter(|finding| finding.failed()).map(|finding| finding.output).collect()
}

#[test]
fn without_a_dialect_a_convention_passes_and_is_said() {
    let file = Scene::rich().says("variance", "population").complete().unsays("variance");
    let finding = file.finding("whitened");
    assert!(!finding.failed() && finding.compared.verdict == Verdict::Failed);
    assert_eq!(followed(&finding), [["variance = population"]]);
    assert!(finding.fits[0].changed[0].1.who.contains("OpenRLHF"));
}

#[test]
fn without_a_dialect_a_deviation_fails_and_names_who_does_it() {
    let report = file_of("post-as-printed", &[]).report();
    assert!(!failed(&report).is_empty());
    for finding in report.findings.iter().filter(|finding| finding.failed()) {
        let names_who = |fit: &conformance::check::Fit| {
            fit.mistakes.iter().any(|bug| bug.seen.contains("the post"))
                || fit.changed.iter().any(|(_, value)| value.deviation && value.who.contains("the post"))
        };
        assert!(finding.fits.iter().any(names_who), "{}: {:?}", finding.output, finding.fits);
    }
}

#[test]
fn under_its_own_dialect_a_deviation_passes_and_is_listed() {
    let report = file_of("post-as-printed", &[]).says("dialect", "post-as-printed").report();
    assert!(failed(&report).is_empty());
    assert!(
        report.deviations.iter().any(|said| said.starts_with("listing is as-printed")),
        "{:?}",
        report.deviations
    );
    // The corrected listing has none.
    let report = file_of("post", &[]).says("dialect", "post").report();
    assert!(failed(&report).is_empty() && report.deviations.is_empty(), "{:?}", report.deviations);
}

#[test]
fn under_a_dialect_every_departure_from_it_fails_and_names_what_it_follows() {
    for (key, value, output) in [
        ("variance", "population", "whitened"),
        ("eps_at", "std", "whitened"),
        ("vf_half", "false", "vf_loss"),
    ] {
        // ε_w large enough to show, γλ < 1 so that a gap does.
        let user = [("eps", "0.01"), ("gamma", "0.9"), ("lam", "0.8")];
        let file = file_of("verl", &[&user[..], &[(key, value)]].concat());
        let file = user.iter().fold(file, |file, (key, value)| file.says(key, value)).says("dialect", "verl");
        let finding = file.finding(output);
        assert!(finding.failed(), "{key} = {value}");
        assert!(finding.fits.iter().all(|fit| fit.against_the_stated), "{key} = {value}: {:?}", finding.fits);
        assert!(
            followed(&finding).contains(&vec![format!("{key} = {value}")]),
            "{key} = {value}: {:?}",
            followed(&finding)
        );
    }
}

/// OpenRLHF may leave σ out; verl never does.
#[test]
fn a_formula_of_another_trainer_is_a_departure_from_the_one_that_is_named() {
    let form = bugs().find(|bug| bug.name == "centred-only").unwrap();
    for (name, fails) in [("verl", true), ("openrlhf", false)] {
        let dialect = DIALECTS.iter().find(|dialect| dialect.name == name).unwrap();
        let all = dialect.settings();
        let made = all.iter().fold(Scene::rich(), |scene, (key, value)| scene.says(key, value));
        let numbers = made.step(|step, s| (form.make)(step, s)).unwrap();
        let silent = all.iter().fold(Scene::rich(), |scene, (key, _)| scene.unsays(key));
        let finding = silent.with("whitened", &numbers).says("dialect", name).finding("whitened");
        assert_eq!((finding.failed(), named(&finding)), (fails, vec!["centred-only"]), "{name}");
    }
}

/// Rewards of a gap are 0 here, and so to count them is to decay by them: either may be what was done.
#[test]
fn a_departure_is_said_beside_a_mistake_with_the_same_numbers() {
    let user = [("gamma", "0.9"), ("lam", "0.8")];
    let file = file_of("verl", &[&user[..], &[("gap", "decay")]].concat());
    let file = user.iter().fold(file, |file, (key, value)| file.says(key, value)).says("dialect", "verl");
    let finding = file.finding("advantages_raw");
    assert!(finding.failed());
    assert!(named(&finding).contains(&"GapRewardsRead"), "{:?}", named(&finding));
    assert_eq!(followed(&finding), [["gap = decay"]]);
}

/// In the metadata or by a flag; for a number as for a choice.
#[test]
fn what_is_stated_is_a_claim_wherever_it_is_stated() {
    let file = Scene::rich().says("gamma", "0.97").complete();
    for scene in [file.clone().says("gamma", "0.9"), file.unsays("gamma")] {
        let flags = [("gamma".to_owned(), "0.9".to_owned())];
        let report = scene.open(|dump| conformance::check::check(&dump, &flags).unwrap());
        let finding = report.findings.iter().find(|finding| finding.output == "advantages_raw").unwrap();
        assert!(finding.failed());
        assert_eq!(followed(finding), [["gamma = 0.97"]]);
    }
}

/// A mistake that a trainer's own code makes passes under its name, is listed, and fails without it.
#[test]
fn under_its_own_dialect_a_mistake_of_its_code_passes_and_is_listed() {
    let mut seen = 0;
    for dialect in DIALECTS {
        for bug in bugs().filter(|bug| dialect.has(bug) && bug.is_mistake()) {
            let all: Vec<_> = dialect.settings();
            let stated = all.iter().fold(Scene::rich(), |scene, (key, value)| scene.says(key, value));
            let Some(numbers) = stated.step(|step, s| (bug.make)(step, s)) else { continue };
            let file =
                all.iter().fold(Scene::rich(), |scene, (key, _)| scene.unsays(key)).with(bug.of, &numbers);
            let report = file.clone().says("dialect", dialect.name).report();
            let finding = report.findings.iter().find(|finding| finding.output == bug.of).unwrap();
            if finding.compared.verdict == Verdict::Failed {
                assert!(!finding.failed(), "{} of {}: {:?}", bug.name, dialect.name, finding.fits);
                assert!(
                    report.deviations.iter().any(|said| said.contains(bug.name)),
                    "{:?}",
                    report.deviations
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 0);
}

/// Another method's numbers are neither right nor wrong, and nor is what the file says is another method's.
#[test]
fn another_method_is_not_covered() {
    let formulas = conformance::check::not_covered::formulas();
    let gspo = formulas.into_iter().find(|of| (of.name, of.of) == ("GSPO", "ratio")).unwrap();
    let scene = Scene::rich();
    let numbers = scene.step(|step, s| (gspo.make)(step, s)).unwrap();
    let finding = scene.clone().with("ratio", &numbers).finding("ratio");
    assert!(finding.is_not_covered() && !finding.failed(), "{finding:?}");
    assert_eq!(finding.other_methods[0].mistakes[0].name, "GSPO");
    let report = scene.complete().says("loss_mode", "gspo").report();
    let not_covered: Vec<_> = report.not_covered.iter().map(|(name, _)| *name).collect();
    assert!(
        ["ratio", "pg_loss", "grad_log_probs"].iter().all(|name| not_covered.contains(name)),
        "{not_covered:?}"
    );
    assert!(report.findings.iter().all(|finding| !not_covered.contains(&finding.output)));
}
