//! `ppo step FILE`: the terms of a dump, beside its own outputs.

use crate::{
    dumps::{B, Folder, L, Tensor, mask, matrix, rollout, sixteenths, tensor},
    json::{json, term},
    sample, step,
};
use conformance::{
    dump::{Fallback, KEYS},
    outputs::{GRAD_LOGITS, OUTPUTS},
};
use safetensors::Dtype;
use serde_json::Value;

#[test]
fn every_output_of_the_f64_samples_is_met_and_shown() {
    for file in ["step-f64.safetensors", "step-as-printed-f64.safetensors", "options-f64.safetensors"] {
        let json = json(&sample(file), &[]);
        let text = step(&sample(file), &[]).fine();
        for output in OUTPUTS.iter().chain([&GRAD_LOGITS]) {
            assert!(text.contains(&format!("\n  {} ", output.name)), "{file}: no {} in {text}", output.name);
            let term = term(&json, output.name);
            let held = !term["file"].is_null();
            assert!(held || ["kl_loss", "pg_clipfrac_lower"].contains(&output.name), "{file}: {term}");
            assert!(!held || term["difference"].as_f64().unwrap() < 1e-12, "{file}: {term}");
        }
    }
}

#[test]
fn wrong_outputs_are_shown_and_not_judged() {
    let folder = Folder::new();
    let mut tensors = rollout();
    tensors.extend([tensor("vf_loss", &[], vec![-7.0]), matrix("returns", 9)]);
    let path = folder.dump("d", &tensors, &[]);
    let vf_loss = term(&json(&path, &[]), "vf_loss").clone();
    assert_eq!(vf_loss["file"].as_f64(), Some(-7.0));
    assert!(vf_loss["difference"].as_f64().unwrap() > 7.0);
    let text = step(&path, &[]).fine();
    let line = text.lines().find(|line| line.contains(" vf_loss ")).unwrap();
    assert!(line.contains("-7.00000000") && line.ends_with("value_loss.rs"), "{line}");
}

/// At the token where the file is wrong, and nowhere else.
#[test]
fn a_term_per_token_is_shown_where_it_differs_most() {
    let folder = Folder::new();
    let path = folder.dump("d", &rollout(), &[]);
    step(&path, &["--out", folder.path("terms").to_str().unwrap()]).fine();
    let bytes = std::fs::read(folder.path("terms")).unwrap();
    let terms = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let numbers = terms.tensor("returns").unwrap();
    let mut numbers: Vec<f64> =
        numbers.data().chunks(8).map(|x| f64::from_le_bytes(x.try_into().unwrap())).collect();
    numbers[L + 2] += 0.5;
    numbers[L + 5] += 100.0; // masked: never read
    let mut tensors = rollout();
    tensors.push(tensor("returns", &[B, L], numbers));
    let returns = term(&json(&folder.dump("wrong", &tensors, &[]), &[]), "returns").clone();
    assert_eq!(returns["at"], serde_json::json!([1, 2]));
    assert!((returns["difference"].as_f64().unwrap() - 0.5).abs() < 1e-12);
}

#[test]
fn what_stands_in_a_masked_slot_changes_nothing() {
    let folder = Folder::new();
    let clean = rollout();
    let valid = mask().numbers;
    for garbage in [f64::NAN, f64::INFINITY, 1e30] {
        let mut dirty = clean.clone();
        for tensor in
            dirty.iter_mut().filter(|tensor| tensor.shape == [B, L] && tensor.name != "response_mask")
        {
            let slots = tensor.numbers.iter_mut().zip(&valid).filter(|(_, valid)| **valid == 0.0);
            slots.for_each(|(x, _)| *x = garbage);
        }
        let terms = |tensors: &[Tensor]| {
            json(&folder.dump("d", tensors, &[]), &["--kl-coef", "0.1"])["terms"].clone()
        };
        assert_eq!(terms(&dirty), terms(&clean), "{garbage}");
    }
}

/// The terms of a dump and what was said of it, without its path.
fn told(folder: &Folder, tensors: &[Tensor], dtypes: &[(&str, Dtype)]) -> [Value; 2] {
    let json = json(&folder.typed("d", tensors, dtypes), &[]);
    [json["terms"].clone(), json["notes"].clone()]
}

fn renamed(tensors: &[Tensor], names: &[(&str, &str)]) -> Vec<Tensor> {
    let new = |tensor: &Tensor| names.iter().find(|(from, _)| *from == tensor.name).map(|(_, to)| *to);
    let rename =
        |tensor: &Tensor| Tensor { name: new(tensor).unwrap_or(&tensor.name).to_owned(), ..tensor.clone() };
    tensors.iter().map(rename).collect()
}

#[test]
fn the_names_that_trainers_use_mean_the_same() {
    let folder = Folder::new();
    let want = told(&folder, &rollout(), &[]);
    let other_names: [&[(&str, &str)]; 6] = [
        &[("response_mask", "mask"), ("old_log_probs", "old_logprobs")],
        &[("response_mask", "action_mask"), ("log_probs", "new_log_probs")],
        &[("log_probs", "logprobs"), ("ref_log_probs", "ref_log_prob")],
        &[("ref_log_probs", "ref_logprobs")],
        &[("values", "vpreds")],
        &[("old_values", "values"), ("values", "vpreds")],
    ];
    for names in other_names {
        assert_eq!(told(&folder, &renamed(&rollout(), names), &[]), want, "{names:?}");
    }
}

#[test]
fn every_dtype_of_a_number_that_holds_it_means_the_same() {
    let folder = Folder::new();
    let want = told(&folder, &rollout(), &[]);
    let names = ["scores", "old_values", "values", "old_log_probs", "log_probs", "ref_log_probs"];
    for dtype in [Dtype::F64, Dtype::F32, Dtype::BF16, Dtype::F16] {
        let dtypes: Vec<_> = names.iter().map(|name| (*name, dtype)).collect();
        assert_eq!(told(&folder, &rollout(), &dtypes), want, "{dtype:?}");
    }
    for dtype in [Dtype::BOOL, Dtype::U8, Dtype::I32, Dtype::I64, Dtype::F32, Dtype::BF16, Dtype::F16] {
        assert_eq!(told(&folder, &rollout(), &[("response_mask", dtype)]), want, "{dtype:?}");
    }
}

#[test]
fn every_dtype_of_logits_and_token_ids_means_the_same() {
    let folder = Folder::new();
    let mut tensors = rollout();
    tensors.retain(|tensor| tensor.name != "log_probs");
    let ids = (0..B * L).map(|i| (i % 5) as f64).collect();
    tensors.extend([tensor("logits", &[B, L, 5], sixteenths(8, B * L * 5)), tensor("actions", &[B, L], ids)]);
    let want = told(&folder, &tensors, &[("actions", Dtype::I64)]);
    let names =
        |of: &Value| of.as_array().unwrap().iter().map(|term| term["name"].clone()).collect::<Vec<_>>();
    assert!(names(&want[0]).contains(&"grad_values".into()), "{:?}", want[1]);
    for ids in [Dtype::U8, Dtype::I32, Dtype::U32, Dtype::I64] {
        for logits in [Dtype::F64, Dtype::F32, Dtype::BF16, Dtype::F16] {
            let got = told(&folder, &tensors, &[("actions", ids), ("logits", logits)]);
            assert_eq!(got, want, "{ids:?}, {logits:?}");
        }
    }
    let got = told(&folder, &renamed(&tensors, &[("actions", "responses")]), &[("responses", Dtype::I64)]);
    assert_eq!(got, want);
}

#[test]
fn a_flag_wins_over_metadata_wins_over_the_default_and_the_output_says_which() {
    let folder = Folder::new();
    let path = folder.dump("d", &rollout(), &[("gamma", "0.5"), ("lam", "0.25"), ("made_by", "me")]);
    let json = json(&path, &["--lam", "0.75"]);
    let said = |key: &str| json["settings"][key].clone();
    assert_eq!(said("gamma"), serde_json::json!({ "value": "0.5", "from": "metadata" }));
    assert_eq!(said("lam"), serde_json::json!({ "value": "0.75", "from": "flag" }));
    assert_eq!(said("vf_coef"), serde_json::json!({ "value": "0.5", "from": "default" }));
    assert_eq!(json["ignored_settings"], serde_json::json!(["made_by"]));
    let text = step(&path, &["--lam", "0.75"]).fine();
    for line in [
        "Settings by flag: lam 0.75",
        "Settings by metadata: gamma 0.5",
        "Settings by default: lam_critic 0.75, cliprange 0.2",
        "Settings not known and ignored: made_by",
    ] {
        assert!(text.contains(&format!("\n{line}")), "{line} is not in {text}");
    }
    let flagged = folder.dump("f", &rollout(), &[("gamma", "0.5"), ("lam", "0.75")]);
    assert_eq!(json["terms"], crate::json::json(&flagged, &[])["terms"]);
}

/// With one flag and no metadata, that setting alone came from a flag, under each of its spellings.
#[test]
fn every_setting_is_a_flag_in_kebab_and_snake_case_and_by_its_other_names() {
    let folder = Folder::new();
    let path = folder.dump("d", &rollout(), &[]);
    for key in KEYS {
        let value = match key.default {
            Fallback::Value(value) => value,
            Fallback::Of(_) => "0.5",
            Fallback::Width => "6",
        };
        for spelling in key.spellings() {
            for flag in [spelling.to_owned(), spelling.replace('_', "-")] {
                let json = json(&path, &[&format!("--{flag}={value}")]);
                let said = serde_json::json!({ "value": value, "from": "flag" });
                assert_eq!(json["settings"][key.name], said, "--{flag}");
            }
        }
    }
}

#[test]
fn a_value_may_begin_with_a_hyphen_and_an_illegal_one_is_refused_with_the_legal_ones() {
    let folder = Folder::new();
    let path = folder.dump("d", &rollout(), &[]);
    step(&path, &["--kl-coef", "-0.5"]).fine();
    let said = step(&path, &["--lam", "-0.5"]).refused();
    assert!(said.ends_with("`lam` is `-0.5` (flag), and must be a number in [0, 1]"), "{said}");
    let said = step(&path, &["--listing", "printed"]).refused();
    assert!(said.contains("corrected, as-printed, or some of returns-from-whitened, "), "{said}");
}

#[test]
fn a_listing_is_corrected_as_printed_or_departures_by_name() {
    let as_printed = sample("step-as-printed-f64.safetensors");
    let corrected = sample("step-f64.safetensors");
    // One rollout, two listings: each file's listing turns the other into it.
    let terms = |file, listing| {
        let json = json(file, &["--listing", listing]);
        ["pg_loss", "vf_loss", "entropy_loss", "total_loss"].map(|name| term(&json, name)["value"].clone())
    };
    assert_eq!(terms(&corrected, "as-printed"), terms(&as_printed, "as-printed"));
    assert_eq!(terms(&as_printed, "corrected"), terms(&corrected, "corrected"));
    let named = terms(&corrected, "returns-from-whitened,unmasked,unshaped-reward,entropy-added");
    assert_ne!(named, terms(&corrected, "corrected"));
    assert_ne!(terms(&corrected, "entropy-added"), terms(&corrected, "unmasked"));
    assert_eq!(terms(&corrected, "unmasked, entropy-added"), terms(&corrected, "entropy-added,unmasked"));
}

#[test]
fn the_help_names_every_setting_and_every_tensor() {
    let help = crate::ppo(["step", "--help"]).fine();
    for key in KEYS {
        assert!(help.contains(&format!("--{} ", key.name.replace('_', "-"))), "{}", key.name);
    }
    let rows = conformance::dump::INPUTS.iter().chain(conformance::dump::OUTPUTS);
    for row in rows {
        assert!(help.contains(&format!("\n  {}", row.name)), "{}", row.name);
        assert!(row.also.iter().all(|also| help.contains(also)), "{:?}", row.also);
    }
}
