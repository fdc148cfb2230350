//! What a program reads: the metrics, and what stands in a pipe.

use crate::{TINY, files, fine, folder, train};
use serde_json::Value;
use std::process::{Command, Stdio};

const NUMBERS: [&str; 15] = [
    "score",
    "l_policy",
    "l_value",
    "entropy",
    "approx_kl",
    "clip_frac",
    "value_clip_frac",
    "grad_norm",
    "grad_norm_clipped",
    "mean_return",
    "mean_value",
    "length",
    "cut",
    "flops",
    "flops_so_far",
];

#[test]
fn a_line_of_metrics_is_an_object_with_every_number() {
    let dir = folder();
    fine(train(dir.path(), &["--iterations", "4", "--out", "run", "--kl", "0.1", "--max-norm", "0.01"]));
    let mut so_far = 0.0;
    for (k, line) in files(&dir.path().join("run")).1.lines().enumerate() {
        let object: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&object["schema"], &object["iteration"]), (&Value::from(1), &Value::from(k + 1)));
        for name in NUMBERS.iter().chain(&["kl_ref"]) {
            assert!(object[name].is_number() || object[name] == "NaN", "{name} of {line}");
        }
        assert!(object["grad_norm_clipped"].as_f64().unwrap() <= 0.01 * (1.0 + 1e-12), "{line}");
        so_far += object["flops"].as_f64().unwrap();
        assert_eq!(object["flops_so_far"], so_far);
        assert_eq!(object.as_object().unwrap().len(), NUMBERS.len() + 3);
    }
}

/// The numbers in the file are those that the library computes, bit for bit.
#[test]
fn the_metrics_read_back_to_the_same_bits() {
    let dir = folder();
    fine(train(dir.path(), &["--iterations", "5", "--out", "run"]));
    let flag = |pair: &[&str]| (pair[0][2..].replace('-', "_"), pair[1].to_owned());
    let flags: Vec<(String, String)> = TINY.chunks_exact(2).map(flag).collect();
    let plan = conformance::train::Plan::new(&flags).unwrap();
    let mut trainer = conformance::train::Trainer::new(plan.recipe, 1);
    for line in files(&dir.path().join("run")).1.lines() {
        let want = trainer.iterate().unwrap();
        let got = |name: &str| {
            let text = line.split_once(&format!("\"{name}\":")).unwrap().1.split([',', '}']).next().unwrap();
            text.trim_matches('"').parse::<f64>().unwrap().to_bits()
        };
        for (name, want) in
            [("l_policy", want.l_policy), ("entropy", want.ent), ("grad_norm", want.grad_norm)]
        {
            assert_eq!(got(name), want.to_bits(), "{name} of {line}");
        }
    }
}

/// The error stream stays empty, which `fine` holds, and the output has the summary and no more.
#[test]
fn a_pipe_gets_the_summary_and_no_bar() {
    let dir = folder();
    let printed = fine(train(dir.path(), &["--iterations", "3", "--out", "run"]));
    let lines: Vec<&str> = printed.lines().collect();
    assert!(lines[0].starts_with("3 iterations in ") && lines[0].contains(", seed 1, "), "{printed}");
    assert!(lines[1].starts_with("Mean score of the last rollout: "), "{printed}");
    assert_eq!(lines[2..], ["Metrics: run/metrics.jsonl", "Checkpoint: run/checkpoint.safetensors"]);
}

#[test]
fn unseen_prompts_are_asked_before_and_after() {
    let flags = ["train", "--batch", "2", "--d-model", "4", "--d-mlp", "4", "--iterations", "1"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_ppo"));
    command.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped());
    let printed = fine(command);
    assert!(printed.contains("\nMean score on 1024 unseen prompts: 0."), "{printed}");
}

#[test]
fn json_is_the_metrics_as_they_come_and_the_summary() {
    let dir = folder();
    let printed = fine(train(dir.path(), &["--iterations", "3", "--out", "run", "--json"]));
    let metrics = files(&dir.path().join("run")).1;
    let summary = printed.strip_prefix(&metrics).unwrap();
    let summary: Value = serde_json::from_str(summary).unwrap();
    assert_eq!((&summary["schema"], &summary["iterations"]), (&Value::from(1), &Value::from(3)));
}
