//! Killed at random moments, at the start, between iterations and while a checkpoint is written.

use crate::{files, fine, folder, same, train};
use reference::rng::Rng;
use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

const KILLS: usize = 100;

/// What the kills found.
#[derive(Debug, Default)]
struct Found {
    kills: usize,
    /// Before there was a checkpoint.
    before_the_first: usize,
    /// With a file left aside, so while one was written.
    while_writing: usize,
    /// With more metrics than the checkpoint counts.
    between_line_and_checkpoint: usize,
}

/// Begins the run or goes on with it, and kills it after a while; true where it ended before.
fn live(dir: &Path, for_a: Duration, found: &mut Found) -> bool {
    let begun = dir.join("run/checkpoint.safetensors").exists();
    let flags: &[&str] = if begun { &["--resume", "run"] } else { &["--out", "run"] };
    let mut child = train(dir, &[&["--iterations", "40"], flags].concat()).spawn().unwrap();
    sleep(for_a);
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    match output.status.code() {
        Some(0) => return true,
        Some(code) => panic!("exit code {code}: {}", String::from_utf8_lossy(&output.stderr)),
        None => found.kills += 1,
    }
    let run = dir.join("run");
    found.while_writing += usize::from(run.join(".checkpoint.safetensors.part").exists());
    if run.join("checkpoint.safetensors").exists() && run.join("metrics.jsonl").exists() {
        let (_, trainer) = conformance::train::read_checkpoint(&run.join("checkpoint.safetensors")).unwrap();
        let lines = files(&run).1.lines().count();
        found.between_line_and_checkpoint += usize::from(lines > trainer.state.iteration);
    } else {
        found.before_the_first += 1;
    }
    false
}

/// As many runs as it takes until 100 kills have been delivered. The last is then left alone.
#[test]
fn a_run_killed_at_100_random_moments_ends_as_one_that_was_not() {
    let whole = folder();
    let started = Instant::now();
    fine(train(whole.path(), &["--iterations", "40", "--out", "run"]));
    let took = started.elapsed();
    let (mut rng, mut found, mut runs) = (Rng::new(1), Found::default(), 0);
    while found.kills < KILLS {
        let dir = folder();
        while found.kills < KILLS && !live(dir.path(), took.mul_f64(0.2 * rng.uniform()), &mut found) {}
        let flags: &[&str] = match dir.path().join("run/checkpoint.safetensors").exists() {
            true => &["--iterations", "40", "--resume", "run"],
            false => &["--iterations", "40", "--out", "run"],
        };
        fine(train(dir.path(), flags));
        same(&whole.path().join("run"), &dir.path().join("run"));
        let mut names: Vec<_> =
            std::fs::read_dir(dir.path().join("run")).unwrap().map(|x| x.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["checkpoint.safetensors", "metrics.jsonl"], "something was left behind");
        runs += 1;
    }
    println!("{found:?} in {runs} runs; unkilled one takes {took:?}");
}
