//! Smaller dumps: what can be computed is, and a sentence says what was skipped and why.

use crate::{
    dumps::{B, Folder, L, Tensor, mask, matrix, sixteenths, tensor, without},
    json::json,
    step,
};

/// The names of the terms that are shown, and the notes.
fn told(tensors: &[Tensor], flags: &[&str]) -> (Vec<String>, Vec<String>) {
    let folder = Folder::new();
    let path = folder.dump("d", tensors, &[]);
    let json = json(&path, flags);
    let strings = |of: &serde_json::Value| of.as_str().unwrap().to_owned();
    let notes: Vec<String> = json["notes"].as_array().unwrap().iter().map(strings).collect();
    let text = step(&path, flags).fine();
    for note in &notes {
        assert!(text.contains(&format!("\nNote: {note}.\n")), "{note} is not in {text}");
    }
    (json["terms"].as_array().unwrap().iter().map(|term| strings(&term["name"])).collect(), notes)
}

const POLICY: [&str; 5] = ["ratio", "pg_loss", "pg_clipfrac", "pg_clipfrac_lower", "ppo_kl"];
const VALUE: [&str; 2] = ["vf_loss", "vf_clipfrac"];
const TARGETS: [&str; 3] = ["advantages_raw", "whitened", "returns"];

const NO_KL: &str = "kl and kl_loss are skipped: the file has no `ref_log_probs`";
const NO_ENTROPY: &str = "entropy and grad_logits are skipped: the file has no `logits`";
const NO_TOTAL: &str = "total_loss and the gradients are skipped: there is no policy loss";
const NO_CRITIC: &str = "GAE, returns and the value loss are skipped: the file has no values (no critic)";

#[test]
fn the_value_loss_stands_alone() {
    let mut tensors = vec![matrix("values", 1), matrix("old_values", 2), matrix("returns", 3)];
    tensors.push(tensor("vf_loss", &[], vec![0.5]));
    let (terms, notes) = told(&tensors, &[]);
    assert_eq!(terms, VALUE);
    let no_policy = "the policy loss is skipped: the file has no `log_probs` (nor `logits` with `actions`) and no \
                     `old_log_probs` and no `advantages`";
    let no_gae = "GAE is skipped: the file has no `scores` or `rewards`";
    assert_eq!(notes, [NO_KL, no_gae, no_policy, NO_ENTROPY, NO_TOTAL]);
    let (terms, _) = told(&tensors, &["--grad-of", "vf_loss"]);
    assert_eq!(terms, ["vf_loss", "vf_clipfrac", "grad_values"]);
}

#[test]
fn without_values_there_is_no_critic() {
    let (terms, notes) = told(&without(&["old_values", "values", "ref_log_probs"]), &[]);
    assert_eq!(terms, ["token_rewards"]);
    let no_policy = "the policy loss is skipped: the file has no `advantages`";
    assert_eq!(notes, [NO_KL, NO_CRITIC, no_policy, NO_ENTROPY, NO_TOTAL]);
}

/// GRPO and RLOO bring advantages of their own.
#[test]
fn without_values_the_policy_loss_takes_the_advantages_of_the_file() {
    let mut tensors = without(&["old_values", "values", "ref_log_probs", "scores"]);
    tensors.push(matrix("advantages", 8));
    let (terms, notes) = told(&tensors, &["--vf-coef", "0", "--entropy-coef", "0"]);
    assert_eq!(terms, [&POLICY[..], &["total_loss", "grad_log_probs"]].concat());
    assert_eq!(notes, [NO_KL, NO_CRITIC, NO_ENTROPY]);
    let (_, notes) = told(&tensors, &[]);
    let no_total = "total_loss and the gradients are skipped: `vf_coef` is 0.5 and there is no value loss (0 leaves \
                    it out)";
    assert_eq!(notes, [NO_KL, NO_CRITIC, NO_ENTROPY, no_total]);
}

/// README's own dump.
#[test]
fn log_probs_without_logits_have_no_entropy_and_a_total_only_without_its_coefficient() {
    let (terms, notes) = told(&without(&["ref_log_probs"]), &[]);
    assert_eq!(terms, [&["token_rewards"], &TARGETS[..], &POLICY, &VALUE].concat());
    let no_total = "total_loss and the gradients are skipped: `entropy_coef` is 0.01 and there is no entropy (0 \
                    leaves it out)";
    assert_eq!(notes, [NO_KL, NO_ENTROPY, no_total]);
    let (terms, notes) = told(&without(&[]), &["--entropy-coef", "0"]);
    assert_eq!(notes, [NO_ENTROPY]);
    assert!(
        ["kl", "kl_loss", "total_loss", "grad_log_probs", "grad_values"]
            .iter()
            .all(|name| { terms.contains(&name.to_string()) })
    );
}

#[test]
fn logits_without_actions_give_the_entropy_alone() {
    let (terms, notes) = told(&[mask(), tensor("logits", &[B, L, 4], sixteenths(1, B * L * 4))], &[]);
    assert_eq!(terms, ["entropy", "entropy_loss"]);
    assert!(notes.contains(&"grad_logits is skipped: the file has no `actions`".to_owned()), "{notes:?}");
    assert!(notes.contains(&NO_CRITIC.to_owned()), "{notes:?}");
}

#[test]
fn each_input_that_is_missing_is_named_by_what_needs_it() {
    for (missing, said) in [
        ("values", "the value loss is skipped: the file has no V now (`values` beside `old_values`)"),
        ("scores", "GAE and returns are skipped: the file has no `scores` or `rewards`"),
        ("scores", "the value loss is skipped: the file has no returns"),
        ("old_log_probs", "the policy loss is skipped: the file has no `old_log_probs`"),
        ("old_log_probs", "kl is skipped: the file has no `old_log_probs`"),
        ("log_probs", "kl_loss is skipped: the file has no `log_probs` (nor `logits` with `actions`)"),
    ] {
        let (_, notes) = told(&without(&[missing]), &[]);
        assert!(notes.contains(&said.to_owned()), "without {missing}: {notes:?}");
    }
    let tensors = [mask(), tensor("scores", &[B], sixteenths(1, B)), matrix("vpreds", 2)];
    let (_, notes) = told(&tensors, &[]);
    assert!(
        notes.contains(&"GAE and returns are skipped: the file has no `old_values`".to_owned()),
        "{notes:?}"
    );
}

#[test]
fn an_output_that_cannot_be_compared_is_named() {
    let folder = Folder::new();
    let mut tensors = without(&["old_values", "values"]);
    tensors.extend([tensor("vf_loss", &[], vec![1.0]), tensor("pg_loss", &[1], vec![1.0])]);
    let path = folder.dump("d", &tensors, &[]);
    assert_eq!(json(&path, &[])["not_computed"], serde_json::json!(["pg_loss", "vf_loss"]));
    let text = step(&path, &[]).fine();
    assert!(text.contains("\nIn the file, but not computed here: pg_loss, vf_loss\n"), "{text}");
}

#[test]
fn a_setting_that_needs_what_is_not_there_is_refused() {
    let folder = Folder::new();
    let path = folder.dump("d", &without(&["ref_log_probs"]), &[]);
    for (flags, said) in [
        (
            ["--kl-coef", "0.1"],
            "`kl_coef` is 0.1, and `ref_log_probs`, of which the KL is made, is not in the file",
        ),
        (["--kl-loss-coef", "0.1"], "`kl_loss_coef` is 0.1, and `ref_log_probs` is not in the file"),
        (
            ["--score-at", "last-attended"],
            "`score_at` is last-attended, and `attention_mask` is not in the file",
        ),
    ] {
        let sentence = step(&path, &flags).refused();
        assert!(sentence.ends_with(said), "{sentence}");
    }
}
