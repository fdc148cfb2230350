//! `--json`: for a program.

use crate::{
    dumps::{B, Folder, L, matrix, rollout, tensor},
    sample, step,
};
use serde_json::{Value, json};
use std::path::Path;

/// What `--json` prints, parsed.
pub(crate) fn json(file: &Path, flags: &[&str]) -> Value {
    let flags: Vec<&str> = flags.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&step(file, &flags).fine()).unwrap()
}

/// One term of it.
pub(crate) fn term<'a>(json: &'a Value, name: &str) -> &'a Value {
    let found = json["terms"].as_array().unwrap().iter().find(|term| term["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {json:#}"))
}

#[test]
fn it_says_its_schema_and_the_sizes() {
    let json = json(&sample("step-f64.safetensors"), &[]);
    assert_eq!(json["schema"], 1);
    assert_eq!((&json["sequences"], &json["width"], &json["vocab"]), (&json!(7), &json!(18), &json!(27)));
    assert_eq!(json["settings"]["gamma"], json!({ "value": "0.9", "from": "metadata" }));
    assert_eq!(term(&json, "vf_loss")["code"], "reference/src/value_loss.rs");
}

#[test]
fn a_number_that_is_not_finite_is_one_of_three_strings() {
    let folder = Folder::new();
    let mut tensors = rollout();
    let mut returns = matrix("returns", 1);
    returns.numbers[0] = f64::NAN;
    let scalars = [("pg_loss", f64::NAN), ("vf_loss", f64::INFINITY), ("ppo_kl", f64::NEG_INFINITY)];
    tensors.extend(scalars.map(|(name, x)| tensor(name, &[], vec![x])));
    tensors.push(returns);
    let json = json(&folder.dump("d", &tensors, &[]), &[]);
    for (name, file) in
        [("pg_loss", "NaN"), ("vf_loss", "Infinity"), ("ppo_kl", "-Infinity"), ("returns", "NaN")]
    {
        let term = term(&json, name);
        assert_eq!((&term["file"], &term["difference"]), (&json!(file), &json!("Infinity")), "{name}");
        assert!(term["value"].is_f64(), "{name}");
    }
    assert_eq!(term(&json, "returns")["at"], json!([0, 0]));
    assert_eq!(term(&json, "ratio")["at"], "mean");
    assert_eq!(term(&json, "vf_loss")["at"], Value::Null);
}

#[test]
fn the_difference_is_that_of_the_two_numbers_to_the_bit() {
    for file in ["step.safetensors", "options-f64.safetensors"] {
        for term in json(&sample(file), &[])["terms"].as_array().unwrap() {
            let [ours, theirs, difference] = ["value", "file", "difference"].map(|key| term[key].as_f64());
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                assert_eq!(difference, Some((ours - theirs).abs()), "{term}");
            }
        }
    }
}

#[test]
fn two_runs_print_the_same_digits() {
    for file in ["step.safetensors", "step-as-printed-f64.safetensors", "options-f64.safetensors"] {
        let once = step(&sample(file), &["--json"]).fine();
        assert_eq!(once, step(&sample(file), &["--json"]).fine());
    }
}

#[test]
fn names_with_control_characters_and_quotes_stay_inside_their_strings() {
    let folder = Folder::new();
    let mut tensors = rollout();
    tensors.push(tensor("my \"own\"\nthing", &[1], vec![1.0]));
    let path = folder.dump("a \"name\"", &tensors, &[("made\tby", "me"), ("a\u{1b}[2J\nb", "x")]);
    let json = json(&path, &[]);
    assert_eq!(json["file"], path.to_str().unwrap());
    assert_eq!(json["ignored_settings"].as_array().unwrap().len(), 2);
    assert_eq!(json["ignored_tensors"].as_array().unwrap().len(), 1);
    assert_eq!((json["sequences"].as_u64(), json["width"].as_u64()), (Some(B as u64), Some(L as u64)));
    let text = step(&path, &[]).fine();
    assert!(!text.contains('\u{1b}') && !text.contains("\nthing"), "{text}");
}
