//! The steps of the GitHub Action, run as it runs them.

use crate::{
    Ran,
    dumps::{Folder, rollout, tensor},
    root, run,
};
use std::{fs, io::Write, path::Path, process::Command};

/// `check.sh check` with these variables.
fn command(folder: &Folder, variables: &[(&str, &str)]) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_ppo")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args([".github/actions/check/check.sh", "check"]).env("PATH", path);
    command.env("GITHUB_STEP_SUMMARY", folder.path("summary.md")).env("GITHUB_OUTPUT", folder.path("output"));
    for name in ["FILES", "DIALECT", "STRICT", "FORMAT", "REPORT"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    command
}

/// What it did, the summary it wrote and its outputs.
fn action(folder: &Folder, variables: &[(&str, &str)]) -> (Ran, String, String) {
    let ran = run(command(folder, variables));
    let read = |name| fs::read_to_string(folder.path(name)).unwrap_or_default();
    (ran, read("summary.md"), read("output"))
}

#[test]
fn a_file_that_is_right_passes_with_a_summary() {
    let folder = Folder::new();
    let (ran, summary, output) = action(&folder, &[("FILES", "tests/samples/step-f6*.safetensors")]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.out);
    assert!(ran.out.contains("✓") && summary.contains("0 wrong"), "{}\n{summary}", ran.out);
    assert_eq!(output, "exit-code=0\n");
}

#[test]
fn a_file_that_is_wrong_fails_and_the_summary_says_where() {
    let folder = Folder::new();
    let mut tensors = rollout();
    tensors.push(tensor("vf_loss", &[], vec![123.0]));
    let file = folder.dump("wrong", &tensors, &[]);
    let report = folder.path("report.xml");
    let variables =
        [("FILES", file.to_str().unwrap()), ("FORMAT", "junit"), ("REPORT", report.to_str().unwrap())];
    let (ran, summary, output) = action(&folder, &variables);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.out.starts_with("::error title=ppo check::"), "{}", ran.out);
    assert!(summary.contains("| `vf_loss` | wrong |"), "{summary}");
    assert!(fs::read_to_string(report).unwrap().contains("<failure"));
    assert_eq!(output, "exit-code=1\n");
}

#[test]
fn a_log_keeps_what_it_held() {
    let folder = Folder::new();
    let mut log = fs::File::create(folder.path("log")).unwrap();
    writeln!(log, "an earlier step").unwrap();
    let mut check = command(&folder, &[("FILES", "tests/samples/step-f64.safetensors")]);
    let status = check.current_dir(root()).stdout(log).status().unwrap();
    let held = fs::read_to_string(folder.path("log")).unwrap();
    assert!(status.success() && held.starts_with("an earlier step\n") && held.contains('✓'), "{held}");
}

#[test]
fn what_cannot_be_compared_is_said_and_ends_with_exit_code_2() {
    let folder = Folder::new();
    let inputs = folder.dump("inputs", &rollout(), &[]);
    let sample = "tests/samples/step.safetensors";
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[], "no files were given"),
        (
            &[("FILES", "tests/samples/none-*.safetensors")],
            "no file matches tests/samples/none-*.safetensors",
        ),
        (&[("FILES", sample), ("STRICT", "maybe")], "strict is maybe, and must be true or false"),
        (&[("FILES", sample), ("DIALECT", "frobnicator")], "frobnicator"),
        (&[("FILES", inputs.to_str().unwrap())], "nothing compared"),
    ];
    for (variables, sentence) in cases {
        let (ran, summary, output) = action(&folder, variables);
        assert_eq!(ran.code, Some(2), "{variables:?}: {}", ran.out);
        let first = ran.out.lines().next().unwrap_or_default();
        assert!(first.starts_with("::error title=ppo check compared nothing::"), "{first}");
        assert!(first.contains(sentence), "{first}");
        assert_eq!((summary.as_str(), output.ends_with("exit-code=2\n")), ("", true), "{variables:?}");
    }
}

/// An input that is not declared is empty without a word.
#[test]
fn every_input_that_is_used_is_declared() {
    let text = fs::read_to_string(root().join(".github/actions/check/action.yml")).unwrap();
    let used: Vec<&str> =
        text.split("${{ inputs.").skip(1).map(|rest| rest.split(' ').next().unwrap()).collect();
    assert_eq!(used.len(), 5);
    for name in used {
        assert!(text.contains(&format!("\n  {name}:\n")), "{name} is not declared");
    }
}
