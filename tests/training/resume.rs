//! A run that goes on.

use crate::{files, fine, folder, refused, same, train};
use std::{fs, path::Path};

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for name in ["checkpoint.safetensors", "metrics.jsonl"] {
        fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

/// Every number of a run that a line or a checkpoint keeps, the reference model's with them.
#[test]
fn a_run_in_two_parts_is_the_run_in_one() {
    for flags in [&[][..], &["--kl", "0.1", "--lam", "0.8", "--seed", "7"], &["--listing", "as-printed"]] {
        let dir = folder();
        fine(train(dir.path(), &[&["--iterations", "9", "--out", "one"], flags].concat()));
        fine(train(dir.path(), &[&["--iterations", "4", "--out", "two"], flags].concat()));
        // The second part says what it was begun with, in other words or not at all.
        fine(train(dir.path(), &["--iterations", "7", "--out", "two", "--resume"]));
        fine(train(dir.path(), &[&["--iterations", "9", "--resume", "two"], flags].concat()));
        same(&dir.path().join("one"), &dir.path().join("two"));
    }
}

/// What a run leaves that was killed in the middle of a line, after one, or while a file was written aside.
#[test]
fn metrics_are_cut_back_to_the_checkpoint() {
    let dir = folder();
    let run = |name: &str| dir.path().join(name);
    fine(train(dir.path(), &["--iterations", "6", "--out", "one"]));
    fine(train(dir.path(), &["--iterations", "3", "--out", "short"]));
    let lines: Vec<String> = files(&run("one")).1.lines().map(|line| format!("{line}\n")).collect();
    let torn = &lines[3][..lines[3].len() / 2];
    let garbage = String::from("\u{0}\u{0}\u{0}");
    for (k, left) in [torn, &lines[3], &lines[3..5].concat(), "{", &garbage, ""].into_iter().enumerate() {
        let name = format!("killed{k}");
        copy(&run("short"), &run(&name));
        fs::write(run(&name).join("metrics.jsonl"), lines[..3].concat() + left).unwrap();
        fs::write(run(&name).join(".checkpoint.safetensors.part"), "half").unwrap();
        fine(train(dir.path(), &["--iterations", "6", "--resume", &name]));
        same(&run("one"), &run(&name));
    }
}

#[test]
fn metrics_that_lack_a_line_are_refused_and_nothing_is_written() {
    let dir = folder();
    fine(train(dir.path(), &["--iterations", "3", "--out", "run"]));
    let run = dir.path().join("run");
    let whole = files(&run).1;
    let lines: Vec<&str> = whole.lines().collect();
    for (metrics, says) in [
        (lines[..2].join("\n"), "`metrics.jsonl` has 1 whole lines, and the checkpoint is of iteration 3"),
        ([lines[0], lines[2], lines[1], ""].join("\n"), "`metrics.jsonl` line 2 is not that of iteration 2"),
        (String::new(), "`metrics.jsonl` has 0 whole lines, and the checkpoint is of iteration 3"),
    ] {
        fs::write(run.join("metrics.jsonl"), &metrics).unwrap();
        assert_eq!(refused(train(dir.path(), &["--resume", "run"])), format!("ppo: run: {says}"));
        assert_eq!(files(&run).1, metrics);
    }
}

/// The second would cut the metrics of the first.
#[test]
fn two_runs_do_not_write_into_one_folder() {
    let dir = folder();
    let mut first = train(dir.path(), &["--iterations", "300", "--out", "run"]).spawn().unwrap();
    while !dir.path().join("run/metrics.jsonl").exists() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let says = refused(train(dir.path(), &["--iterations", "300", "--resume", "run"]));
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(says, "ppo: run: another run is writing into this folder");
}

#[test]
fn a_finished_run_can_be_resumed_and_has_nothing_to_do() {
    let dir = folder();
    fine(train(dir.path(), &["--iterations", "3", "--out", "run"]));
    let before = files(&dir.path().join("run"));
    assert!(
        fine(train(dir.path(), &["--resume", "run"])).starts_with("3 iterations, 3 of them done before, in ")
    );
    assert_eq!(files(&dir.path().join("run")), before);
}
