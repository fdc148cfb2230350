//! What is refused: one sentence, exit code 2, nothing lost.

use crate::{files, fine, folder, refused, train};
use std::{fs, process::Command};

#[test]
fn a_folder_that_holds_a_run_is_not_begun_again() {
    let dir = folder();
    fine(train(dir.path(), &["--iterations", "2", "--out", "run"]));
    let before = files(&dir.path().join("run"));
    let says = refused(train(dir.path(), &["--iterations", "2", "--out", "run"]));
    assert_eq!(says, "ppo: run: the folder holds a run (`checkpoint.safetensors`): --resume goes on with it");
    assert_eq!(files(&dir.path().join("run")), before);
    fs::remove_file(dir.path().join("run/checkpoint.safetensors")).unwrap();
    assert!(refused(train(dir.path(), &["--out", "run"])).contains("holds a run (`metrics.jsonl`)"));
}

#[test]
fn a_flag_that_changes_a_resumed_run_is_named() {
    let dir = folder();
    // Said, so that the default recipe is free to change.
    let said = ["--lr", "0.003", "--n-blocks", "1", "--gamma", "1.0"];
    fine(train(dir.path(), &[&["--iterations", "3", "--out", "run"], &said[..]].concat()));
    let before = files(&dir.path().join("run"));
    let begun = "a resumed run goes on with what it was begun with";
    for (flags, says) in [
        (&["--gamma", "0.9"][..], format!("`--gamma` is 0.9, and the run was begun with 1.0: {begun}")),
        (&["--kl", "0.1"], format!("`--kl-coef` is 0.1, and the run was begun with 0: {begun}")),
        (
            &["--no-value-clip"],
            format!("`--value-clip-form` is off, and the run was begun with max: {begun}"),
        ),
        (&["--lr", "0.5"], format!("`--lr` is 0.5, and the run was begun with 0.003: {begun}")),
        (&["--n-blocks", "2"], format!("`--n-blocks` is 2, and the run was begun with 1: {begun}")),
        (
            &["--listing", "unmasked"],
            format!("`--listing` is unmasked, and the run was begun with corrected: {begun}"),
        ),
        (&["--seed", "2"], "`--seed` is 2, and the run was begun with 1".to_owned()),
        (&["--iterations", "2"], "`--iterations` is 2, and the run has done 3".to_owned()),
    ] {
        let flags = [&["--resume", "run"], flags].concat();
        assert_eq!(refused(train(dir.path(), &flags)), format!("ppo: run: {says}"));
    }
    assert_eq!(files(&dir.path().join("run")), before);
}

#[test]
fn a_folder_without_a_checkpoint_is_not_resumed() {
    let dir = folder();
    fs::create_dir(dir.path().join("empty")).unwrap();
    for name in ["empty", "absent"] {
        let says = refused(train(dir.path(), &["--resume", name]));
        assert_eq!(says, format!("ppo: {name}: there is no `checkpoint.safetensors` to resume from"));
    }
    assert!(!dir.path().join("absent").exists());
    let says = refused(train(dir.path(), &["--resume"]));
    assert_eq!(says, "ppo: `--resume` names no folder, and neither does `--out`");
    let says = refused(train(dir.path(), &["--resume", "empty", "--out", "absent"]));
    assert_eq!(says, "ppo: `--resume` is empty and `--out` absent, but a run goes on in its own folder");
}

/// Each byte of the file, one at a time in the header and every so often in the numbers.
#[test]
fn a_damaged_checkpoint_is_refused_wherever_the_damage_is() {
    let dir = folder();
    fine(train(dir.path(), &["--iterations", "2", "--out", "run"]));
    let path = dir.path().join("run/checkpoint.safetensors");
    let whole = fs::read(&path).unwrap();
    let read = || conformance::train::read_checkpoint(&path);
    for at in (0..8).chain((8..whole.len()).step_by(7)) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x11;
        fs::write(&path, bytes).unwrap();
        let is_padding = whole[at] == b' ';
        assert!(read().is_err() || is_padding, "byte {at} of {} can be changed", whole.len());
    }
    for length in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(read().is_err(), "{length} bytes of {} pass", whole.len());
    }
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(
        refused(train(dir.path(), &["--resume", "run"])).starts_with("ppo: run: checkpoint.safetensors: ")
    );
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/samples/step-f64.safetensors");
    fs::copy(sample, &path).unwrap();
    let says = refused(train(dir.path(), &["--resume", "run"]));
    let want = "ppo: run: checkpoint.safetensors: the file is no checkpoint of this command";
    assert!(says.starts_with(want), "{says}");
}

#[test]
fn values_that_are_not_legal_are_named_with_those_that_are() {
    let dir = folder();
    let ppo = |flags: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ppo"));
        command.current_dir(dir.path()).arg("train").args(flags).args(["--out", "run"]);
        command
    };
    for (flags, says) in [
        (&["--gamma", "2"][..], "`gamma` is `2` (flag), and must be a number in [0, 1]"),
        (&["--iterations", "0"], "`iterations` is `0`, and must be a whole number from 1 to 1000000"),
        (&["--batch", "-3"], "`batch` is `-3`, and must be a whole number from 1 to 65536"),
        (&["--lr", "0"], "`lr` is `0`, and must be a finite number > 0"),
        (&["--lr", "NaN"], "`lr` is `NaN`, and must be a finite number > 0"),
        (&["--max-norm", "0"], "`max_norm` is `0`, and must be a number > 0, or inf"),
        (&["--beta2", "1"], "`beta2` is `1`, and must be a number in [0, 1)"),
        (&["--kl", "x"], "`kl_coef` is `x` (flag), and must be a finite number"),
        (&["--d-model", "9", "--n-heads", "2"], "`n_heads` is 2 and does not divide `d_model`, 9"),
        (
            &["--score-at", "last-attended"],
            "`score_at` is last-attended, and a run has no tokens but prompts and responses",
        ),
        (
            &["--listing", "score-broadcast", "--batch", "5"],
            "the listing's score-broadcast needs B = L, and `batch` is 5 where responses have 6 slots",
        ),
    ] {
        assert_eq!(refused(ppo(flags)), format!("ppo: {says}"));
    }
    assert!(!dir.path().join("run").exists(), "a refused run made its folder");
    assert!(refused(ppo(&["--no-entropy", "--entropy-coef", "0.1"])).contains("they are one setting"));
}

#[test]
fn a_dump_that_cannot_be_written_is_refused_before_the_run() {
    let dir = folder();
    for (path, says) in [
        ("absent/x.safetensors", "--dump absent/x.safetensors: its folder is not there"),
        (".", "--dump .: this is no regular file, and is not replaced"),
    ] {
        let says = format!("ppo: {says}");
        assert_eq!(refused(train(dir.path(), &["--out", "run", "--dump", path])), says);
    }
    assert!(!dir.path().join("run").exists());
    fine(train(dir.path(), &["--iterations", "2", "--out", "run"]));
    let says = refused(train(dir.path(), &["--resume", "run", "--dump", "x"]));
    assert_eq!(says, "ppo: --dump x: iteration 2 is done, and its rollout gone");
}

/// Numbers that run away are logged; they end nothing.
#[test]
fn a_run_that_diverges_goes_on_in_words() {
    let dir = folder();
    fine(train(dir.path(), &["--iterations", "3", "--lr", "1e300", "--out", "run"]));
    assert!(files(&dir.path().join("run")).1.contains(":\"NaN\""));
    fine(train(dir.path(), &["--iterations", "4", "--resume", "run"]));
}

#[test]
fn a_run_by_the_reference_is_not_resumed_by_the_fast_path_but_on_any_backend_if_it_was_begun_by_it() {
    let dir = folder();
    fine(train(dir.path(), &["--iterations", "2", "--out", "run"]));
    let says = refused(train(dir.path(), &["--resume", "run", "--iterations", "3", "--backend", "best"]));
    assert!(says.contains("`--arithmetic` is fast, and the run was begun with reference"), "{says}");
    let say = |flags: &[&str]| fine(train(dir.path(), flags));
    say(&["--iterations", "2", "--backend", "fallback", "--out", "one"]);
    say(&["--iterations", "1", "--arithmetic", "fast", "--out", "two"]);
    say(&["--iterations", "2", "--resume", "two", "--backend", "best"]);
    assert_eq!(files(&dir.path().join("one")), files(&dir.path().join("two")));
}
