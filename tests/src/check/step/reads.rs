//! What each output is made of, and the arithmetic that its tensors say it was made in.

use crate::{budget::Precision, dump::Dump};
use safetensors::Dtype;

/// The outputs that an output is made of.
pub(in crate::check) fn reads(output: &str) -> &'static [&'static str] {
    match output {
        "token_rewards" => &["kl"],
        "advantages_raw" => &["token_rewards"],
        "whitened" => &["advantages_raw"],
        "returns" => &["advantages_raw", "token_rewards", "whitened"],
        "ratio" | "ppo_kl" | "kl_loss" => &["log_probs"],
        "pg_loss" | "pg_clipfrac" | "pg_clipfrac_lower" | "grad_log_probs" => &["ratio", "whitened"],
        "vf_loss" | "vf_clipfrac" | "grad_values" => &["returns"],
        "entropy_loss" => &["entropy"],
        "total_loss" => &["pg_loss", "vf_loss", "entropy_loss", "kl_loss"],
        "grad_logits" => &["grad_log_probs"],
        _ => &[],
    }
}

/// The inputs that an output is made of, beside those of the outputs above.
fn inputs(output: &str) -> &'static [&'static str] {
    match output {
        "log_probs" | "entropy" | "grad_logits" => &["logits"],
        "kl" => &["old_log_probs", "ref_log_probs"],
        "token_rewards" => &["scores"],
        "advantages_raw" => &["rewards", "old_values", "last_values", "bootstrap_values"],
        "whitened" => &["advantages_raw"],
        "returns" => &["advantages_raw", "old_values"],
        "ratio" | "ppo_kl" => &["log_probs", "old_log_probs"],
        "pg_loss" | "pg_clipfrac" | "pg_clipfrac_lower" => &["advantages", "rollout_is_weights"],
        "grad_log_probs" => &["advantages", "rollout_is_weights", "ref_log_probs"],
        "vf_loss" | "vf_clipfrac" | "grad_values" => &["values", "old_values", "returns"],
        "kl_loss" => &["log_probs", "ref_log_probs"],
        _ => &[],
    }
}

/// f64 where every tensor of a term is stored in f64, its own and what it is made of; else f32.
pub(in crate::check) fn precision_of(dump: &Dump, output: &'static str) -> Precision {
    let mut terms = vec![output];
    let mut dtypes: Vec<Dtype> = dump.dtype_of_output(output).into_iter().collect();
    let mut at = 0;
    while at < terms.len() {
        for before in reads(terms[at]) {
            match dump.dtype_of_output(before) {
                Some(dtype) => dtypes.push(dtype),
                None if !terms.contains(before) => terms.push(before),
                None => {}
            }
        }
        dtypes.extend(inputs(terms[at]).iter().filter_map(|name| Some(dump.input(name)?.dtype)));
        at += 1;
    }
    let floats = |dtype: &&Dtype| matches!(dtype, Dtype::F64 | Dtype::F32 | Dtype::BF16 | Dtype::F16);
    if dtypes.iter().filter(floats).all(|dtype| *dtype == Dtype::F64) {
        Precision::F64
    } else {
        Precision::F32
    }
}
