//! What the critic is trained on.

use crate::vectors::case::{Case, case};

const NAN: f64 = f64::NAN;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let three = |name: &str, comment: &str| {
        case(name, comment)
            .with(&[("gamma", "0.9"), ("lam", "0.8")])
            .row("rewards", [0.1, -0.2, 0.3])
            .row("old_values", [0.5, 0.4, -0.1])
            .per_row("last_values", &[2.0])
    };
    vec![
        case("g3", "Figures G1 and G3: the mean of the returns is .2329, and from whitened advantages it is the mean of V")
            .with(&[("gamma", "0.9"), ("lam", "0.8")])
            .mask(&["111100", "110011"])
            .rows("rewards", &[[-0.01, 0.02, -0.03, 0.995, NAN, NAN], [-0.02, -0.01, NAN, NAN, 0.01, -0.54]])
            .rows("old_values", &[[0.2, 0.1, 0.4, 0.3, 9.9, -7.7], [0.0, 0.5, 3.3, -2.2, 0.25, 0.75]]),
        three("bootstrapped", "λ-returns with V after the row"),
        three("monte-carlo", "λ = 1: the discounted sum of rewards and V_T, whatever V says").set("lam", "1"),
        three("own-lambda", "The advantages by λ = .8, the returns by λ = 1").set("lam_critic", "1.0"),
        three("own-lambda-zero", "The returns by λ = 0: r + γ V of the next token").set("lam_critic", "0"),
        three("gamma-zero", "γ = 0: the return is the reward, whatever V says").set("gamma", "0"),
        case("large-rewards", "Rewards of a hundred move the target by a hundred")
            .with(&[("gamma", "0.9"), ("lam", "0.8")])
            .rows("rewards", &[[0.0, 100.0], [0.0, -50.0]])
            .rows("old_values", &[[0.5, 0.25], [0.125, -0.5]]),
        case("empty-row", "A row without tokens has no return")
            .with(&[("gamma", "0.9"), ("lam", "0.8")])
            .mask(&["11", "00"])
            .rows("rewards", &[[0.5, 1.0], [NAN, NAN]])
            .rows("old_values", &[[0.25, -0.5], [NAN, 3.0]]),
        case("gap", "Through a gap that decays")
            .with(&[("gamma", "0.9"), ("lam", "0.8"), ("gap", "decay")])
            .mask(&["1011"])
            .row("rewards", [0.5, NAN, -0.25, 1.0])
            .row("old_values", [0.25, 4.0, 0.5, -1.0]),
    ]
}
