//! The entropy of a row of logits, and its mean.

use crate::vectors::case::{Case, case};

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let two = || case("", "").logits(&[[0.5, -0.25, 1.0], [2.0, 0.0, -1.5]]).digits("actions", &["02"]);
    let of =
        |base: Case, name: &str, comment: &str| Case { name: name.into(), comment: comment.into(), ..base };
    vec![
        case("even", "Two equal logits: ln 2 nats, or 1 bit").logits(&[[7.0, 7.0]]),
        case("four", "Four equal logits: ln 4").logits(&[[-1.0, -1.0, -1.0, -1.0]]),
        case("certain", "One token has all the probability: 0").logits(&[[1000.0, 0.0, 0.0]]),
        case("forbidden", "−∞ forbids a token, and 0 · −∞ adds nothing")
            .logits(&[[-INF, 0.0, 0.0], [1.0, -INF, -INF]]),
        of(two(), "plain", "At temperature 1"),
        of(two(), "half-temperature", "Of the divided logits, as sampling sees them")
            .set("entropy_temperature", "0.5"),
        of(two(), "double-temperature", "A higher temperature, a higher entropy")
            .set("entropy_temperature", "2.0"),
        case("all-negative", "No logit is above −200").logits(&[[-200.0, -201.0, -200.5]]),
        case("all-far-below", "No logit is above −800, where exp is 0 in f64 too")
            .logits(&[[-800.0, -801.0, -800.5]]),
        case("seventeen", "17 logits near −50, one more than a tile of 16").tensor(
            "logits",
            &[1, 1, 17],
            (0..17).map(|v| -50.0 + f64::from(v * 7 % 17) / 8.0).collect(),
        ),
        case("shifted", "plain with 64 added to every logit: the same entropies")
            .logits(&[[64.5, 63.75, 65.0], [66.0, 64.0, 62.5]]),
        unequal("padded", "Masked slots hold NaN and ∞; the mean is over 3 tokens and not over 8 slots"),
        unequal("rows-first", "The mean over rows of each row's mean; the empty row is none")
            .set("loss_agg_mode", "seq-mean-token-mean"),
        unequal("rows-of-sums", "The mean over all rows of each row's sum, the empty one counted")
            .with(&[("loss_agg_mode", "seq-mean-token-sum"), ("count_empty_rows", "true")]),
        case(
            "invalid-log-prob",
            "A masked slot's log-prob is 1, TRL's mark for none, and is no part of an entropy",
        )
        .mask(&["110"])
        .logits(&[[0.0, 1.0], [0.5, 0.0], [2.0, 0.0]])
        .row("log_probs", [-1.3125, -0.5, 1.0]),
        case("square", "As many rows as tokens").tensor(
            "logits",
            &[2, 2, 2],
            vec![0.0, 1.0, 0.0, -2.0, 0.5, 0.0, 3.0, 0.0],
        ),
    ]
}

/// Two tokens, one token and an empty row, in that order.
fn unequal(name: &str, comment: &str) -> Case {
    let logits = vec![
        0.0, 1.0, 0.0, -2.0, NAN, NAN, NAN, 1.0, //
        1e30, 0.0, 0.5, 0.0, INF, INF, 0.0, NAN, //
        NAN, NAN, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    ];
    case(name, comment).mask(&["1100", "0100", "0000"]).tensor("logits", &[3, 4, 2], logits)
}
