//! What other trainers' own code computed (`tests/samples/peers/`): recognised, right by their choices, wrong by another's,
//! and with a mistake planted in it, the mistake is named.

use crate::scene::{followed, named};
use conformance::{
    check::{Finding, Report, check},
    dump::Dump,
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::{collections::HashMap, fs, path::PathBuf};

/// Each file, the dialect of the trainer that made it, and one whose code differs in it.
const PEERS: [(&str, &str, Option<&str>); 12] = [
    ("verl", "verl", Some("openrlhf")),
    ("verl-0.7", "verl-0.7", Some("trl-0.11")),
    ("verl-seq-mean", "verl", Some("openrlhf")),
    ("openrlhf", "openrlhf", Some("verl")),
    ("trl", "trl", Some("openrlhf")),
    ("trl-0.11", "trl-0.11", Some("verl")),
    ("sb3", "sb3", Some("cleanrl")),
    ("sb3-clipped", "sb3", Some("cleanrl")),
    ("sb3-buffer", "sb3", None),
    ("cleanrl", "cleanrl", Some("sb3")),
    ("torchrl", "torchrl", Some("sb3")),
    ("rlax", "post", None),
];

fn path(peer: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("samples/peers/{peer}.safetensors"))
}

fn report(peer: &str, flags: &[(&str, &str)]) -> Report {
    let flags: Vec<_> = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    check(&Dump::open(path(peer)).unwrap(), &flags).unwrap()
}

#[test]
fn a_peer_is_recognised_by_its_numbers_alone_and_not_called_wrong() {
    for (peer, dialect, _) in PEERS {
        let report = report(peer, &[]);
        for finding in &report.findings {
            assert!(!finding.failed(), "{peer}: {finding:?}");
        }
        assert!(report.consistent.contains(&dialect), "{peer}: {:?}", report.consistent);
    }
}

#[test]
fn a_peer_passes_in_its_dialect_and_fails_in_the_other_s() {
    for (peer, dialect, other) in PEERS {
        let own = report(peer, &[("dialect", dialect)]);
        assert!(own.findings.len() >= 2, "{peer}");
        for finding in &own.findings {
            assert!(!finding.failed(), "{peer}: {finding:?}");
        }
        if let Some(other) = other {
            let against = report(peer, &[("dialect", other)]);
            assert!(against.findings.iter().any(Finding::failed), "{peer} as {other}");
        }
    }
}

/// A flag of Stable-Baselines3 begins an episode; read as one that ends it, nothing else explains the numbers.
#[test]
fn the_flags_of_a_rollout_buffer_stand_where_it_says() {
    let wrong = report("sb3-buffer", &[("done_at", "transition")]);
    let gae = wrong.findings.iter().find(|finding| finding.output == "advantages_raw").unwrap();
    assert!(gae.failed());
    assert_eq!(followed(gae), [["done_at = next-start"]]);
}

/// torchrl's value loss is no squared error where its user leaves it as it is: neither right nor wrong, and said by name.
#[test]
fn torchrl_s_own_value_loss_is_not_covered() {
    let report = report("torchrl-smooth", &[]);
    assert!(report.findings.iter().all(|finding| !finding.failed()));
    let value = report.findings.iter().find(|finding| finding.output == "vf_loss").unwrap();
    let named: Vec<_> = value.other_methods.iter().flat_map(|fit| &fit.mistakes).map(|of| of.name).collect();
    assert_eq!((value.fits.len(), named), (0, vec!["SmoothL1"]));
}

/// A peer's file with other numbers in it, made from the old ones.
fn planted(peer: &str, output: &str, of: impl Fn(&HashMap<String, Vec<f32>>) -> Vec<f32>) -> Report {
    let bytes = fs::read(path(peer)).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let numbers = tensors.iter().filter_map(|(name, view)| {
        let data = view.data();
        let numbers: Vec<f32> = match view.dtype() {
            Dtype::F32 => data.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)).collect(),
            Dtype::BOOL => data.iter().map(|x| f32::from(*x)).collect(),
            _ => return None,
        };
        Some((name.to_owned(), numbers))
    });
    let numbers = numbers.collect();
    let wrong: Vec<u8> = of(&numbers).iter().flat_map(|x| x.to_le_bytes()).collect();
    let entry = |(name, view): (&str, TensorView<'_>)| {
        let data = if name == output { wrong.clone() } else { view.data().to_vec() };
        (name.to_owned(), view.dtype(), view.shape().to_vec(), data)
    };
    let entries: Vec<_> = tensors.iter().map(|(name, view)| entry((name, view))).collect();
    let views = entries
        .iter()
        .map(|(name, dtype, shape, data)| (name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("planted");
    safetensors::serialize_to_file(views, header.metadata().clone(), &file).unwrap();
    check(&Dump::open(file).unwrap(), &[]).unwrap()
}

/// What is wrong in a report: the output, and the mistakes that have its numbers.
fn wrong(report: &Report) -> Vec<(&'static str, Vec<&'static str>)> {
    let failed = report.findings.iter().filter(|finding| finding.failed());
    failed.map(|finding| (finding.output, named(finding))).collect()
}

fn sum(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

#[test]
fn returns_from_whitened_advantages_are_named_in_verl() {
    let of = planted("verl", "returns", |x| sum(&x["whitened"], &x["old_values"]));
    let [("returns", named), rest @ ..] = &wrong(&of)[..] else { panic!("{:?}", wrong(&of)) };
    assert_eq!(*named, ["ReturnsFromWhitened"]);
    // The whitened advantages and the value loss read the returns that the file holds, or do not read them at all.
    assert!(rest.iter().all(|(output, _)| output.starts_with("vf_")), "{rest:?}");
}

#[test]
fn a_bonus_with_the_wrong_sign_is_named_in_cleanrl() {
    let total = |x: &HashMap<String, Vec<f32>>| {
        let [pg, vf, entropy] = ["pg_loss", "vf_loss", "entropy_loss"].map(|name| x[name][0]);
        vec![pg + 0.01 * entropy + 0.5 * vf]
    };
    assert_eq!(wrong(&planted("cleanrl", "total_loss", total)), [("total_loss", vec!["EntropyAdded"])]);
}

#[test]
fn the_smaller_of_two_errors_is_named_in_openrlhf() {
    let smaller = |x: &HashMap<String, Vec<f32>>| {
        let [mask, v, old, ret] = ["response_mask", "values", "old_values", "returns"].map(|name| &x[name]);
        let tokens = (0..mask.len()).filter(|i| mask[*i] == 1.0);
        let errors = tokens.map(|i| {
            let clipped = old[i] + (v[i] - old[i]).clamp(-0.5, 0.5);
            (v[i] - ret[i]).powi(2).min((clipped - ret[i]).powi(2))
        });
        vec![0.5 * errors.sum::<f32>() / mask.iter().sum::<f32>()]
    };
    assert_eq!(wrong(&planted("openrlhf", "vf_loss", smaller)), [("vf_loss", vec!["SmallerError"])]);
}
