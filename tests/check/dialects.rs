//! Trainers by name: their own files pass, another's do not, and what their users set is no claim.

use crate::scene::{Scene, followed};
use conformance::check::{
    bugs::{bugs, rows::ROWS},
    check,
    compare::Verdict,
    dialects::{DIALECTS, Dialect},
};

/// A file of that trainer, and nothing said of its choices.
fn file_of(dialect: &Dialect, but: &'static [(&'static str, &'static str)]) -> Scene {
    let settings = dialect.settings();
    let silent = |scene: Scene| settings.iter().fold(scene, |scene, (key, _)| scene.unsays(key));
    let made = settings.iter().chain(but).fold(Scene::rich(), |scene, (key, value)| scene.says(key, value));
    let silent = silent(made.complete());
    but.iter().fold(silent, |scene, (key, _)| scene.unsays(key))
}

fn dialect(name: &str) -> &'static Dialect {
    DIALECTS.iter().find(|dialect| dialect.name == name).unwrap()
}

#[test]
fn a_trainer_s_file_passes_in_its_own_dialect_and_is_consistent_with_it() {
    for dialect in DIALECTS {
        let file = file_of(dialect, &[]);
        let named = file.clone().says("dialect", dialect.name).report();
        for finding in &named.findings {
            assert_eq!(finding.compared.verdict, Verdict::Passed, "{}: {finding:?}", dialect.name);
        }
        assert!(named.consistent.is_empty());
        let consistent = file.report().consistent;
        assert!(consistent.contains(&dialect.name), "{}: {consistent:?}", dialect.name);
        assert!(consistent.len() < 3, "{}: {consistent:?}", dialect.name);
    }
}

#[test]
fn another_trainer_s_file_fails_where_their_code_differs() {
    // With γ = λ = 1 a gap that is skipped and one that decays are the same.
    let file = file_of(dialect("verl"), &[("gamma", "0.9"), ("lam", "0.8")]);
    let file = file.says("gamma", "0.9").says("lam", "0.8").says("dialect", "openrlhf");
    let [whitened, gae] = ["whitened", "advantages_raw"].map(|name| file.finding(name));
    assert!(whitened.failed() && gae.failed());
    assert_eq!(followed(&gae), [["gap = skip"]]);
    assert!(whitened.fits.iter().all(|fit| fit.against_the_stated), "{:?}", whitened.fits);
}

#[test]
fn what_a_trainer_s_users_set_is_no_claim() {
    let file = file_of(dialect("verl"), &[("lam", "0.8")]).says("dialect", "verl");
    let finding = file.finding("advantages_raw");
    assert!(!finding.failed(), "{:?}", finding.fits);
    assert_eq!(followed(&finding), [["lam = 0.8"]]);
}

#[test]
fn a_trainer_that_is_not_known_is_refused_with_those_that_are() {
    let said = Scene::rich().says("dialect", "vrel").open(|dump| check(&dump, &[]).unwrap_err().to_string());
    assert!(said.starts_with("`dialect` is `vrel` and must be one of post, "), "{said}");
}

#[test]
fn a_setting_that_the_file_states_otherwise_than_the_trainer_does_is_a_departure() {
    let file = file_of(dialect("verl"), &[]).says("eps_at", "std");
    let report = file.clone().says("dialect", "verl").report();
    assert_eq!(report.departures, ["eps_at is std by the metadata, and the code of verl has under-root"]);
    assert!(!file.report().consistent.contains(&"verl"));
}

/// What a trainer is said to do: keys of the table, values that are legal, formulas and rows that are there.
#[test]
fn every_entry_of_a_dialect_is_known() {
    let names: Vec<&str> = DIALECTS.iter().map(|dialect| dialect.name).collect();
    for dialect in DIALECTS {
        assert_eq!(names.iter().filter(|name| **name == dialect.name).count(), 1, "{}", dialect.name);
        for (name, of) in dialect.forms {
            let known = bugs().find(|bug| (bug.name, bug.of) == (*name, *of));
            let bug = known.unwrap_or_else(|| panic!("{}: {name} of {of}", dialect.name));
            // A mistake that it makes is one whoever makes it.
            assert_eq!(bug.is_mistake(), dialect.deviation(name).is_some(), "{}: {name}", dialect.name);
        }
        let settings = dialect.settings();
        for (entry, row) in dialect.deviations {
            let key = |key: &str| key == *entry;
            let means = dialect.means.iter().any(|(of, ..)| key(of));
            let held = means
                || settings.iter().any(|(of, _)| key(of))
                || dialect.forms.iter().any(|(of, _)| key(of));
            assert!(held, "{}: {entry}", dialect.name);
            for id in row.split(", ") {
                assert!(ROWS.iter().any(|row| row.id == id), "{}: {id}", dialect.name);
            }
        }
    }
}

/// verl's sum-norm had no mean over the sequences before 0.8.
#[test]
fn a_setting_is_read_in_the_sense_that_its_trainer_had() {
    let made = file_of(dialect("verl"), &[("loss_agg_mode", "token-sum-norm")]);
    let stated = made.says("loss_agg_mode", "seq-mean-token-sum-norm");
    let loss = |dialect: &str| stated.clone().says("dialect", dialect).finding("pg_loss");
    assert_eq!(loss("verl-0.7").compared.verdict, Verdict::Passed);
    let new = loss("verl");
    assert!(new.failed());
    assert_eq!(followed(&new), [["loss_agg_mode = token-sum-norm"]]);
}

/// k3 is clamped by verl, k1 is not.
#[test]
fn clamps_follow_the_estimator_that_the_file_states() {
    let far = |scene: Scene| scene.tensor("ref_log_probs", &[4, 8], &[-14.0; 32]).says("kl_estimator", "k3");
    let clamped = far(Scene::rich()).says("kl_clamp_in", "20").says("kl_clamp_out", "10");
    let kl = clamped.step(|step, s| step.output("kl", s)).unwrap();
    let file = far(Scene::rich()).with("kl", &kl).says("dialect", "verl");
    assert_eq!(file.finding("kl").compared.verdict, Verdict::Passed);
    let plain = far(Scene::rich()).step(|step, s| step.output("kl", s)).unwrap();
    assert!(file.with("kl", &plain).finding("kl").compared.verdict != Verdict::Passed);
}
