//! Trainers by name: their own files pass, another's do not, and what their users set is no claim.

use crate::scene::{Scene, followed};
use conformance::check::{
    check,
    compare::Verdict,
    dialects::{DIALECTS, Dialect},
};

/// Every setting of a dialect.
fn settings(dialect: &Dialect) -> impl Iterator<Item = &(&'static str, &'static str)> {
    dialect.does.iter().chain(dialect.defaults)
}

/// A file of that trainer, and nothing said of its choices.
fn file_of(dialect: &Dialect, but: &'static [(&'static str, &'static str)]) -> Scene {
    let silent = |scene: Scene| settings(dialect).fold(scene, |scene, (key, _)| scene.unsays(key));
    let made = settings(dialect).chain(but).fold(Scene::rich(), |scene, (key, value)| scene.says(key, value));
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
