//! How the numbers of tokens become one.

use crate::vectors::case::{Case, case};

const NAN: f64 = f64::NAN;
const MODES: [&str; 6] = [
    "token-mean",
    "token-sum",
    "seq-mean-token-sum",
    "seq-mean-token-mean",
    "seq-mean-token-sum-norm",
    "token-sum-norm",
];

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = MODES
        .iter()
        .map(|mode| g6(&format!("g6-{mode}"), "Rows of 4, 1 and 0 tokens").set("loss_agg_mode", mode))
        .collect();
    for mode in ["seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm"] {
        let comment = "The same, with the empty row counted as a row";
        let name = format!("g6-{mode}-all-rows");
        all.push(g6(&name, comment).with(&[("loss_agg_mode", mode), ("count_empty_rows", "true")]));
    }
    for mode in ["seq-mean-token-sum-norm", "token-sum-norm"] {
        let comment = "S = 4 and not the width of 6";
        let name = format!("g6-{mode}-by-4");
        all.push(g6(&name, comment).with(&[("loss_agg_mode", mode), ("loss_scale_factor", "4")]));
    }
    all.extend([
        case("one-token", "One valid token is its own mean")
            .mask(&["0100"])
            .row("per_token", [NAN, 2.5, 7.0, 7.0]),
        case("full", "Nothing is masked: every way to a mean of all is right")
            .rows("per_token", &[[1.0, 2.0], [3.0, 5.0]]),
        case("cancels", "A sum that cancels: what it may be off follows the numbers, not the sum")
            .row("per_token", [1e6, 0.1, -1e6, 0.2, -0.3]),
        case("unequal", "Lengths 1 and 3, +1 and −1: the mean of means is 0, of tokens −½")
            .mask(&["100", "111"])
            .rows("per_token", &[[1.0, 9.0, 9.0], [-1.0, -1.0, -1.0]]),
        case("unequal-rows-first", "The same, rows first: 0")
            .mask(&["100", "111"])
            .rows("per_token", &[[1.0, 9.0, 9.0], [-1.0, -1.0, -1.0]])
            .set("loss_agg_mode", "seq-mean-token-mean"),
        case("gap", "A gap inside a row is no token of it")
            .mask(&["1011", "0110"])
            .rows("per_token", &[[1.0, NAN, 2.0, 4.0], [NAN, 3.0, 8.0, 1e30]])
            .set("loss_agg_mode", "seq-mean-token-mean"),
    ]);
    all
}

/// Figure G6, with NaN and junk where nothing is read.
fn g6(name: &str, comment: &str) -> Case {
    let rows =
        [[1.0, 2.0, 3.0, 4.0, 1e30, NAN], [9.0, NAN, 5.0, 5.0, 5.0, 5.0], [NAN, 7.0, 7.0, 7.0, 7.0, 7.0]];
    case(name, comment).mask(&["111100", "100000", "000000"]).rows("per_token", &rows)
}
