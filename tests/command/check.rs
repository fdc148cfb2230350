//! `ppo check FILE`: what it prints and how it ends.

use crate::{
    Ran,
    dumps::{B, Folder, L, Tensor, rollout, tensor},
    ppo, sample, step,
};
use std::path::Path;

fn check(file: &Path, flags: &[&str]) -> Ran {
    ppo([&["check", file.to_str().unwrap()], flags].concat())
}

/// The line of an output, and those that explain it.
fn said(text: &str, output: &str) -> String {
    let mut lines = text.lines().skip_while(|line| !line.starts_with(&format!("  {output} ")));
    let first = lines.next().unwrap_or_else(|| panic!("no {output} in {text}"));
    let rest = lines.take_while(|line| line.starts_with("      "));
    [first].into_iter().chain(rest).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_pytorch_computed_is_right_in_every_sample() {
    let f32s = ["step.safetensors", "step-as-printed.safetensors"];
    let f64s = ["step-f64.safetensors", "step-as-printed-f64.safetensors", "options-f64.safetensors"];
    for file in f32s.iter().chain(&f64s) {
        let text = check(&sample(file), &["--strict"]).fine();
        assert!(text.ends_with("0 by another convention, 0 not decided, 0 wrong.\n"), "{file}: {text}");
        let arithmetic = if f64s.contains(file) { "computed in f64" } else { "computed in f32" };
        assert!(text.contains(arithmetic), "{file}: {text}");
    }
}

/// PyTorch's numbers of the printed listing, held against the corrected one: whitened returns and no mask.
#[test]
fn the_printed_listing_is_found_out() {
    let ran = check(&sample("step-as-printed-f64.safetensors"), &["--listing", "corrected"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
    let returns = said(&ran.out, "returns");
    assert!(returns.contains("✗") && returns.contains("ReturnsFromWhitened: "), "{returns}");
    for output in ["kl", "ratio", "log_probs", "entropy", "total_loss"] {
        assert!(said(&ran.out, output).contains("✓"), "{}", ran.out);
    }
}

/// The outputs of the rollout by the reference, and the rollout itself.
fn complete(folder: &Folder) -> Vec<Tensor> {
    let path = folder.dump("inputs", &rollout(), &[]);
    step(&path, &["--out", folder.path("outputs").to_str().unwrap()]).fine();
    let bytes = std::fs::read(folder.path("outputs")).unwrap();
    let outputs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all = rollout();
    for name in ["returns", "vf_loss"] {
        let read = outputs.tensor(name).unwrap();
        let numbers = read.data().chunks(8).map(|x| f64::from_le_bytes(x.try_into().unwrap())).collect();
        all.push(tensor(name, read.shape(), numbers));
    }
    all
}

#[test]
fn a_number_a_little_beyond_its_budget_is_not_decided_and_fails_only_if_strict() {
    let folder = Folder::new();
    let mut tensors = complete(&folder);
    let returns = tensors.iter_mut().find(|tensor| tensor.name == "returns").unwrap();
    assert_eq!(returns.shape, [B, L]);
    returns.numbers[L + 1] += 1e-14;
    let path = folder.dump("d", &tensors, &[]);
    let text = check(&path, &[]).fine();
    assert!(said(&text, "returns").contains("undecided  [1, 1]"), "{text}");
    assert!(text.contains("1 not decided, 0 wrong."), "{text}");
    let strict = check(&path, &["--strict"]);
    assert_eq!((strict.code, strict.out), (Some(1), text));
}

#[test]
fn a_number_of_another_class_is_wrong() {
    let folder = Folder::new();
    for wrong in [f64::NAN, f64::INFINITY] {
        let mut tensors = complete(&folder);
        tensors.iter_mut().find(|tensor| tensor.name == "vf_loss").unwrap().numbers = vec![wrong];
        let ran = check(&folder.dump("d", &tensors, &[]), &[]);
        assert_eq!(ran.code, Some(1), "{}", ran.out);
        assert!(said(&ran.out, "vf_loss").contains("No known choice or mistake explains it"), "{}", ran.out);
    }
}

/// But those that say that something stands there.
#[test]
fn what_stands_in_masked_slots_changes_no_word() {
    let folder = Folder::new();
    let clean = complete(&folder);
    let text = check(&folder.dump("d", &clean, &[]), &[]).fine();
    let valid = clean[0].numbers.clone();
    for garbage in [f64::NAN, f64::NEG_INFINITY, 1e30] {
        let mut dirty = clean.clone();
        for tensor in
            dirty.iter_mut().filter(|tensor| tensor.shape == [B, L] && tensor.name != "response_mask")
        {
            tensor
                .numbers
                .iter_mut()
                .zip(&valid)
                .filter(|(_, valid)| **valid == 0.0)
                .for_each(|(x, _)| *x = garbage);
        }
        let said = check(&folder.dump("dirty", &dirty, &[]), &[]).fine();
        let (apart, rest): (Vec<&str>, Vec<&str>) =
            said.lines().partition(|line| line.starts_with("Not judged: "));
        assert_eq!(rest.join("\n") + "\n", text);
        assert_eq!(apart.len(), 1, "{apart:?}");
        assert!(apart[0].starts_with("Not judged: returns is not 0 in "), "{apart:?}");
    }
}

#[test]
fn a_file_without_outputs_has_nothing_to_compare() {
    let folder = Folder::new();
    let said = check(&folder.dump("d", &rollout(), &[]), &[]).refused();
    assert!(said.contains("nothing compared: the file holds no output with what it is made of"), "{said}");
}

/// A file with one wrong output, one that follows a convention and one that is right.
fn mixed(folder: &Folder, name: &str) -> std::path::PathBuf {
    let mut tensors = complete(folder);
    let returns = tensors.iter().find(|tensor| tensor.name == "returns").unwrap();
    let half = tensors.iter().find(|tensor| tensor.name == "vf_loss").unwrap().numbers[0] / 2.0;
    let fraction = tensor("vf_clipfrac", &[], vec![2.0]);
    assert_eq!(returns.shape, [B, L]);
    tensors.iter_mut().find(|tensor| tensor.name == "vf_loss").unwrap().numbers = vec![half];
    tensors.push(fraction);
    folder.dump(name, &tensors, &[])
}

#[test]
fn a_program_reads_json() {
    let folder = Folder::new();
    let ran = check(&mixed(&folder, "d"), &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let verdict = |name: &str| {
        let outputs = json["outputs"].as_array().unwrap();
        outputs.iter().find(|of| of["name"] == name).unwrap()["verdict"].as_str().unwrap().to_owned()
    };
    assert_eq!((ran.code, &json["schema"], &json["wrong"]), (Some(1), &1.into(), &1.into()));
    assert_eq!(["returns", "vf_loss", "vf_clipfrac"].map(verdict), ["passed", "convention", "wrong"]);
    let half = json["outputs"].as_array().unwrap().iter().find(|of| of["name"] == "vf_loss").unwrap();
    assert_eq!(half["explanations"][0]["follows"], serde_json::json!({ "vf_half": "true" }));
    assert_eq!(json["settings"]["vf_half"]["from"], "default");
}

#[test]
fn a_ci_reads_junit_whatever_the_file_is_called() {
    let folder = Folder::new();
    let out = check(&mixed(&folder, "a<b>&\"c"), &["--format", "junit"]).out;
    assert!(out.contains("a&lt;b&gt;&amp;&quot;c\" tests=\"3\" failures=\"1\">"), "{out}");
    assert_eq!((out.matches("<testcase ").count(), out.matches("<failure ").count()), (3, 1), "{out}");
    assert!(out.contains("<failure message=\"vf_clipfrac: expected "), "{out}");
    assert!(out.ends_with("</testsuite>\n"), "{out}");
}

#[test]
fn a_comment_shows_what_is_not_as_stated() {
    let folder = Folder::new();
    let out = check(&mixed(&folder, "d"), &["--format", "markdown"]).out;
    assert!(out.starts_with("3 outputs compared"), "{out}");
    assert!(!out.contains("`returns`"), "{out}");
    assert!(out.contains("| `vf_loss` | convention |") && out.contains("| `vf_clipfrac` | wrong |"), "{out}");
}

/// The ranks of one batch: a scalar that differs is each file's own.
#[test]
fn several_files_are_the_ranks_of_one_batch() {
    let folder = Folder::new();
    let tensors = complete(&folder);
    let half = |rows: core::ops::Range<usize>| -> Vec<Tensor> {
        let cut = |of: &Tensor| match of.shape.first() {
            Some(b) if *b == B => {
                let size = of.numbers.len() / B;
                let mut shape = of.shape.clone();
                shape[0] = rows.len();
                tensor(&of.name, &shape, of.numbers[rows.start * size..rows.end * size].to_vec())
            }
            _ => of.clone(),
        };
        tensors.iter().map(cut).collect()
    };
    let [one, two] =
        [("rank-0", 0..1), ("rank-1", 1..B)].map(|(name, rows)| folder.dump(name, &half(rows), &[]));
    let both = [one.to_str().unwrap(), two.to_str().unwrap()];
    let text = ppo(["check", both[0], both[1]]).fine();
    assert!(text.contains("2 outputs compared") && text.contains("0 wrong."), "{text}");
    let mut other = half(1..B);
    other.iter_mut().find(|of| of.name == "vf_loss").unwrap().numbers[0] += 1.0;
    let other = folder.dump("rank-2", &other, &[]);
    // Some radius has either number, while it is not stated which.
    let open = ppo(["check", both[0], other.to_str().unwrap()]).fine();
    assert!(open.contains("Not stated in the file: cliprange_value"), "{open}");
    let ran = ppo(["check", both[0], other.to_str().unwrap(), "--cliprange-value", "0.2"]);
    assert_eq!(ran.code, Some(1), "{}", ran.out);
    assert!(ran.out.contains("vf_loss of file 1") && ran.out.contains("vf_loss of file 2"), "{}", ran.out);
    let mut less = half(1..B);
    less.retain(|of| of.name != "values");
    let said = ppo(["check", both[0], folder.dump("rank-3", &less, &[]).to_str().unwrap()]).refused();
    assert!(said.contains("`values` is in one of them alone"), "{said}");
}

#[test]
fn rows_and_the_arithmetic_are_flags() {
    let folder = Folder::new();
    let mut tensors = complete(&folder);
    tensors.iter_mut().find(|tensor| tensor.name == "returns").unwrap().numbers[L + 1] += 0.5;
    let path = folder.dump("d", &tensors, &[]);
    let row = |rows| check(&path, &["--rows", rows]);
    assert!(!said(&row("0..1").out, "returns").contains("✗"));
    assert!(said(&row("1..2").out, "returns").contains("✗"));
    for wrong in ["1", "a..b", "2..1", "0..99"] {
        let said = row(wrong).refused();
        assert!(said.contains("`rows` is"), "{said}");
    }
    let text = check(&path, &["--rows", "0..1", "--compute-dtype", "bf16"]).out;
    assert!(text.contains("computed in bf16"), "{text}");
}
