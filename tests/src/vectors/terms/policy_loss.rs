//! The clipped surrogate, what bounds it, and what is logged beside it.

use crate::vectors::case::{Case, case};

const NAN: f64 = f64::NAN;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = figures();
    all.extend(bounds());
    all.extend(logged());
    all.extend(means());
    all
}

/// log π_old = −1 − log ρ and log π = −1, so that ρ is as said.
pub(super) fn of<const L: usize>(name: &str, comment: &str, ratio: [f64; L], adv: [f64; L]) -> Case {
    case(name, comment)
        .row("log_probs", [-1.0; L])
        .row("old_log_probs", ratio.map(|ratio| -1.0 - libm::log(ratio)))
        .row("advantages", adv)
}

fn figures() -> Vec<Case> {
    let g7 =
        |name: &str, comment: &str, ratio: f64, adv: f64| of(&format!("g7-{name}"), comment, [ratio], [adv]);
    let dual = |case: Case| case.set("clip_ratio_c", "3");
    vec![
        g7("good-fell", "A = 1, ρ = .5: the plain surrogate is the smaller, −.5", 0.5, 1.0),
        g7("good-rose", "A = 1, ρ = 1.5: clipped, −1.2", 1.5, 1.0),
        g7("bad-fell", "A = −1, ρ = .5: clipped, .8", 0.5, -1.0),
        g7("bad-rose", "A = −1, ρ = 1.5: not clipped, 1.5", 1.5, -1.0),
        g7("bad-rose-far", "A = −1, ρ = 4: the loss grows without limit", 4.0, -1.0),
        dual(g7("dual", "The same under the dual clip: 3", 4.0, -1.0)),
        dual(g7("dual-good", "A = 1, ρ = 5: the dual clip bounds tokens with A < 0 alone", 5.0, 1.0)),
        dual(g7("dual-idle", "A = −1, ρ = 2: below the bound", 2.0, -1.0)),
        dual(of("g7-all", "All of figure G7 in one row", G7.0, G7.1)),
        of(
            "not-unit",
            "|A| ≠ 1: it is ρ that is clipped and not ρ A",
            [0.5, 1.5, 0.5, 1.5],
            [3.0, 0.25, -0.5, -2.0],
        ),
    ]
}

/// ρ and Â of figure G7.
pub(super) const G7: ([f64; 6], [f64; 6]) =
    ([0.5, 1.5, 4.0, 0.5, 1.5, 4.0], [1.0, 1.0, 1.0, -1.0, -1.0, -1.0]);

fn bounds() -> Vec<Case> {
    let far = |name: &str, comment: &str| {
        case(name, comment)
            .row("log_probs", [-201.0, -1.0, -201.0, -1.0])
            .row("old_log_probs", [-1.0, -201.0, -1.0, -201.0])
            .row("advantages", [1.0, 0.5, -1.0, -2.0])
    };
    vec![
        case("first-epoch", "π is π_old: ρ = 1, a loss of −mean A, and nothing is counted as clipped")
            .row("log_probs", [-0.5, -1.25, -2.0])
            .row("old_log_probs", [-0.5, -1.25, -2.0])
            .row("advantages", [1.0, -0.5, 0.25]),
        of(
            "at-the-bounds",
            "ρ = .75 and 1.25 where the radii are ¼: a tie, either count passes",
            [0.75, 1.25],
            [-1.0, 1.0],
        )
        .with(&[("cliprange_low", "0.25"), ("cliprange_high", "0.25")]),
        of("dual-tie", "ρ = 3 where c = 3: a tie", [3.0], [-1.0]).set("clip_ratio_c", "3"),
        of("no-advantage", "A = 0: nothing to gain and nothing to lose", [0.5, 1.5], [0.0, 0.0]),
        of("clip-higher", "Radii of .2 and .28", [0.75, 1.25, 1.3], [-1.0, 1.0, 1.0])
            .set("cliprange_high", "0.28"),
        far("two-hundred", "log ρ = ±200 with no bound: ρ = 7e86, which f32 cannot hold"),
        far("two-hundred-bounded", "The same with |log ρ| ≤ 20: ρ = 4.9e8").set("log_ratio_clamp", "20"),
        far("two-hundred-dual", "The same with the dual clip, which holds the loss too")
            .with(&[("log_ratio_clamp", "20"), ("clip_ratio_c", "3")]),
        case("clamp-tie", "log ρ exactly at its bound of 2")
            .row("log_probs", [-1.0, -3.0])
            .row("old_log_probs", [-3.0, -1.0])
            .row("advantages", [-1.0, 1.0])
            .set("log_ratio_clamp", "2"),
        of(
            "weighted",
            "Importance weights multiply each token's loss, last",
            [0.5, 1.5, 4.0],
            [-1.0, 1.0, -1.0],
        )
        .row("rollout_is_weights", [2.0, 0.5, 0.25])
        .set("clip_ratio_c", "3"),
    ]
}

fn logged() -> Vec<Case> {
    let mut all = Vec::new();
    for (counts, comment) in [
        ("effective", "Counts where the clip made the loss another: 3 of 6"),
        ("sign-blind", "Counts every ratio outside the range: all 6"),
        ("signed", "Counts a ratio outside the range on the side where A pushes: 3 of 6"),
    ] {
        all.push(of(&format!("counts-{counts}"), comment, G7.0, G7.1).set("clipfrac", counts));
    }
    for kind in ["k2", "k3", "abs"] {
        let comment = "The logged KL(π_old ‖ π) by another estimator than k1";
        all.push(
            of(&format!("logs-{kind}"), comment, [0.5, 1.25, 2.0], [1.0, -1.0, 0.5]).set("ppo_kl_kind", kind),
        );
    }
    for (which, comment) in [("raw", "before its bound"), ("clamped", "after its bound")] {
        let comment = format!("The logged KL of log ρ {comment} of 20");
        all.push(
            case(format!("logs-{which}"), comment)
                .row("log_probs", [-26.0, -1.0])
                .row("old_log_probs", [-1.0, -1.5])
                .row("advantages", [1.0, -1.0])
                .with(&[("log_ratio_clamp", "20"), ("ppo_kl_of", which)]),
        );
    }
    all
}

fn means() -> Vec<Case> {
    let unequal = |name: &str, comment: &str| {
        case(name, comment)
            .mask(&["1110", "0100", "0000"])
            .rows("log_probs", &[[-1.0, -0.5, -2.0, NAN], [3.0, -0.75, NAN, 0.0], [NAN; 4]])
            .rows("old_log_probs", &[[-1.5, -0.5, -1.0, 0.0], [NAN, -1.0, 0.0, -200.0], [NAN; 4]])
            .rows("advantages", &[[1.0, -0.5, 2.0, NAN], [NAN, -1.5, 1e30, 0.0], [NAN; 4]])
    };
    let mode = |mode: &str, comment: &str| unequal(mode, comment).set("loss_agg_mode", mode);
    vec![
        mode("token-mean", "Over 4 tokens and not over 12 slots"),
        mode("token-sum", "The sum"),
        mode("seq-mean-token-sum", "Over 2 rows with tokens"),
        mode("seq-mean-token-mean", "Each row's mean first"),
        mode("seq-mean-token-sum-norm", "Over 2 rows, and over the width of 4"),
        mode("token-sum-norm", "Over the width of 4 alone"),
        case("one-token", "One valid token between NaN and log-ratios of 1e30")
            .mask(&["0010"])
            .row("log_probs", [NAN, 1e30, -0.5, -1e30])
            .row("old_log_probs", [0.0, -1e30, -1.0, 1e30])
            .row("advantages", [1.0, NAN, -0.5, 2.0]),
        case("square", "As many rows as tokens, each token its own advantage")
            .rows("log_probs", &[[-1.0, -0.5], [-2.0, -0.25]])
            .rows("old_log_probs", &[[-1.5, -0.25], [-1.75, -1.0]])
            .rows("advantages", &[[1.0, -1.0], [0.5, -2.0]]),
    ]
}
