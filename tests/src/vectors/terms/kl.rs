//! The KL of one token to the reference model, inside the reward.

use crate::vectors::case::{Case, case};

const NAN: f64 = f64::NAN;
const VERL: [(&str, &str); 3] = [("kl_estimator", "k3"), ("kl_clamp_in", "20"), ("kl_clamp_out", "10")];

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    let kinds = [
        ("k1", "log π − log π_ref, of either sign"),
        ("k2", "Half its square"),
        ("k3", "exp(−k1) − 1 + k1: never negative, large for tokens that the reference likes better"),
        ("abs", "Its size"),
    ];
    for (kind, comment) in kinds {
        all.push(g1(&format!("g1-{kind}"), comment).set("kl_estimator", kind));
    }
    for (kind, _) in kinds {
        all.push(
            of(
                &format!("equal-{kind}"),
                "The policies agree: 0, by every estimator",
                [-1.5, -0.25],
                [-1.5, -0.25],
            )
            .set("kl_estimator", kind),
        );
    }
    for (kind, _) in kinds {
        let comment = "OpenRLHF's bound of 10 on the estimate, whichever it is";
        all.push(
            of(&format!("bounded-{kind}"), comment, [-1.0, -14.0, -2.0], [-13.0, -1.5, -2.5])
                .with(&[("kl_estimator", kind), ("kl_clamp_out", "10")]),
        );
    }
    all.extend([
        of("k3-unbounded", "k1 = −25 weighs 7.2e10 in k3", [-26.0, -1.0], [-1.0, -1.5])
            .set("kl_estimator", "k3"),
        of("k3-verl", "verl's bounds, 20 before and 10 after", [-26.0, -1.0, -31.0], [-1.0, -26.0, -30.5])
            .with(&VERL),
        of(
            "ties",
            "k1 exactly at the bound before, the estimate exactly at the bound after",
            [-21.0, -1.0],
            [-1.0, -11.0],
        )
        .with(&[("kl_estimator", "k1"), ("kl_clamp_in", "20"), ("kl_clamp_out", "10")]),
        of("two-hundred", "k1 = ±200 with no bound", [-201.0, -1.0], [-1.0, -201.0])
            .set("kl_estimator", "k1"),
        of("two-hundred-k3", "exp(200) is 7e86: beyond what f32 holds", [-201.0, -1.0], [-1.0, -201.0])
            .set("kl_estimator", "k3"),
        of("two-hundred-verl", "The same within verl's bounds", [-201.0, -1.0], [-1.0, -201.0]).with(&VERL),
    ]);
    all
}

fn of<const L: usize>(name: &str, comment: &str, old: [f64; L], logp_ref: [f64; L]) -> Case {
    case(name, comment).row("old_log_probs", old).row("ref_log_probs", logp_ref)
}

/// Figure G1: k1 = .1, −.2, .3, .05 and .2, .1, −.1, .4.
fn g1(name: &str, comment: &str) -> Case {
    case(name, comment)
        .mask(&["111100", "110011"])
        .rows("old_log_probs", &[[0.1, -0.2, 0.3, 0.05, NAN, 1e30], [0.2, 0.1, NAN, NAN, -0.1, 0.4]])
        .rows("ref_log_probs", &[[0.0, 0.0, 0.0, 0.0, NAN, NAN], [0.0, 0.0, 7.0, NAN, 0.0, 0.0]])
}
