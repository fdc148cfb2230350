//! The value loss in its forms, on both sides of the clip and at it.

use crate::vectors::case::{Case, case};

const NAN: f64 = f64::NAN;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = vec![
        g5(
            "g5-towards",
            "V = .5 has run towards R = 1 past the clip: the clipped error is the larger, .64",
            0.5,
            1.0,
        ),
        g5("g5-away", "V = −.5 has moved away from R = 1: the plain error is the larger, 2.25", -0.5, 1.0),
        g5("g5-past", "V = .5 beyond R = .2, which the clipped value would hit: .09 and not 0", 0.5, 0.2),
        g5("g5-inside", "V = .1 inside the clip: a tie, which is not counted", 0.1, 1.0),
    ];
    for (name, v, ret) in [("towards", 0.5, 1.0), ("away", -0.5, 1.0), ("past", 0.5, 0.2)] {
        for form in ["clipped-only", "off"] {
            let comment = match form {
                "off" => "The plain error alone; what is counted stays the same",
                _ => "The clipped error alone, as SB3 has it where it clips",
            };
            all.push(g5(&format!("g5-{name}-{form}"), comment, v, ret).set("value_clip_form", form));
        }
    }
    all.extend([
        g5("g5-towards-half", "½ in front, as verl and CleanRL have it: .32", 0.5, 1.0)
            .set("vf_half", "true"),
        case("g5", "The four rows of figure G5 as four tokens")
            .row("values", [0.5, -0.5, 0.5, 0.1])
            .row("old_values", [0.0; 4])
            .row("returns", [1.0, 1.0, 0.2, 1.0]),
        case("first-epoch", "V is V_old: nothing is counted as clipped")
            .row("values", [0.5, -0.25, 1.0])
            .row("old_values", [0.5, -0.25, 1.0])
            .row("returns", [1.0, 0.5, -1.0]),
        case("at-the-bounds", "V exactly ¼ from V_old, on either side: a tie, either count passes")
            .row("values", [0.75, 0.25])
            .row("old_values", [0.5, 0.5])
            .row("returns", [2.0, -1.0])
            .set("cliprange_value", "0.25"),
        case("between", "R half way between V and its bound: the two errors are one size")
            .row("values", [1.0])
            .row("old_values", [0.0])
            .row("returns", [0.625])
            .set("cliprange_value", "0.25"),
        case("own-radius", "The radius is .5, in units of the return; the ratio's is .2")
            .row("values", [0.5, -0.75, 2.0])
            .row("old_values", [0.25, 0.25, 1.0])
            .row("returns", [1.5, 0.5, 4.0])
            .set("cliprange_value", "0.5"),
        case("in-large-units", "V and R in hundreds: a radius of .2 clips all that moves")
            .row("values", [150.0, 90.0])
            .row("old_values", [100.0, 100.0])
            .row("returns", [200.0, 200.0]),
        case("no-radius", "A radius that is off: no clip")
            .row("values", [0.5, -0.5])
            .row("old_values", [0.0, 0.0])
            .row("returns", [1.0, 1.0])
            .set("cliprange_value", "off"),
        case("one-token", "One valid token; masked slots hold NaN and 1e30")
            .mask(&["0100"])
            .row("values", [NAN, 0.75, 1e30, 0.0])
            .row("old_values", [0.0, 0.25, NAN, -1e30])
            .row("returns", [1e30, 1.0, 0.0, NAN])
            .set("cliprange_value", "0.25"),
        case("square", "As many rows as tokens")
            .rows("values", &[[0.5, -0.5], [1.0, 2.0]])
            .rows("old_values", &[[0.0, 0.25], [0.5, 0.5]])
            .rows("returns", &[[1.0, -1.0], [0.25, 3.0]]),
    ]);
    for (mode, comment) in [
        ("token-mean", "Over 4 tokens and not over 12 slots"),
        ("token-sum", "The sum"),
        ("seq-mean-token-sum", "Over 2 rows with tokens"),
        ("seq-mean-token-mean", "Each row's mean first; what is counted stays a mean over tokens"),
        ("seq-mean-token-sum-norm", "Over 2 rows, and over the width of 4"),
        ("token-sum-norm", "Over the width of 4 alone"),
    ] {
        all.push(unequal(mode, comment).set("loss_agg_mode", mode));
    }
    all
}

/// Figure G5: V_old = 0, a radius of .2.
fn g5(name: &str, comment: &str, v: f64, ret: f64) -> Case {
    case(name, comment).row("values", [v]).row("old_values", [0.0]).row("returns", [ret])
}

/// Rows of three tokens, one and none.
fn unequal(name: &str, comment: &str) -> Case {
    case(name, comment)
        .mask(&["1110", "0100", "0000"])
        .rows("values", &[[0.5, -0.5, 0.1, NAN], [7.0, 1.5, NAN, 7.0], [NAN; 4]])
        .rows("old_values", &[[0.0, 0.0, 0.0, 7.0], [NAN, 1.0, 7.0, 7.0], [NAN; 4]])
        .rows("returns", &[[1.0, 1.0, 1.0, NAN], [7.0, 2.5, 7.0, NAN], [NAN; 4]])
        .set("vf_half", "true")
}
