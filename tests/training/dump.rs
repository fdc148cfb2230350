//! The last rollout of a run, computed again from its inputs alone.

use crate::{TINY, fine, folder, train};
use conformance::{
    dump::{Dump, Inputs, OUTPUTS},
    engine::Engine,
    evaluate::{evaluate, grad_logits_row},
    report::lines,
};
use std::{path::Path, process::Command};

/// The names that `ppo step` compares, after holding that each difference is 0.
fn compared(path: &Path) -> Vec<&'static str> {
    let dump = Dump::open(path).unwrap();
    let chosen = dump.choose(&[]).unwrap();
    assert!(chosen.unknown.is_empty() && dump.roles().unknown.is_empty(), "{:?}", chosen.unknown);
    let mut inputs = Inputs::load(&dump, &chosen).unwrap();
    let e = evaluate(Engine::Reference, &mut inputs, &chosen).unwrap();
    let masks = (inputs.mask.clone(), inputs.value_mask.clone());
    let mut names = Vec::new();
    for line in lines(&e, (&masks.0, &masks.1), &dump, None).unwrap() {
        let theirs = line.theirs.unwrap_or_else(|| panic!("the dump has no {}", line.output.name));
        assert_eq!(line.ours.to_bits(), theirs.to_bits(), "{} at {}", line.output.name, line.place);
        assert_eq!(line.difference(), Some(0.0));
        names.push(line.output.name);
    }
    let mut theirs = dump.output_rows("grad_logits").unwrap();
    let (mut z, mut row_of_file) = (Vec::new(), Vec::new());
    for row in 0..inputs.shape.b {
        for t in masks.0.tokens_of(row) {
            let action = inputs.actions.as_ref().map(|actions| actions[(row, t)]);
            inputs.logits.as_mut().unwrap().row((row, t), action, &mut z).unwrap();
            theirs.row((row, t), &mut row_of_file).unwrap();
            let ours =
                grad_logits_row(Engine::Reference, &e, &inputs, &chosen.settings.as_listed(), (row, t), &z)
                    .unwrap()
                    .unwrap();
            assert_eq!(ours, row_of_file, "grad_logits at [{row}, {t}]");
        }
    }
    names.push("grad_logits");
    names
}

#[test]
fn every_number_of_the_last_rollout_comes_out_again() {
    for flags in [
        &[][..],
        &["--epochs", "1", "--iterations", "1"],
        &["--kl", "0.1", "--kl-loss-coef", "0.2", "--gamma", "0.9"],
        &["--listing", "as-printed"],
        &["--listing", "score-broadcast,entropy-added,shared-clip-radius", "--batch", "6"],
        &["--score-at", "first-pad", "--listing", "unmasked", "--kl", "0.1"],
        &["--score-at", "first-pad", "--gamma", "0.5"],
        &[
            "--temperature",
            "0.7",
            "--lam-critic",
            "1",
            "--whiten",
            "off",
            "--loss-agg-mode",
            "token-sum-norm",
        ],
        &["--no-entropy", "--no-value-clip"],
    ] {
        let dir = folder();
        // A flag given twice is refused, so those of the tiny recipe give way.
        let kept = TINY.chunks(2).filter(|pair| !flags.contains(&pair[0])).flatten().copied();
        let more = if flags.contains(&"--iterations") { &[][..] } else { &["--iterations", "20"] };
        let mut command = Command::new(env!("CARGO_BIN_EXE_ppo"));
        command.current_dir(dir.path()).arg("train").args(kept).args(flags).args(more);
        command.args(["--dump", "last.safetensors"]);
        let printed = fine(command);
        assert!(printed.contains("\nLast rollout: last.safetensors, for `ppo step last.safetensors`\n"));
        let names = compared(&dir.path().join("last.safetensors"));
        let with_kl = flags.contains(&"--kl");
        let missing: Vec<&str> =
            OUTPUTS.iter().map(|row| row.name).filter(|name| !names.contains(name)).collect();
        assert_eq!(missing, if with_kl { vec![] } else { vec!["kl", "kl_loss"] }, "{flags:?}");
    }
}

/// A response that its limit cut off has no score, and V after it instead; both kinds are in the rollout.
#[test]
fn what_was_cut_off_goes_on_in_v() {
    let dir = folder();
    fine(train(dir.path(), &["--iterations", "20", "--dump", "last.safetensors"]));
    let dump = Dump::open(dir.path().join("last.safetensors")).unwrap();
    let inputs = Inputs::load(&dump, &dump.choose(&[]).unwrap()).unwrap();
    let (v_last, scores) = (inputs.ends.unwrap().v_last, inputs.scores.unwrap());
    let cut: Vec<usize> = (0..inputs.shape.b).filter(|row| v_last[*row] != 0.0).collect();
    assert!(!cut.is_empty() && cut.len() < inputs.shape.b, "{cut:?}");
    assert!(cut.iter().all(|row| scores[(*row, 0)] == 0.0));
}
