//! What a shell does to the command: pipes that close, words it does not know, versions.

use crate::{
    Ran,
    dumps::{Folder, rollout},
    ppo, run, sample,
};
use std::process::Command;

fn shell(script: &str) -> Ran {
    let mut command = Command::new("bash");
    command.args(["-c", script, "bash", env!("CARGO_BIN_EXE_ppo")]);
    run(command)
}

#[cfg(unix)]
#[test]
fn a_reader_that_leaves_early_is_no_error() {
    for args in [
        "--iterations 1",
        "sample",
        "step tests/samples/step.safetensors",
        "step tests/samples/step.safetensors --json",
        "check tests/samples/step.safetensors",
        "terms",
    ] {
        // It has read nothing at all when it leaves; then one line.
        let ran = shell(&format!("set -o pipefail; \"$1\" {args} | true"));
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{args}");
        let ran = shell(&format!("set -o pipefail; \"$1\" {args} | head -1"));
        assert_eq!((ran.code, ran.err.as_str(), ran.out.lines().count()), (Some(0), "", 1), "{args}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_one_sentence() {
    let said = shell("\"$1\" sample > /dev/full").refused();
    assert!(said.contains("the output could not be written"), "{said}");
}

#[test]
fn an_unknown_flag_or_subcommand_ends_with_exit_code_2_and_a_suggestion() {
    let file = sample("step.safetensors").to_str().unwrap().to_owned();
    let cases: [(&[&str], &str); 6] = [
        (&["stpe"], "'step'"),
        (&["term"], "'terms'"),
        (&["--versoin"], "'--version'"),
        (&["step", &file, "--gama", "1"], "'--gamma'"),
        (&["step", &file, "--lst", "corrected"], "'--"),
        (&["step", &file, "--jsno"], "'--json'"),
    ];
    for (args, suggestion) in cases {
        let ran = ppo(args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{args:?}");
        let tip =
            ran.err.lines().find(|line| line.contains("similar")).unwrap_or_else(|| panic!("{}", ran.err));
        assert!(tip.contains(suggestion), "{args:?}: {tip}");
        assert!(ran.err.contains("--help"), "{}", ran.err);
    }
}

#[test]
fn words_that_are_missing_or_too_many_end_with_exit_code_2() {
    let file = sample("step.safetensors").to_str().unwrap().to_owned();
    for args in [
        &["step"][..],
        &["step", &file, &file],
        &["step", &file, "--lam"],
        &["frobnicate"],
        &["--frobnicate"],
    ] {
        let ran = ppo(args);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{args:?}");
        assert!(ran.err.starts_with("error: ") && ran.err.contains("--help"), "{args:?}: {}", ran.err);
    }
    let ran = ppo(["step", &file, "--lam", "0.5", "--lam", "0.6"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("cannot be used multiple times"), "{}", ran.err);
}

#[test]
fn a_file_without_its_subcommand_is_told_the_subcommand() {
    let folder = Folder::new();
    let path = folder.dump("rollout.safetensors", &rollout(), &[]);
    let said = ppo([&path]).refused();
    assert!(said.ends_with(&format!("is a file: `ppo step {}` reads it", path.display())), "{said}");
}

#[test]
fn every_level_says_its_version_and_its_help() {
    for args in [&["--version"][..], &["step", "--version"], &["terms", "--version"]] {
        let version = ppo(args).fine();
        assert!(version.ends_with(&format!(" {}\n", env!("CARGO_PKG_VERSION"))), "{version}");
    }
    for args in [&["--help"][..], &["step", "--help"], &["help", "step"], &["terms", "--help"]] {
        assert!(ppo(args).fine().contains("Usage: ppo"), "{args:?}");
    }
}

#[test]
fn terms_prints_the_table_of_readme_and_the_bits_of_each_backend() {
    let readme = std::fs::read_to_string(crate::root().join("README.md")).unwrap();
    let shown = ppo(["terms"]).fine();
    let (table, bits) = shown.split_once("\nThe fast path").unwrap();
    assert!(readme.contains(table));
    for on in optimized::Backend::available() {
        assert!(bits.contains(on.name()), "{on}\n{bits}");
    }
    let rows = bits.lines().filter(|line| line.contains("equal")).count();
    assert_eq!(rows, conformance::fast::TERMS.len(), "{bits}");
    assert!(!bits.contains("DIFFERENT"), "{bits}");
    let folder = Folder::new();
    let missing = folder.path("README.md");
    ppo(["terms", "--write", missing.to_str().unwrap()]).refused();
    std::fs::write(&missing, "no markers").unwrap();
    ppo(["terms", "--write", missing.to_str().unwrap()]).refused();
    assert_eq!(std::fs::read_to_string(&missing).unwrap(), "no markers");
}
