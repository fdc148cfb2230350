//! `--out FILE`: every intermediate, as a dump.

use crate::{
    dumps::{Folder, matrix, rollout, tensor},
    json::{json, term},
    sample, step,
};
use conformance::{
    dump::{Dump, Inputs},
    engine::Engine,
    evaluate::{evaluate, grad_logits_row},
    outputs::{OUTPUTS, Value},
};
use safetensors::{Dtype, SafeTensors};
use std::{fs, path::Path};

/// The numbers of an F64 tensor.
fn numbers(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let tensor = file.tensor(name).unwrap();
    assert_eq!(tensor.dtype(), Dtype::F64);
    tensor.data().chunks(8).map(|x| f64::from_le_bytes(x.try_into().unwrap())).collect()
}

fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

fn flag(path: &Path) -> [&str; 2] {
    ["--out", path.to_str().unwrap()]
}

#[test]
fn it_holds_every_intermediate_to_the_bit() {
    for file in ["step-f64.safetensors", "step-as-printed-f64.safetensors", "options-f64.safetensors"] {
        let folder = Folder::new();
        step(&sample(file), &flag(&folder.path("terms"))).fine();
        let bytes = fs::read(folder.path("terms")).unwrap();
        let written = SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(written.len(), OUTPUTS.len() + 2, "{file}: the outputs, grad_logits and the mask");

        let dump = Dump::open(sample(file)).unwrap();
        let chosen = dump.choose(&[]).unwrap();
        let mut inputs = Inputs::load(&dump, &chosen).unwrap();
        let e = evaluate(Engine::Reference, &mut inputs, &chosen).unwrap();
        for output in OUTPUTS {
            let want = match e.output(output.name).unwrap() {
                Value::Scalar(x) => vec![x],
                Value::PerToken(x) => x.transpose().as_slice().to_vec(),
            };
            assert_eq!(bits(&numbers(&written, output.name)), bits(&want), "{file}: {}", output.name);
        }
        let (b, t_len) = inputs.mask.shape();
        let (mut z, mut want) = (Vec::new(), Vec::new());
        for slot in (0..b).flat_map(|row| (0..t_len).map(move |t| (row, t))) {
            if inputs.mask.has(slot) {
                inputs.logits.as_mut().unwrap().row(slot, None, &mut z).unwrap();
                want.extend(
                    grad_logits_row(Engine::Reference, &e, &inputs, &chosen.settings.as_listed(), slot, &z)
                        .unwrap()
                        .unwrap(),
                );
            } else {
                want.extend([0.0; 27]);
            }
        }
        assert_eq!(bits(&numbers(&written, "grad_logits")), bits(&want), "{file}");
    }
}

#[test]
fn its_tensors_are_those_of_the_f64_sample() {
    let folder = Folder::new();
    step(&sample("step-f64.safetensors"), &flag(&folder.path("terms"))).fine();
    let (ours, theirs) =
        (fs::read(folder.path("terms")).unwrap(), fs::read(sample("step-f64.safetensors")).unwrap());
    let (ours, theirs) =
        (SafeTensors::deserialize(&ours).unwrap(), SafeTensors::deserialize(&theirs).unwrap());
    let shared: Vec<&str> = ours.names().into_iter().filter(|name| theirs.names().contains(name)).collect();
    assert!(shared.len() >= 15, "{shared:?}");
    let mask = numbers(&ours, "response_mask");
    for name in shared.into_iter().filter(|name| *name != "response_mask") {
        let (ours, theirs) = (numbers(&ours, name), numbers(&theirs, name));
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let scalar = ours.len() == 1;
        let per_slot = ours.len().div_ceil(mask.len());
        for (i, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            let valid = scalar || mask[i / per_slot] == 1.0;
            assert!(!valid || (ours - theirs).abs() < 1e-12, "{name} {i}: {ours} for {theirs}");
        }
    }
}

#[test]
fn it_keeps_the_settings_and_the_mask_so_that_step_reads_it_back() {
    let folder = Folder::new();
    for (listing, flags) in [("corrected", ["--lam", "0.5"]), ("as-printed", ["--gamma", "0.9"])] {
        let path = folder.dump("d", &rollout(), &[("lam", "0.75"), ("score_clip", "0.5")]);
        let out = folder.path("terms");
        let flags = [&flags[..], &["--listing", listing], &flag(&out)].concat();
        let before = json(&path, &flags);
        let after = json(&out, &[]);
        for (key, setting) in before["settings"].as_object().unwrap() {
            assert_eq!(after["settings"][key]["value"], setting["value"], "{key}");
        }
        // Of what it holds it computes what it can, and says of the rest that it stands alone.
        let whitened = term(&after, "whitened");
        assert_eq!(whitened["difference"], 0.0, "{whitened}");
        let alone = after["not_computed"].as_array().unwrap();
        assert!(alone.contains(&"vf_loss".into()) && alone.contains(&"ratio".into()), "{alone:?}");
        let text = step(&out, &[]).fine();
        assert!(text.contains("In the file, but not computed here: kl, ratio, pg_loss"), "{text}");
    }
}

#[test]
fn onto_the_input_itself_it_is_refused_and_nothing_is_lost() {
    let folder = Folder::new();
    let path = folder.dump("d", &rollout(), &[]);
    let before = fs::read(&path).unwrap();
    let detour = folder.path("d").parent().unwrap().join("./d");
    let mut targets = vec![path.clone(), detour];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&path, folder.path("link")).unwrap();
        targets.push(folder.path("link"));
    }
    for target in targets {
        let said = step(&path, &flag(&target)).refused();
        assert!(said.ends_with("this is the file that is read, and it is not replaced"), "{said}");
        assert!(said.contains(target.to_str().unwrap()), "{said}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    assert!(folder.names().iter().all(|name| ["d", "link"].contains(&name.as_str())), "{:?}", folder.names());
}

#[test]
fn a_target_that_cannot_be_written_is_one_sentence_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let path = folder.dump("d", &rollout(), &[]);
    fs::create_dir(folder.path("folder")).unwrap();
    for target in ["no/such/terms", "folder", "d/terms", "", ".."] {
        let target = folder.path(target);
        let said = step(&path, &flag(&target)).refused();
        assert!(said.contains(&format!("--out {}: ", target.display())), "{said}");
    }
    assert_eq!(folder.names(), ["d", "folder"]);
}

#[test]
fn a_file_that_stands_there_is_replaced_only_when_the_new_one_is_whole() {
    let folder = Folder::new();
    let good = folder.dump("d", &rollout(), &[]);
    let out = folder.path("terms");
    fs::write(&out, "old").unwrap();
    let mut tensors = rollout();
    let mut values = matrix("old_values", 1);
    values.numbers[0] = f64::NAN;
    tensors.retain(|tensor| tensor.name != "old_values");
    tensors.extend([values, tensor("pg_loss", &[], vec![0.0])]);
    step(&folder.dump("bad", &tensors, &[]), &flag(&out)).refused();
    assert_eq!(fs::read(&out).unwrap(), b"old");
    step(&good, &flag(&out)).fine();
    assert!(SafeTensors::deserialize(&fs::read(&out).unwrap()).unwrap().tensor("vf_loss").is_ok());
    assert_eq!(folder.names(), ["bad", "d", "terms"]);
}

#[test]
fn the_report_is_the_same_with_and_without_it() {
    let folder = Folder::new();
    let path = sample("step.safetensors");
    let with = step(&path, &flag(&folder.path("terms"))).fine();
    assert_eq!(with, step(&path, &[]).fine());
}
