//! What the book quotes is what its examples print, now.

use book::Transcript;
use std::{collections::BTreeSet, env, fs, path::Path};

macro_rules! example {
    ($module:ident, $path:literal) => {
        #[path = $path]
        #[expect(dead_code, reason = "its main is for `cargo run --example`")]
        mod $module;
    };
}

// In the order of the step.

example!(step, "../../book/examples/step.rs");

example!(notation, "../../book/examples/notation.rs");

example!(value_head, "../../book/examples/value-head.rs");

example!(log_prob, "../../book/examples/log-prob.rs");

example!(reward, "../../book/examples/reward.rs");

example!(gae, "../../book/examples/gae.rs");

example!(returns, "../../book/examples/returns.rs");

example!(whiten, "../../book/examples/whiten.rs");

example!(policy_loss, "../../book/examples/policy-loss.rs");

example!(value_loss, "../../book/examples/value-loss.rs");

example!(entropy, "../../book/examples/entropy.rs");

example!(aggregate, "../../book/examples/aggregate.rs");

example!(total_loss, "../../book/examples/total-loss.rs");

example!(inner_loop, "../../book/examples/inner-loop.rs");

example!(iteration, "../../book/examples/iteration.rs");

example!(cost, "../../book/examples/cost.rs");

example!(dialects, "../../book/examples/dialects.rs");

example!(errata, "../../book/examples/errata.rs");

example!(fast, "../../book/examples/fast.rs");

example!(order, "../../book/examples/order.rs");

example!(proof, "../../book/examples/proof.rs");

example!(check, "../../book/examples/check.rs");

/// The name of an example and what it prints.
type Example = (&'static str, fn() -> Transcript);

const EXAMPLES: &[Example] = &[
    // The rollout.
    ("step", step::listing),
    ("notation", notation::listing),
    ("value-head", value_head::listing),
    ("log-prob", log_prob::listing),
    ("reward", reward::listing),
    ("gae", gae::listing),
    ("returns", returns::listing),
    ("whiten", whiten::listing),
    // The update.
    ("policy-loss", policy_loss::listing),
    ("value-loss", value_loss::listing),
    ("entropy", entropy::listing),
    ("aggregate", aggregate::listing),
    ("total-loss", total_loss::listing),
    ("inner-loop", inner_loop::listing),
    ("iteration", iteration::listing),
    // Around it.
    ("cost", cost::listing),
    ("dialects", || dialects::listing().unwrap()),
    ("errata", errata::listing),
    // Fast, and the same.
    ("fast", || fast::listing().unwrap()),
    ("order", || order::listing().unwrap()),
    ("proof", || proof::listing().unwrap()),
    ("check", || check::listing().unwrap()),
];

/// A path in the book's folder.
fn in_book(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// With `PPO_RECORD=1` the records are written instead of compared.
#[test]
fn every_example_prints_what_is_recorded() {
    let mut other = String::new();
    for (name, listing) in EXAMPLES {
        let (file, now) = (in_book(&format!("listings/{name}.txt")), listing().to_string());
        if env::var_os("PPO_RECORD").is_some() {
            fs::write(&file, &now).unwrap();
        }
        let recorded = fs::read_to_string(&file).unwrap_or_default();
        let line = now.lines().zip(recorded.lines()).find(|(now, recorded)| now != recorded);
        if now != recorded {
            let (now, recorded) = line.unwrap_or(("another number of lines", ""));
            let again =
                format!("cargo run --release -q -p ppo-book --example {name} > book/listings/{name}.txt");
            other.push_str(&format!("{name}: now `{now}`, recorded `{recorded}`; record it by\n  {again}\n"));
        }
    }
    assert!(other.is_empty(), "{other}");
}

#[test]
fn no_example_and_no_record_is_forgotten() {
    let stems = |folder: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(in_book(folder)).unwrap().map(|entry| entry.unwrap().path());
        let text =
            entries.filter(|path| path.extension().is_some_and(|found| found == "rs" || found == "txt"));
        text.map(|path| path.file_stem().unwrap().to_str().unwrap().to_string()).collect()
    };
    let known: BTreeSet<String> = EXAMPLES.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(stems("examples"), known, "examples, and those that this test runs");
    assert_eq!(stems("listings"), known, "records, and the examples that this test runs");
}
