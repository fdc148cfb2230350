//! Runs a property on many cases, or on the one in `PPO_CASE`, and says how to rerun what failed.

use crate::case::{Case, any_case};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::Command,
};

/// Whether a property holds; if not, a sentence.
pub(crate) type Outcome = Result<(), String>;

/// Holds a property on every case; its name, and so the line that reruns it, is that of the test.
macro_rules! property {
    ($(#[$meta:meta])* fn $name:ident($case:ident) $body:block) => {
        $(#[$meta])*
        #[test]
        fn $name() {
            crate::runner::hold(concat!(module_path!(), "::", stringify!($name)), |$case: &crate::case::Case| {
                $body
                Ok(())
            });
        }
    };
}

/// Ends a property with a sentence unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($sentence:tt)*) => {
        let holds: bool = $condition; // a comparison with NaN does not
        if !holds {
            return Err(format!($($sentence)*));
        }
    };
}

/// The one case of `PPO_CASE`, or many.
pub(crate) fn hold(path: &str, property: impl Fn(&Case) -> Outcome) {
    let failure = match std::env::var("PPO_CASE") {
        Ok(text) => {
            let case = text.parse().unwrap_or_else(|sentence| panic!("{sentence}"));
            outcome(&property, &case).err().map(|sentence| (case, sentence))
        }
        Err(_) => shrunk_failure(property),
    };
    if let Some((case, sentence)) = failure {
        panic!("{sentence}\n{}\n", line(path, &case));
    }
}

/// The smallest case that proptest finds to fail, and what it says.
pub(crate) fn shrunk_failure(property: impl Fn(&Case) -> Outcome) -> Option<(Case, String)> {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var("PROPTEST_RNG_SEED").is_err() {
        config.rng_seed = RngSeed::Fixed(20);
    }
    let run = |case: Case| outcome(&property, &case).map_err(TestCaseError::fail);
    match TestRunner::new(config).run(&any_case(), run) {
        Ok(()) => None,
        Err(TestError::Fail(sentence, case)) => Some((case, sentence.to_string())),
        Err(TestError::Abort(reason)) => panic!("proptest gave up: {reason}"),
    }
}

/// A panic of the reference fails the property like any other sentence.
fn outcome(property: &impl Fn(&Case) -> Outcome, case: &Case) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| property(case))).unwrap_or_else(|payload| Err(said(&*payload)))
}

/// The sentence of a panic.
pub(crate) fn said(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or(payload.downcast_ref::<&str>().map(|text| text.to_string())).unwrap_or("a panic".to_string())
}

/// What to paste into a shell. `path` is that of the test with its crate in front.
fn line(path: &str, case: &Case) -> String {
    let test = path.split_once("::").map_or(path, |(_, test)| test);
    format!("PPO_CASE='{case}' cargo test -p ppo-conformance --test properties {test} -- --exact")
}

property! {
    /// Every case survives its text form, so what the line reruns is what failed.
    fn every_case_reads_back_from_its_line(case) {
        let line = line("properties::some::test", case);
        let text = line.split('\'').nth(1).unwrap();
        ensure!(text.parse::<Case>().as_ref() == Ok(case), "`{text}` reads back as another case");
        ensure!(line.lines().count() == 1, "{line} is more than one line");
    }
}

#[test]
fn a_text_that_is_no_case_is_refused() {
    let good = "b=1 t=2 mask=10 ends=.. seed=0 gap=skip gamma=0.9 lambda=0.8 k=0";
    assert!(good.parse::<Case>().is_ok());
    for (from, to) in [("mask=10", "mask=1"), ("ends=..", "ends=.x"), ("gap=skip", "gap=gone"), (" k=0", "")]
    {
        let sentence = good.replace(from, to).parse::<Case>().unwrap_err();
        assert!(sentence.starts_with("PPO_CASE: "), "{sentence}");
    }
    assert!(good.replace("lambda=0.8", "lambda=0.8/0.8").parse::<Case>().is_err());
}

property! {
    /// Fails on three tokens and more if `PPO_PROVOKE` is set: what the next test needs.
    fn a_provoked_failure(case) {
        let provoked = std::env::var("PPO_PROVOKE").is_ok();
        ensure!(!provoked || case.m().count() < 3, "provoked by {} tokens", case.m().count());
    }
}

/// This very program, asked for the provoked failure alone: first with any case, then with the printed one.
#[test]
fn a_failing_case_prints_one_line_that_reruns_it() {
    let run = |case: Option<&str>| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "runner::a_provoked_failure"]).env("PPO_PROVOKE", "1");
        command.env_remove("PPO_CASE").envs(case.map(|case| ("PPO_CASE", case)));
        let output = command.output().unwrap();
        assert!(!output.status.success(), "the provoked failure did not fail");
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        let line = text.lines().find(|line| line.starts_with("PPO_CASE=")).expect("no line to rerun");
        line.to_string()
    };
    let line = run(None);
    let test = "cargo test -p ppo-conformance --test properties runner::a_provoked_failure -- --exact";
    assert!(line.ends_with(test), "{line}");
    let case = line.split('\'').nth(1).unwrap();
    assert_eq!(case.parse::<Case>().unwrap().m().count(), 3, "{case} is not shrunk");
    assert_eq!(run(Some(case)), line, "the line reruns another case");
}
