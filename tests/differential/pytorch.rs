//! Every output of every shipped dump, within the derived budget.

use conformance::{
    budget::{Budget, Precision},
    dump::{Dump, Inputs},
    engine::Engine,
    evaluate::{evaluate, grad_logits_row},
    report::{Line, difference, lines},
};
use std::path::{Path, PathBuf};

const FILES: [(&str, Precision); 5] = [
    ("step.safetensors", Precision::F32),
    ("step-as-printed.safetensors", Precision::F32),
    ("step-f64.safetensors", Precision::F64),
    ("step-as-printed-f64.safetensors", Precision::F64),
    ("options-f64.safetensors", Precision::F64),
];

pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}

/// The lines of one file, and the largest use of the budget of its `grad_logits`.
fn compare(name: &str, p: Precision, flags: &[(&str, &str)]) -> (Vec<Line>, f64, Vec<&'static str>) {
    let dump = Dump::open(sample(name)).unwrap();
    let flags: Vec<_> = flags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let chosen = dump.choose(&flags).unwrap();
    let mut inputs = Inputs::load(&dump, &chosen).unwrap();
    let e = evaluate(Engine::Reference, &mut inputs, &chosen).unwrap();
    let budget = Budget::of(p, &e, &mut inputs, &chosen).unwrap();
    let masks = (&inputs.mask, &inputs.value_mask);
    let lines = lines(&e, masks, &dump, Some(&budget)).unwrap();

    let settings = chosen.settings.as_listed();
    let mut rows = dump.output_rows("grad_logits").unwrap();
    let (mut z, mut theirs, mut used) = (Vec::new(), Vec::new(), 0.0f64);
    for row in 0..inputs.shape.b {
        for t in inputs.mask.tokens_of(row) {
            inputs.logits.as_mut().unwrap().row((row, t), None, &mut z).unwrap();
            rows.row((row, t), &mut theirs).unwrap();
            let ours =
                grad_logits_row(Engine::Reference, &e, &inputs, &settings, (row, t), &z).unwrap().unwrap();
            let allowed = budget.grad_logits_row(&inputs, &settings, (row, t), &z).unwrap();
            for ((ours, theirs), allowed) in ours.iter().zip(&theirs).zip(allowed) {
                used = used.max(difference(*ours, *theirs) / allowed);
            }
        }
    }
    (lines, used, dump.output_names())
}

/// The bounds are worst cases over every order of every sum and every sign of every rounding, so real errors
/// use little of those with long sums before them: γ_n grows as n, errors of either sign as √n. What is not
/// behind a sum (KL, rewards, ratios, flags) uses a fair share.
#[test]
fn every_output_of_pytorch_is_met_within_its_budget() {
    for (name, p) in FILES {
        let (lines, used, names) = compare(name, p, &[]);
        println!("{name}: use of the budget");
        for line in &lines {
            if let (Some(difference), Some(allowed)) = (line.difference(), line.allowed) {
                println!("  {:<18} {:.4} of {allowed:.1e}", line.output.name, difference / allowed);
                assert!(!line.fails(), "{name}: {line:?}");
            }
        }
        println!("  {:<18} {used:.4}", "grad_logits");
        assert!(used <= 1.0, "{name}: grad_logits uses {used} of its budget");
        for output in names.iter().filter(|output| **output != "grad_logits") {
            let compared = lines.iter().any(|line| line.output.name == *output && line.theirs.is_some());
            assert!(compared, "{name}: `{output}` of the file was not compared");
        }
    }
}

/// A budget that passes a wrong setting would prove nothing: each of these must fail some output.
#[test]
fn a_wrong_setting_leaves_the_budget() {
    let wrong = [
        ("gamma", "0.9001"),
        ("lam", "0.8001"),
        ("kl_coef", "0.0501"),
        ("kl_estimator", "k2"),
        ("cliprange", "0.201"),
        ("cliprange_value", "0.201"),
        ("variance", "population"),
        ("eps", "1e-4"),
        ("temperature", "0.8001"),
        ("entropy_temperature", "0.8001"),
        ("vf_half", "true"),
        ("vf_coef", "0.501"),
        ("entropy_coef", "0.0101"),
        ("loss_agg_mode", "seq-mean-token-mean"),
        ("value_clip_form", "clipped-only"),
        ("shift_mean", "false"),
        ("whiten", "off"),
        ("score_clip", "0.9"),
        ("ppo_kl_kind", "k3"),
        ("clipfrac", "sign-blind"),
        ("log_ratio_clamp", "0.5"),
        ("clip_ratio_c", "1.1"),
        ("kl_loss_coef", "0.1"),
        ("listing", "entropy-added"),
        ("listing", "returns-from-whitened"),
        ("listing", "unmasked"),
        ("listing", "unshaped-reward"),
        ("grad_of", "pg_loss"),
    ];
    for (key, value) in wrong {
        let (lines, used, _) = compare("step.safetensors", Precision::F32, &[(key, value)]);
        let caught = used > 1.0 || lines.iter().any(Line::fails);
        assert!(caught, "{key} = {value} passed as PyTorch's step");
    }
}
