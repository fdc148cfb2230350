//! Log-probs from logits.

use crate::vectors::case::{Case, case};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    vec![
        case("even", "Two equal logits: −ln 2, whichever is taken")
            .logits(&[[0.0, 0.0]])
            .digits("actions", &["1"]),
        case("each-its-own", "Token t has the log-prob of its own row, not of the next")
            .logits(&[[0.0, 1.0, 2.0], [3.0, 1.0, 0.5], [-1.0, 0.0, 4.0]])
            .digits("actions", &["201"]),
        case("half-temperature", "Logits are divided by τ, so τ = ½ doubles them")
            .logits(&[[0.5, -0.25, 1.0], [2.0, 0.0, -1.5]])
            .digits("actions", &["02"])
            .set("temperature", "0.5"),
        case("double-temperature", "τ = 2 halves them")
            .logits(&[[0.5, -0.25, 1.0], [2.0, 0.0, -1.5]])
            .digits("actions", &["02"])
            .set("temperature", "2.0"),
        case("all-negative", "No logit is above −200: a running maximum that begins at 0 gives −∞")
            .logits(&[[-200.0, -201.0, -200.5], [-300.0, -200.0, -250.0]])
            .digits("actions", &["11"]),
        case("all-far-below", "No logit is above −800, where exp is 0 in f64 too")
            .logits(&[[-800.0, -801.0], [-1000.0, -999.5]])
            .digits("actions", &["10"]),
        case("forbidden", "−∞ forbids a token: it adds nothing to the sum")
            .logits(&[[-INF, 1.0, 0.0, -INF], [2.0, -INF, -INF, -INF]])
            .digits("actions", &["10"]),
        case("forbidden-warm", "A temperature leaves −∞ as it is")
            .logits(&[[-INF, 1.0, 0.5]])
            .digits("actions", &["2"])
            .set("temperature", "0.7"),
        case("one-token", "A vocabulary of one: log 1").logits(&[[3.5], [-7.0]]).digits("actions", &["00"]),
        case("far", "exp(−1000) is 0, and its log-prob is still −1000")
            .logits(&[[1000.0, 0.0], [0.0, 1000.0]])
            .digits("actions", &["11"]),
        case(
            "seventeen",
            "17 logits near −50, one more than a tile of 16: phantom zeros in the last tile would win",
        )
        .tensor("logits", &[1, 2, 17], (0..34).map(|v| -50.0 + f64::from(v * 7 % 17) / 8.0).collect())
        .digits("actions", &["93"]),
        case("thirty-three", "33 logits of both signs")
            .tensor("logits", &[1, 1, 33], (0..33).map(|v| f64::from(v * 13 % 33) / 4.0 - 4.0).collect())
            .digits("actions", &["8"]),
        case("shifted", "each-its-own with 64 added to every logit: the same log-probs")
            .logits(&[[64.0, 65.0, 66.0], [67.0, 65.0, 64.5], [63.0, 64.0, 68.0]])
            .digits("actions", &["201"]),
        case("padded", "A leading gap, padding, and NaN and ∞ where nothing is read")
            .mask(&["0110"])
            .logits(&[[NAN, 0.0], [1.0, 0.0], [0.0, 1.0], [INF, INF]])
            .digits("actions", &["0101"]),
        case("gap", "A tool's tokens inside the row have logits too, and they are not the policy's")
            .mask(&["1101", "1000"])
            .tensor(
                "logits",
                &[2, 4, 2],
                vec![
                    0.0, 1.0, 2.0, 0.0, NAN, 5.0, 1.0, 1.5, //
                    -1.0, 1.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0,
                ],
            )
            .digits("actions", &["1010", "1111"]),
    ]
}
