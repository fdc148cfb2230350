//! Whitening: which variance, where ε stands, and over which tokens.

use crate::vectors::case::{Case, case};

const NAN: f64 = f64::NAN;
const VARIANCES: [&str; 2] = ["sample", "population"];
const EPS_AT: [&str; 3] = ["std", "under-root", "var-floor"];

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    for (n, row) in [(1, &SIX[..1]), (2, &SIX[..2]), (6, &SIX[..])] {
        for variance in VARIANCES {
            for eps_at in EPS_AT {
                let comment = match (n, variance) {
                    (1, "sample") => {
                        "One token has no sample variance: 0 / 0 is NaN. A trainer that guards against it leaves the case out"
                    }
                    (1, _) => "One token is its own mean: 0",
                    (2, _) => "Two tokens: n and n − 1 differ by a factor of √2",
                    _ => "Six tokens, one of them far off",
                };
                // ε = .01 tells its three places apart.
                all.push(
                    case(format!("{n}-{variance}-{eps_at}"), comment)
                        .tensor("advantages_raw", &[1, n], row.to_vec())
                        .with(&[("variance", variance), ("eps_at", eps_at), ("eps", "0.01")]),
                );
            }
        }
    }
    all.extend([
        g2("g2-sample", "Figure G2: mean −.0796, variance .4585 of n − 1").set("variance", "sample"),
        g2("g2-population", "Figure G2: variance .4012 of n").set("variance", "population"),
        case("g4", "Figure G4: rewards whitened with their mean kept, over 6 tokens and not over 8 slots")
            .mask(&["1100", "1111"])
            .rows("advantages_raw", &[[0.0, 1.0, 5.0, NAN], [0.0, 0.0, 0.0, 3.0]])
            .with(&[("eps_at", "under-root"), ("shift_mean", "false")]),
        case("keeps-its-mean", "The mean is added back: shift_mean false")
            .row("advantages_raw", SIX)
            .set("shift_mean", "false"),
        case("all-equal", "No deviation at all: 0, and ε keeps from dividing by 0")
            .row("advantages_raw", [0.5, 0.5, 0.5])
            .set("eps", "0.01"),
        case("large-and-near", "64 + k/64: a variance as E[x²] − E[x]² cancels")
            .row("advantages_raw", [64.0, 64.015625, 64.03125, 64.046875]),
        case("unequal-rows", "One mean and one variance for the batch, not one a row")
            .mask(&["1111", "1100"])
            .rows("advantages_raw", &[[1.0, 2.0, 3.0, 6.0], [-4.0, -2.0, NAN, 1e30]])
            .set("variance", "population"),
        case("empty-row", "A row without tokens adds nothing to the statistics")
            .mask(&["011", "000"])
            .rows("advantages_raw", &[[NAN, 1.0, -2.0], [NAN, 7.0, 7.0]])
            .set("eps_at", "under-root"),
        case("square", "As many rows as tokens")
            .mask(&["11", "11"])
            .rows("advantages_raw", &[[1.0, -0.5], [3.0, 0.25]]),
        case("floor-holds", "The variance is below ε, and ε stands for it: OpenRLHF's floor")
            .row("advantages_raw", [0.25, 0.5])
            .with(&[("variance", "population"), ("eps_at", "var-floor"), ("eps", "0.25")]),
        case("floor-tie", "The variance is ε").row("advantages_raw", [0.5, 1.5]).with(&[
            ("variance", "population"),
            ("eps_at", "var-floor"),
            ("eps", "0.25"),
        ]),
    ]);
    all
}

const SIX: [f64; 6] = [0.5, -1.0, 2.0, 0.25, -0.75, 3.0];

/// The advantages of figure G1 by four digits, with what a skipping recursion leaves in masked slots.
fn g2(name: &str, comment: &str) -> Case {
    let rows =
        [[0.2581, 0.5251, 0.3404, 0.6950, 0.0, 0.0], [-0.0312, -0.6405, -0.4938, -0.4938, -0.4938, -1.2900]];
    case(name, comment).mask(&["111100", "110011"]).rows("advantages_raw", &rows).set("eps_at", "under-root")
}
