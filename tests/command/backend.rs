//! `ppo step --backend`: the same terms by the fast path.

use crate::{
    dumps::{Folder, rollout},
    json::{json, term},
    sample, step,
};
use optimized::Backend;

const FILE: &str = "step.safetensors";

#[test]
fn every_backend_prints_the_same_and_not_what_the_reference_prints() {
    let by = |flags: &[&str]| {
        let mut said = json(&sample(FILE), flags);
        (said["computed_by"].take(), said)
    };
    let (who, best) = by(&["--backend", "best"]);
    assert_eq!(who, Backend::best().name());
    for on in Backend::available() {
        assert_eq!(by(&["--backend", on.name()]), (on.name().into(), best.clone()));
    }
    let (who, reference) = by(&[]);
    assert_eq!(who, "reference");
    for name in ["log_probs", "advantages_raw", "whitened", "pg_loss", "vf_loss", "total_loss", "grad_logits"]
    {
        assert_ne!(term(&reference, name)["value"], term(&best, name)["value"], "{name}");
    }
}

#[test]
fn the_text_says_who_computed() {
    let said = step(&sample(FILE), &["--backend", "fallback"]).fine();
    assert!(said.contains("Computed in f32 by the optimized crate on fallback."), "{said}");
    let head = |said: &str| said.lines().find(|line| line.contains("  label  ")).unwrap().to_owned();
    assert!(head(&said).contains("  fallback  ") && !head(&said).contains("reference"), "{said}");
    let said = step(&sample(FILE), &[]).fine();
    assert!(!said.contains("Computed in f32") && head(&said).contains("  reference  "), "{said}");
}

#[test]
fn an_absent_backend_and_a_number_beyond_f32_are_refused_in_a_sentence() {
    let says = step(&sample(FILE), &["--backend", "mmx"]).refused();
    assert!(says.contains("--backend: `mmx` is not one of fallback, sse2"), "{says}");
    let folder = Folder::new();
    let mut tensors = rollout();
    tensors.iter_mut().find(|tensor| tensor.name == "values").unwrap().numbers[0] = 1e300;
    let file = folder.dump("far", &tensors, &[]);
    let says = step(&file, &["--backend", "best"]).refused();
    assert!(says.contains("`values` [0, 0] is 1e300, which f32 cannot hold"), "{says}");
    step(&file, &[]).fine();
    let says = step(&sample(FILE), &["--backend", "best", "--cliprange", "1e-60"]).refused();
    assert!(says.contains("policy_loss: `eps_lo` is"), "{says}");
}
