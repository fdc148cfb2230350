//! Advantages, with γ = 0.9 and λ = 0.8 unless a case is about others: at 1 and 1 half of all mistakes are invisible.

use crate::vectors::case::{Case, case};

const NAN: f64 = f64::NAN;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    let mut all = figures();
    all.extend(ends());
    all.extend(masks());
    all
}

/// γ = .9, λ = .8.
fn gae(name: &str, comment: &str) -> Case {
    case(name, comment).set("gamma", "0.9").set("lam", "0.8")
}

/// Three tokens, and V after them.
fn three(name: &str, comment: &str) -> Case {
    gae(name, comment)
        .row("rewards", [0.1, -0.2, 0.3])
        .row("old_values", [0.5, 0.4, -0.1])
        .tensor("truncated", &[1], vec![1.0])
        .per_row("last_values", &[2.0])
}

/// Figure G1: row 1 has a gap of two slots.
fn g1(name: &str, comment: &str) -> Case {
    gae(name, comment)
        .mask(&["111100", "110011"])
        .rows("rewards", &[[-0.01, 0.02, -0.03, 0.995, NAN, 1e30], [-0.02, -0.01, NAN, NAN, 0.01, -0.54]])
        .rows("old_values", &[[0.2, 0.1, 0.4, 0.3, 9.9, -7.7], [0.0, 0.5, 3.3, -2.2, 0.25, 0.75]])
}

fn figures() -> Vec<Case> {
    vec![
        g1(
            "g1-skip",
            "A gap is not there: the token before it is followed by the token after it (verl, NeMo-RL)",
        ),
        g1("g1-decay", "Each masked slot of a gap is a step with r = V = 0 (OpenRLHF, TRL 0.11)")
            .set("gap", "decay"),
        g1("g1-cut", "Credit stops at a gap").set("gap", "cut"),
        g1("g1-finite-junk", "The same rows with finite junk in every masked slot").rows(
            "rewards",
            &[[-0.01, 0.02, -0.03, 0.995, 50.0, -30.0], [-0.02, -0.01, 40.0, -20.0, 0.01, -0.54]],
        ),
        three(
            "b34",
            "V_T = 2 after a truncated row at λ = 1: it is in the last δ, and is not carried back once more",
        )
        .set("lam", "1.0"),
        three("truncated", "The same at λ = .8"),
        gae("b2", "V = 100 in a padded slot: .95 and 1, and not 5.7 and 6")
            .with(&[("gamma", "1.0"), ("lam", "0.95")])
            .mask(&["110"])
            .row("rewards", [0.0, 1.0, 0.0])
            .row("old_values", [0.0, 0.0, 100.0]),
        gae("b24", "An episode ends at token 1; V = 100 belongs to the next one")
            .row("rewards", [1.0, -5.0, 2.0])
            .row("old_values", [0.5, -1.0, 100.0])
            .digits("terminated", &["010"]),
    ]
}

fn ends() -> Vec<Case> {
    let two = |name: &str, comment: &str| {
        gae(name, comment)
            .row("rewards", [0.5, 1.0, -0.25, 0.75, 2.0])
            .row("old_values", [0.25, 0.5, 1.5, -0.5, 1.0])
    };
    vec![
        three("lambda-zero", "λ = 0: the advantage is δ").set("lam", "0"),
        three("gamma-zero", "γ = 0: r − V, and nothing comes back").set("gamma", "0"),
        three("undiscounted", "γ = λ = 1: the sum of rewards and V_T, less V")
            .with(&[("gamma", "1"), ("lam", "1")]),
        gae("terminal", "V after the last token is 0 where the response ended by itself")
            .row("rewards", [0.0, 0.0, 1.0])
            .row("old_values", [0.25, 0.5, 0.75]),
        gae("last-values", "V after each row, and no flag that says which were cut off: all were")
            .rows("rewards", &[[0.5, 0.0], [0.0, -1.0]])
            .rows("old_values", &[[1.0, 0.5], [-0.5, 0.25]])
            .per_row("last_values", &[2.0, -3.0]),
        gae("cut-off-and-ended", "Row 0 was cut off and row 1 ended: the V after row 1 is not read")
            .rows("rewards", &[[0.5, 0.0], [0.0, -1.0]])
            .rows("old_values", &[[1.0, 0.5], [-0.5, 0.25]])
            .per_row("truncated", &[1.0, 0.0])
            .per_row("last_values", &[2.0, NAN]),
        two("two-episodes", "Token 1 ends the first: no V after it, no credit from beyond it")
            .digits("terminated", &["01000"]),
        two("cut-off-inside", "Token 2 is cut off: V after it is 3, and credit stops")
            .digits("truncated", &["00100"])
            .row("bootstrap_values", [NAN, NAN, 3.0, NAN, NAN]),
        two("ended-and-cut-off", "One end of each kind in a row, and a last token that is cut off")
            .digits("terminated", &["10000"])
            .digits("truncated", &["00101"])
            .row("bootstrap_values", [NAN, NAN, 3.0, NAN, -1.5]),
        two(
            "ended-before-the-last",
            "Token 3 ends its episode; the last token is another's, and V after it is 2",
        )
        .digits("terminated", &["00010"])
        .per_row("last_values", &[2.0]),
        two("importance", "Importance weights are the policy loss's: the critic's recursion has none")
            .row("rollout_is_weights", [0.5, 1.0, 0.25, 0.75, 0.5])
            .per_row("last_values", &[2.0]),
        two("dones", "A flag at t belongs to the transition at t; done and truncated is truncated")
            .digits("dones", &["01010"])
            .digits("truncated", &["00010"])
            .row("bootstrap_values", [NAN, NAN, NAN, 1.25, NAN]),
        two("dones-at-next-start", "two-episodes with CleanRL's flags: at t where slot t starts an episode")
            .digits("dones", &["00100"])
            .per_row("last_dones", &[0.0])
            .per_row("last_values", &[0.5])
            .set("done_at", "next-start"),
        two(
            "last-done-at-next-start",
            "The flag after the last slot ends the row: the V after it is not read",
        )
        .digits("dones", &["10010"])
        .per_row("last_dones", &[1.0])
        .set("done_at", "next-start"),
        gae("single-reward", "One rewarded step: the reward belongs to its own token")
            .row("rewards", [0.0, 0.0, 1.0, 0.0])
            .row("old_values", [0.0; 4]),
        gae("counting", "V_t = t: V of another token shows at once")
            .row("rewards", [0.0; 5])
            .row("old_values", [1.0, 2.0, 3.0, 4.0, 5.0])
            .per_row("last_values", &[6.0]),
        gae("twenty", "Twenty tokens: longer than any vector width, and no multiple of one")
            .tensor("rewards", &[1, 20], (0..20).map(|t| f64::from(t * 7 % 11) / 8.0 - 0.5).collect())
            .tensor("old_values", &[1, 20], (0..20).map(|t| f64::from(t * 5 % 13) / 8.0 - 0.75).collect())
            .per_row("last_values", &[0.5]),
    ]
}

fn masks() -> Vec<Case> {
    let gap = |name: &str, comment: &str| {
        gae(name, comment)
            .mask(&["0110101"])
            .row("rewards", [NAN, 0.5, -1.0, 8.0, 0.25, 8.0, 1.0])
            .row("old_values", [NAN, 1.0, 0.5, 8.0, -0.5, 8.0, 2.0])
            .per_row("last_values", &[1.5])
    };
    vec![
        gap("gaps-skip", "A leading gap and two inner ones, and V after the row"),
        gap("gaps-decay", "The same, each masked slot a step").set("gap", "decay"),
        gap("gaps-cut", "The same, three stretches of their own").set("gap", "cut"),
        gae("left-padded", "Left padding alone changes nothing, and its junk is not read")
            .mask(&["0011", "0111"])
            .rows("rewards", &[[NAN, 9.0, 0.0, 1.0], [9.0, 0.5, 0.0, -1.0]])
            .rows("old_values", &[[9.0, NAN, 0.5, 0.25], [9.0, -0.25, 0.5, 1.0]]),
        gae("one-token", "One valid token: r + γ V_T − V")
            .mask(&["0100"])
            .row("rewards", [NAN, 1.0, 7.0, 7.0])
            .row("old_values", [7.0, 0.25, 7.0, NAN])
            .per_row("last_values", &[0.5]),
        gae("empty-row", "A row without tokens, whose V after it is NaN")
            .mask(&["110", "000"])
            .rows("rewards", &[[0.5, 1.0, NAN], [NAN, NAN, NAN]])
            .rows("old_values", &[[0.25, -0.5, NAN], [NAN, NAN, NAN]])
            .per_row("last_values", &[1.0, NAN]),
        gae("square", "As many rows as tokens, each of another length")
            .mask(&["111", "110", "100"])
            .rows("rewards", &[[0.0, 0.0, 1.0], [0.0, -1.0, 5.0], [2.0, 5.0, 5.0]])
            .rows("old_values", &[[0.5, 0.25, 0.75], [1.0, -0.5, 5.0], [-0.25, 5.0, 5.0]])
            .per_row("last_values", &[0.5, -1.0, 2.0]),
        gae("end-before-a-gap", "The token before the gap ends its episode: nothing decays back")
            .mask(&["11011"])
            .row("rewards", [0.5, 1.0, NAN, 0.25, -1.0])
            .row("old_values", [0.25, 0.5, NAN, 1.0, 0.75])
            .digits("terminated", &["01000"])
            .set("gap", "decay"),
    ]
}
