//! Every key of a dump's settings acts: each value of each gives other outputs than its other values, by the
//! reference and by the fast path.

use conformance::{
    dump::{Dump, Entry, Inputs, KEYS, Kind, Writer},
    engine::Engine,
    evaluate::evaluate,
    outputs::{OUTPUTS, Value},
};
use optimized::Backend;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// As many rows as columns, which a broadcast needs.
const B: usize = 6;
const VOCAB: usize = 5;

/// Full rows, gaps, a row that ends early, one token, none; then what is attended beside the tokens.
const VALID: [&str; B] = ["111111", "110110", "011100", "000100", "000000", "101010"];
const ATTENDED: [&str; B] = ["111111", "111111", "111110", "000110", "100000", "111011"];

/// Values that must differ from each other, where the flags behind them stand.
type Row = (&'static str, &'static [&'static str], &'static [(&'static str, &'static str)]);

const KL_ON: &[(&str, &str)] = &[("kl_coef", "0.05")];
const KL_LOSS_ON: &[(&str, &str)] = &[("kl_loss_coef", "0.125")];

/// Not here: `per-token` of `score_at`, which is for other scores than these; `k2+`, whose gradient is that of `k2`;
/// `signed` of `clipfrac`, which differs from `effective` only where a product rounds the difference away.
const ROWS: &[Row] = &[
    ("gamma", &["1", "0.9", "0"], &[]),
    ("lam", &["0.95", "0.8", "0"], &[]),
    ("lam_critic", &["0.95", "0.5"], &[]),
    ("cliprange", &["0.2", "0.1", "off"], &[]),
    ("cliprange_low", &["0.2", "0.1"], &[]),
    ("cliprange_high", &["0.2", "0.1"], &[]),
    ("clip_ratio_c", &["off", "1.125"], &[]),
    ("log_ratio_clamp", &["off", "0.25"], &[]),
    ("clipfrac", &["effective", "sign-blind"], &[]),
    ("ppo_kl_kind", &["k1", "abs", "k2", "k3"], &[]),
    ("ppo_kl_of", &["raw", "clamped"], &[("log_ratio_clamp", "0.25")]),
    ("cliprange_value", &["0.2", "0.1", "off"], &[]),
    ("value_clip_form", &["max", "clipped-only", "off"], &[]),
    ("vf_half", &["false", "true"], &[]),
    ("kl_coef", &["0", "0.05"], &[]),
    ("kl_estimator", &["k1", "abs", "k2", "k3"], KL_ON),
    ("kl_clamp_in", &["off", "0.25"], KL_ON),
    ("kl_clamp_out", &["off", "0.25"], KL_ON),
    ("kl_loss_coef", &["0", "0.125"], &[]),
    ("kl_loss_kind", &["k1", "abs", "k2", "k3", "k1+", "abs+", "k3+"], KL_LOSS_ON),
    ("score_at", &["last-valid", "last-attended", "first-pad"], &[]),
    ("score_clip", &["off", "0.25"], &[]),
    ("gap", &["skip", "decay", "cut"], &[("lam", "0.8"), ("gamma", "0.9")]),
    ("done_at", &["transition", "next-start"], &[]),
    ("whiten", &["on", "off"], &[]),
    ("shift_mean", &["true", "false"], &[]),
    ("variance", &["sample", "population"], &[]),
    ("eps_at", &["std", "under-root", "var-floor"], &[("eps", "0.5")]),
    ("eps", &["0", "0.5"], &[]),
    ("vf_coef", &["0.5", "0.25"], &[]),
    ("entropy_coef", &["0.01", "0"], &[]),
    (
        "loss_agg_mode",
        &[
            "token-mean",
            "token-sum",
            "seq-mean-token-sum",
            "seq-mean-token-mean",
            "seq-mean-token-sum-norm",
            "token-sum-norm",
        ],
        &[],
    ),
    ("loss_scale_factor", &["6", "7"], &[("loss_agg_mode", "token-sum-norm")]),
    ("count_empty_rows", &["false", "true"], &[("loss_agg_mode", "seq-mean-token-mean")]),
    ("temperature", &["1", "0.75"], &[]),
    ("entropy_temperature", &["1", "0.75"], &[]),
    (
        "listing",
        &[
            "corrected",
            "as-printed",
            "returns-from-whitened",
            "unmasked",
            "score-broadcast",
            "unshaped-reward",
            "entropy-added",
            "shared-clip-radius",
        ],
        &[("kl_coef", "0.05"), ("cliprange_value", "0.1")],
    ),
    ("grad_of", &["total_loss", "pg_loss", "vf_loss", "entropy_loss", "kl_loss"], KL_LOSS_ON),
];

/// `ppo check` assumes a trainer's defaults by it; no number of a step does.
const NO_NUMBER: [&str; 1] = ["dialect"];

/// Multiples of 1/32 in (−1, 1), which f32 holds.
fn numbers(seed: usize, count: usize) -> Vec<f64> {
    (0..count).map(|i| (((i * 37 + seed * 11) % 61) as f64 - 30.0) / 32.0).collect()
}

fn flags(rows: [&str; B]) -> Vec<f64> {
    rows.iter().flat_map(|row| row.bytes().map(|bit| f64::from(bit - b'0'))).collect()
}

fn write(path: &Path) {
    let tensors = [
        ("response_mask", vec![B, B], flags(VALID)),
        ("attention_mask", vec![B, B], flags(ATTENDED)),
        ("scores", vec![B], numbers(1, B)),
        ("old_values", vec![B, B], numbers(2, B * B)),
        ("values", vec![B, B], numbers(3, B * B)),
        ("old_log_probs", vec![B, B], numbers(4, B * B).iter().map(|x| x - 1.5).collect()),
        ("ref_log_probs", vec![B, B], numbers(5, B * B).iter().map(|x| x - 1.5).collect()),
        ("logits", vec![B, B, VOCAB], numbers(6, B * B * VOCAB)),
        ("actions", vec![B, B], (0..B * B).map(|i| (i % VOCAB) as f64).collect()),
        ("last_values", vec![B], numbers(7, B)),
        ("dones", vec![B, B], (0..B * B).map(|i| f64::from(i % 5 == 2)).collect()),
        ("last_dones", vec![B], vec![0.0; B]),
    ];
    let entries = tensors.each_ref().map(|(name, shape, _)| Entry {
        kind: if *name == "actions" { Kind::Id } else { Kind::Number },
        ..Entry::new(*name, shape.clone())
    });
    let mut writer = Writer::create(path, &entries, &BTreeMap::new()).unwrap();
    for (name, _, x) in &tensors {
        writer.part(name, x).unwrap();
    }
    writer.finish().unwrap();
}

/// Every output, as bits.
fn outputs(engine: Engine, path: &Path, flags: &[(&str, &str)]) -> Vec<u64> {
    let flags: Vec<_> = flags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let dump = Dump::open(path).unwrap();
    let chosen = dump.choose(&flags).unwrap();
    let made = evaluate(engine, &mut Inputs::load(&dump, &chosen).unwrap(), &chosen).unwrap();
    let bits = OUTPUTS.iter().filter_map(|output| made.output(output.name)).flat_map(|value| match value {
        Value::Scalar(x) => vec![x.to_bits()],
        Value::PerToken(x) => x.iter().map(|x| x.to_bits()).collect(),
    });
    bits.collect()
}

#[test]
fn every_value_of_every_key_changes_some_output() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("choices.safetensors");
    write(&path);
    let mut alike = Vec::new();
    for engine in [Engine::Reference, Engine::Fast(Backend::best())] {
        for (key, values, with) in ROWS {
            let of = |value| outputs(engine, &path, &[with, &[(*key, value)][..]].concat());
            let all: Vec<_> = values.iter().map(|value| of(value)).collect();
            for (i, j) in (0..all.len()).flat_map(|i| (0..i).map(move |j| (i, j))) {
                if all[i] == all[j] {
                    alike.push(format!("{engine:?}: {key} is {} or {}", values[j], values[i]));
                }
            }
        }
    }
    assert!(alike.is_empty(), "no output differs: {alike:#?}");
}

#[test]
fn every_key_has_a_row() {
    let rows: BTreeSet<&str> = ROWS.iter().map(|row| row.0).chain(NO_NUMBER).collect();
    assert_eq!(rows, KEYS.iter().map(|key| key.name).collect());
}
