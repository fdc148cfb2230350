//! B, L and V, and the sentence for a tensor that disagrees.

use crate::file::{File, step};

const TOKENS: [usize; 2] = [2, 3];

#[test]
fn the_mask_says_the_shape_or_else_the_first_tensor_that_is_no_value() {
    let shape = step().open().unwrap().shape().clone();
    assert_eq!((shape.b, shape.t_len, shape.vocab), (2, 3, Some(2)));
    let values = File::new().all("old_values", &[2, 4], 0.5);
    assert_eq!(values.open().unwrap().shape().t_len, 4);
    let got = values.clone().all("old_log_probs", &TOKENS, -1.0).refusal(&[]);
    assert!(
        got.starts_with("`old_values` is 4 wide, and `old_log_probs` is 3: if its last column is V"),
        "{got}"
    );
    let logits = File::new().all("logits", &[2, 3, 5], 0.0).open().unwrap();
    assert_eq!((logits.shape().b, logits.shape().t_len, logits.shape().vocab), (2, 3, Some(5)));
}

#[test]
fn a_tensor_that_carries_the_prompt_is_refused_with_its_slice() {
    let got = step().all("old_log_probs", &[2, 8], -1.0).refusal(&[]);
    let want = "`old_log_probs` is 8 wide, and `response_mask` is 3: if it still carries the prompt, pass \
                `old_log_probs[:, -3:]`";
    assert_eq!(got, want);
    let aligned = |name: &str| {
        format!(
            "`{name}` is 8 wide, and `response_mask` is 3: if it still carries the prompt, pass `{name}[:, -4:-1]` \
             where position t comes before token t + 1, as models return it, or `{name}[:, -3:]` where it is \
             aligned"
        )
    };
    assert_eq!(step().all("values", &[2, 8], 0.0).refusal(&[]), aligned("values"));
    assert_eq!(step().all("logits", &[2, 8, 2], 0.0).refusal(&[]), aligned("logits"));
}

#[test]
fn a_narrower_tensor_is_refused_with_both_widths() {
    let want = "`scores` is 2 wide, and `response_mask` is 3: each holds one column per response token, padding \
                included; if `response_mask` still carries the prompt, pass `response_mask[:, -2:]`";
    assert_eq!(step().all("scores", &[2, 2], 0.0).refusal(&[]), want);
}

#[test]
fn values_one_wider_are_told_of_last_values() {
    for name in ["old_values", "values"] {
        let want = format!(
            "`{name}` is 4 wide, and `response_mask` is 3: if its last column is V after the last token, pass \
             `{name}[:, :-1]`, and V after the last valid token as `last_values` (B)"
        );
        assert_eq!(step().all(name, &[2, 4], 0.0).refusal(&[]), want);
    }
    let got = step().without("values").without("old_values").all("vpreds", &[2, 4], 0.0).refusal(&[]);
    assert!(got.contains("`vpreds[:, :-1]`"), "{got}");
}

#[test]
fn a_wrong_number_of_rows_or_axes_is_refused() {
    let rows = step().all("old_values", &[3, 3], 0.0).refusal(&[]);
    assert_eq!(rows, "`old_values` has 3 rows, and `response_mask` has 2");
    let rows = step().all("last_values", &[5], 0.0).refusal(&[]);
    assert_eq!(rows, "`last_values` has 5 rows, and `response_mask` has 2");
    for (name, shape, wanted) in [
        ("old_values", &[2, 3, 1][..], "(B, L)"),
        ("old_values", &[6], "(B, L)"),
        ("scores", &[], "(B) or (B, L)"),
        ("token_level_scores", &[2], "(B, L)"),
        ("last_values", &[2, 1], "(B)"),
        ("logits", &[2, 3], "(B, L, V)"),
        ("pg_loss", &[2], "one number"),
        ("pg_loss", &[1, 1], "one number"),
        ("returns", &[6], "(B, L)"),
    ] {
        let file = if name == "token_level_scores" { step().without("scores") } else { step() };
        let want = format!("`{name}` has shape {shape:?}, and must be {wanted}");
        assert_eq!(file.all(name, shape, 0.0).refusal(&[]), want);
    }
}

#[test]
fn an_output_of_another_shape_is_refused_too() {
    let got = step().all("returns", &[2, 4], 0.0).refusal(&[]);
    assert!(got.starts_with("`returns` is 4 wide, and `response_mask` is 3"), "{got}");
    let got = step().all("grad_logits", &[2, 3, 5], 0.0).refusal(&[]);
    assert_eq!(got, "`grad_logits` has a vocabulary of 5, and `logits` of 2");
}

#[test]
fn a_batch_without_a_token_is_refused() {
    for shape in [[0, 3], [2, 0]] {
        let got = File::new().flags("mask", &shape, &[]).refusal(&[]);
        assert_eq!(got, format!("`mask` is {} × {}: there is no token", shape[0], shape[1]));
    }
    let got = step().all("logits", &[2, 3, 0], 0.0).refusal(&[]);
    assert_eq!(got, "`logits` has a vocabulary of 0, and it must be 1 to 16777216");
    let got = step().flags("response_mask", &TOKENS, &[0; 6]).refusal(&[]);
    assert_eq!(got, "`response_mask` has no valid token to take a mean over");
    assert!(step().flags("response_mask", &TOKENS, &[0; 6]).load(&[("listing", "unmasked")]).is_err());
}
