//! README's bound: 64 MB, 24 arrays of B · L f64 numbers and 6 of one token's logits, whatever the file.
//!
//! A limit of address space is never less than the memory that is used, so to pass under it is to keep the
//! bound. The files are mostly holes.
#![cfg(target_os = "linux")]

use crate::{
    dumps::{Folder, header, raw},
    root, step_within,
};
use std::path::{Path, PathBuf};

const ARRAYS: u64 = 24;
const ROWS: u64 = 6;

/// A quarter of the 64 MB, so that two arrays more than README says are seen.
const BASE: u64 = 16_000_000;

fn bound(b: u64, t_len: u64, vocab: u64) -> u64 {
    BASE + 8 * (ARRAYS * b * t_len + ROWS * vocab)
}

#[test]
fn the_bound_is_readme_s() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap().replace('\n', " ");
    let said = format!(
        "64 MB plus {ARRAYS} arrays of B · L f64 numbers (inputs, terms, gradients and temporaries together) plus \
         {ROWS} of one token's logits"
    );
    assert!(readme.contains(&said), "README says otherwise than: {said}");
}

/// Everything that a dump can hold at once, with `valid` tokens a row; returns its bytes too.
fn dump(folder: &Folder, (b, t_len, vocab): (u64, u64, u64), valid: u64) -> (PathBuf, u64) {
    let tokens = vec![b, t_len];
    let number = |name| (name, "F64", 8, tokens.clone());
    let flag = |name| (name, "U8", 1, tokens.clone());
    let mut tensors =
        vec![flag("response_mask"), flag("attention_mask"), ("actions", "I64", 8, tokens.clone())];
    tensors.extend(["truncated", "terminated", "dones"].map(flag));
    let inputs = ["scores", "old_values", "values", "old_log_probs", "ref_log_probs", "rollout_is_weights"];
    tensors.extend(inputs.map(number));
    tensors.push(number("bootstrap_values"));
    let outputs =
        ["token_rewards", "kl", "advantages_raw", "returns", "whitened", "ratio", "log_probs", "entropy"];
    tensors.extend(outputs.map(number));
    tensors.extend(["grad_log_probs", "grad_values"].map(number));
    tensors.extend(["logits", "grad_logits"].map(|name| (name, "F32", 4, vec![b, t_len, vocab])));
    // The header is sorted by name, the data is not: the mask comes first in it.
    let (header, bytes) =
        header(&tensors, &[("kl_coef", "0.1"), ("kl_loss_coef", "0.1"), ("lam_critic", "0.9")]);
    let row: Vec<u8> = (0..t_len).map(|t| u8::from(t < valid)).collect();
    let path = folder.path("large");
    raw(&path, &header, &row.repeat(b as usize), bytes);
    (path, bytes)
}

fn fits(path: &Path, limit: u64, flags: &[&str]) {
    let out = step_within(limit, path, flags).fine();
    assert!(out.contains("grad_logits"), "{out}");
}

/// A million slots in a file of 17 GB: held whole, its logits and their gradient alone are 2000 arrays each.
#[test]
fn many_tokens_fit_into_it() {
    let folder = Folder::new();
    let sizes @ (b, t_len, vocab) = (64, 16_384, 2_000);
    let (path, bytes) = dump(&folder, sizes, 2);
    assert!(bytes > 50 * bound(b, t_len, vocab));
    fits(&path, bound(b, t_len, vocab), &[]);
    fits(&path, bound(b, t_len, vocab), &["--listing", "returns-from-whitened", "--lam-critic", "0.95"]);
}

/// Every token of 64 sequences of 4096, and what is written.
#[test]
fn every_token_of_a_large_batch_fits_into_it_with_out() {
    let folder = Folder::new();
    let (b, t_len, vocab) = (64, 4_096, 16);
    let (path, bytes) = dump(&folder, (b, t_len, vocab), t_len);
    let limit = bound(b, t_len, vocab);
    fits(&path, limit, &["--out", folder.path("terms").to_str().unwrap()]);
    let written = std::fs::metadata(folder.path("terms")).unwrap().len();
    assert!(bytes + written > 3 * limit / 2, "{bytes} and {written} of {limit}");
}

/// A vocabulary of 2 million: 16 MB a row of logits, 16 rows of them and of their gradient.
#[test]
fn a_wide_vocabulary_fits_into_it_with_out() {
    let folder = Folder::new();
    let (b, t_len, vocab) = (2, 8, 2_100_000);
    let (path, _) = dump(&folder, (b, t_len, vocab), 1);
    let limit = bound(b, t_len, vocab);
    fits(&path, limit, &["--out", folder.path("terms").to_str().unwrap()]);
    assert!(std::fs::metadata(folder.path("terms")).unwrap().len() > limit);
}

/// What people have: a few tokens of 200,000.
#[test]
fn a_common_vocabulary_leaves_most_of_it_unused() {
    let folder = Folder::new();
    let (path, _) = dump(&folder, (2, 4, 200_000), 2);
    fits(&path, 32_000_000, &["--out", folder.path("terms").to_str().unwrap()]);
}
