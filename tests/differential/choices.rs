//! Every key of a dump's settings acts: each value of each gives other outputs than its other values, by the
//! reference and by the fast path. Only the clamps of the KL loss have no key.

use conformance::{
    dump::{Dump, Entry, Facts, Inputs, KEYS, Scores, Writer, choose},
    engine::Engine,
    evaluate::evaluate,
    outputs::{OUTPUTS, Value},
};
use optimized::Backend;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};
use tempfile::TempDir;

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

/// What a row cannot hold, a test of its own does: `per-token` is for other scores than these, `k2+` is `k2`, and
/// `signed` differs from `effective` only where a product rounds the difference away.
const ROWS: &[Row] = &[
    ("gamma", &["1", "0.9", "0"], &[]),
    ("lam", &["0.95", "0.8", "0"], &[]),
    ("lam_critic", &["0.95", "0.5"], &[]),
    ("cliprange", &["0.2", "0.1", "off"], &[]),
    ("cliprange_low", &["0.2", "0.1", "off"], &[]),
    ("cliprange_high", &["0.2", "0.1", "off"], &[]),
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
    ("loss_scale_factor", &["6", "7"], &[("loss_agg_mode", "seq-mean-token-sum-norm")]),
    ("count_empty_rows", &["false", "true"], &[("loss_agg_mode", "seq-mean-token-sum")]),
    ("count_empty_rows", &["false", "true"], &[("loss_agg_mode", "seq-mean-token-mean")]),
    ("count_empty_rows", &["false", "true"], &[("loss_agg_mode", "seq-mean-token-sum-norm")]),
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

/// `ppo check` alone reads these: a trainer's defaults, and which rows of several files are whitened together.
const NO_NUMBER: [&str; 2] = ["dialect", "whiten_over"];

/// Values that have a test of their own.
const ALONE: [(&str, &str); 2] = [("score_at", "per-token"), ("clipfrac", "signed")];

/// Multiples of 1/32 in (−1, 1), which f32 holds.
fn numbers(seed: usize, count: usize) -> Vec<f64> {
    (0..count).map(|i| (((i * 37 + seed * 11) % 61) as f64 - 30.0) / 32.0).collect()
}

fn flags(rows: [&str; B]) -> Vec<f64> {
    rows.iter().flat_map(|row| row.bytes().map(|bit| f64::from(bit - b'0'))).collect()
}

type Tensor = (&'static str, Vec<usize>, Vec<f64>);

fn tensors() -> Vec<Tensor> {
    vec![
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
    ]
}

/// A dump in a folder of its own.
struct Choices(TempDir);

impl Choices {
    fn of(tensors: &[Tensor]) -> Choices {
        let choices = Choices(tempfile::tempdir().unwrap());
        let entry = |(name, shape, _): &Tensor| match *name {
            "actions" => Entry::ids(*name, shape.clone()),
            name => Entry::new(name, shape.clone()),
        };
        let entries: Vec<Entry> = tensors.iter().map(entry).collect();
        let mut writer = Writer::create(&choices.path(), &entries, &BTreeMap::new()).unwrap();
        for (name, _, x) in tensors {
            writer.part(name, x).unwrap();
        }
        writer.finish().unwrap();
        choices
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("choices.safetensors")
    }

    /// Every output, as bits.
    fn outputs(&self, engine: Engine, flags: &[(&str, &str)]) -> Vec<u64> {
        let flags: Vec<_> = flags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let dump = Dump::open(self.path()).unwrap();
        let chosen = dump.choose(&flags).unwrap();
        let made = evaluate(engine, &mut Inputs::load(&dump, &chosen).unwrap(), &chosen).unwrap();
        let outputs = OUTPUTS.iter().filter_map(|output| made.output(output.name));
        let bits = outputs.flat_map(|value| match value {
            Value::Scalar(x) => vec![x.to_bits()],
            Value::PerToken(x) => x.iter().map(|x| x.to_bits()).collect(),
        });
        bits.collect()
    }
}

fn engines() -> [Engine; 2] {
    [Engine::Reference, Engine::Fast(Backend::best())]
}

#[test]
fn every_value_of_every_key_changes_some_output() {
    let (choices, mut alike) = (Choices::of(&tensors()), Vec::new());
    for engine in engines() {
        for (key, values, with) in ROWS {
            let of = |value| choices.outputs(engine, &[with, &[(*key, value)][..]].concat());
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

/// A word of the sentence that says what is legal is a value if the key takes it.
#[test]
fn every_value_that_a_key_names_stands_in_its_rows() {
    let facts = |scores| Facts { t_len: B, scores };
    for key in KEYS.iter().filter(|key| !NO_NUMBER.contains(&key.name)) {
        let is_value = |word: &&str| {
            let flag = [(key.name.to_owned(), word.to_string())];
            let takes = |scores| choose(&flag, &BTreeMap::new(), facts(scores)).is_ok();
            takes(Scores::PerRow) || takes(Scores::PerToken)
        };
        for value in key.legal.split([' ', ',']).filter(is_value) {
            let in_rows = ROWS.iter().any(|(name, values, _)| *name == key.name && values.contains(&value));
            assert!(in_rows || ALONE.contains(&(key.name, value)), "no row has {value} of {}", key.name);
        }
    }
}

/// At the last valid tokens that is what `last-valid` does, to the bit; at the first ones it is not.
#[test]
fn a_score_per_token_is_paid_where_it_stands() {
    let at = |slot: fn(&str) -> Option<usize>| {
        let mut tensors = tensors();
        let (_, shape, scores) = tensors.iter_mut().find(|(name, ..)| *name == "scores").unwrap();
        let mut per_token = vec![0.0; B * B];
        for (row, score) in scores.iter().enumerate() {
            slot(VALID[row]).into_iter().for_each(|t| per_token[row * B + t] = *score);
        }
        (*shape, *scores) = (vec![B, B], per_token);
        Choices::of(&tensors)
    };
    let (first, last) = (at(|row| row.find('1')), at(|row| row.rfind('1')));
    for engine in engines() {
        let [first, last] =
            [&first, &last].map(|scores| scores.outputs(engine, &[("score_at", "per-token")]));
        let want = Choices::of(&tensors()).outputs(engine, &[("score_at", "last-valid")]);
        assert!(last == want, "{engine:?}: a score at the last valid token is paid elsewhere");
        assert!(first != want, "{engine:?}: a score at the first token is paid at the last");
    }
}

/// The smallest number times 1.3 and times 1.2 are both that number: the clip of a ratio of 1.3 changes nothing.
#[test]
fn a_clip_that_rounding_hides_is_counted_by_its_sign_alone() {
    for (engine, least) in engines().into_iter().zip([f64::from_bits(1), f64::from(f32::from_bits(1))]) {
        let one = Choices::of(&[
            ("old_log_probs", vec![1, 1], vec![0.0]),
            ("log_probs", vec![1, 1], vec![1.3f64.ln()]),
            ("advantages", vec![1, 1], vec![least]),
        ]);
        let [effective, signed] =
            ["effective", "signed"].map(|value| one.outputs(engine, &[("clipfrac", value)]));
        let differ: Vec<_> = effective.iter().zip(&signed).filter(|(a, b)| a != b).collect();
        assert_eq!(differ, [(&0f64.to_bits(), &1f64.to_bits())], "{engine:?}");
    }
}

#[test]
fn k2_with_the_gradient_of_k2_is_k2() {
    let choices = Choices::of(&tensors());
    for engine in engines() {
        let of = |value| choices.outputs(engine, &[KL_LOSS_ON, &[("kl_loss_kind", value)]].concat());
        assert!(of("k2+") == of("k2"), "{engine:?}: two gradients of k2");
    }
}
