//! Which name plays which role.

use conformance::dump::Roles;

/// The roles as `input=name` and `output:name`.
fn roles(names: &[&str]) -> Vec<String> {
    let roles = Roles::of(names.iter().copied()).expect("the names are good");
    let inputs = roles.inputs.iter().map(|(row, name)| format!("{row}={name}"));
    let outputs = roles.outputs.iter().map(|(row, name)| format!("{row}:{name}"));
    inputs.chain(outputs).collect()
}

fn refusal(names: &[&str]) -> String {
    Roles::of(names.iter().copied()).expect_err("the names clash").to_string()
}

#[test]
fn every_alias_is_read_as_its_row() {
    for (row, also) in [
        ("response_mask", "mask"),
        ("response_mask", "action_mask"),
        ("scores", "token_level_scores"),
        ("rewards", "token_level_rewards"),
        ("old_log_probs", "old_logprobs"),
        ("log_probs", "logprobs"),
        ("log_probs", "new_log_probs"),
        ("ref_log_probs", "ref_log_prob"),
        ("ref_log_probs", "ref_logprobs"),
        ("actions", "responses"),
        ("last_values", "next_values"),
        ("values", "vpreds"),
    ] {
        assert_eq!(roles(&[also]), [format!("{row}={also}")]);
        assert_eq!(roles(&[row]).len(), 1, "{row}");
        if also != "vpreds" {
            let got = refusal(&[row, also]);
            assert!(got.starts_with(&format!("`{row}` and `{also}` both claim the row `{row}`")), "{got}");
        }
    }
}

#[test]
fn values_alone_or_beside_vpreds_are_the_old_ones() {
    assert_eq!(roles(&["values"]), ["old_values=values"]);
    assert_eq!(roles(&["values", "vpreds"]), ["old_values=values", "values=vpreds"]);
    assert_eq!(roles(&["old_values", "values"]), ["old_values=old_values", "values=values"]);
    assert_eq!(roles(&["old_values", "vpreds"]), ["old_values=old_values", "values=vpreds"]);
}

#[test]
fn values_between_old_values_and_vpreds_could_be_two_rows() {
    let want = "`values` could be the row `old_values` (also read as `values`) beside `vpreds`, or the row \
                `values` (also read as `vpreds`) beside `old_values`: keep two of the three";
    assert_eq!(refusal(&["old_values", "values", "vpreds"]), want);
}

#[test]
fn rewards_are_an_output_beside_scores_and_else_an_input() {
    for name in ["rewards", "token_level_rewards", "token_rewards"] {
        assert_eq!(roles(&[name]), [format!("rewards={name}")]);
        assert_eq!(roles(&["scores", name]), ["scores=scores".to_string(), format!("token_rewards:{name}")]);
        assert_eq!(roles(&["token_level_scores", name])[1], format!("token_rewards:{name}"));
    }
    assert_eq!(roles(&["rewards", "token_rewards"]), ["rewards=rewards", "token_rewards:token_rewards"]);
}

#[test]
fn two_tensors_that_claim_one_row_are_refused_with_the_row() {
    let want = "`rewards` and `token_level_rewards` both claim the row `rewards` (also read as \
                `token_level_rewards`, `token_rewards`) of the inputs: keep one of them";
    assert_eq!(refusal(&["rewards", "token_level_rewards"]), want);
    let want = "`rewards` and `token_rewards` both claim the row `token_rewards` (also read as `rewards`, \
                `token_level_rewards`) of the outputs: keep one of them";
    assert_eq!(refusal(&["scores", "rewards", "token_rewards"]), want);
    let got = refusal(&["scores", "old_values", "whitened", "advantages"]);
    assert!(got.starts_with("`whitened` and `advantages` both claim the row `whitened`"), "{got}");
}

#[test]
fn advantages_are_an_output_where_they_can_be_computed() {
    assert!(roles(&["advantages_raw"]).contains(&"advantages_raw=advantages_raw".to_string()));
    assert!(roles(&["advantages_raw", "scores"]).contains(&"advantages_raw=advantages_raw".to_string()));
    assert!(roles(&["advantages_raw", "old_values"]).contains(&"advantages_raw=advantages_raw".to_string()));
    for rewards in ["scores", "rewards", "token_rewards"] {
        for values in ["old_values", "values"] {
            let got = roles(&["advantages_raw", rewards, values]);
            assert!(got.contains(&"advantages_raw:advantages_raw".to_string()), "{got:?}");
        }
    }
}

#[test]
fn whitened_advantages_are_an_output_behind_raw_ones() {
    for name in ["whitened", "advantages"] {
        assert_eq!(roles(&[name]), [format!("advantages={name}")]);
        assert_eq!(roles(&[name, "advantages_raw"])[1], format!("whitened:{name}"));
        assert_eq!(roles(&[name, "scores", "old_values"])[2], format!("whitened:{name}"));
        assert_eq!(roles(&[name, "scores"])[0], format!("advantages={name}"));
    }
}

#[test]
fn returns_are_an_output_where_advantages_and_values_are() {
    assert!(roles(&["values", "old_values", "returns"]).contains(&"returns=returns".to_string()));
    assert!(roles(&["scores", "returns"]).contains(&"returns=returns".to_string()));
    assert!(roles(&["scores", "old_values", "returns"]).contains(&"returns:returns".to_string()));
    assert!(roles(&["advantages_raw", "old_values", "returns"]).contains(&"returns:returns".to_string()));
    assert!(roles(&["advantages", "old_values", "returns"]).contains(&"returns=returns".to_string()));
}

#[test]
fn log_probs_are_an_output_beside_logits_and_actions() {
    assert!(roles(&["log_probs", "logits"]).contains(&"log_probs=log_probs".to_string()));
    for name in ["log_probs", "logprobs", "new_log_probs"] {
        for actions in ["actions", "responses"] {
            assert!(roles(&[name, "logits", actions]).contains(&format!("log_probs:{name}")));
        }
    }
}

#[test]
fn a_name_that_no_row_claims_is_listed_and_safe_to_print() {
    let roles = Roles::of(["scores", "prompt\nids", "entropy"]).unwrap();
    assert_eq!(roles.unknown, ["prompt\\nids"]);
    assert_eq!(roles.outputs.keys().copied().collect::<Vec<_>>(), ["entropy"]);
}
