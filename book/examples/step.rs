//! What goes along the arrows of the map, in numbers: `cargo run -p ppo-book --example step`.

use book::Transcript;
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Ends, Mask, Settings,
    step::{Now, Rollout, losses, rollout_phase},
};

fn main() {
    print!("{}", listing());
}

/// Everything that the page quotes.
pub(crate) fn listing() -> Transcript {
    let mut text = Transcript::new();
    // ANCHOR: step
    let settings = Settings { gamma: 0.9, lambda: 0.8, ..Settings::default() };
    let rollout = Rollout {
        mask: Mask::from_rows(&[[1, 1, 1, 1], [1, 1, 1, 0]]),
        attended: None,
        scores: dmatrix![1.0; -0.5],
        logp_old: dmatrix![-1.1, -0.7, -2.0, -0.4; -0.3, -1.6, -0.9, 0.0],
        logp_ref: None,
        v_old: dmatrix![0.2, 0.1, 0.4, 0.3; 0.0, 0.5, 0.25, 0.0],
        ends: Ends::stop(2, 4),
        weights: None,
    };
    let targets = rollout_phase(&rollout, &settings);
    // An inner epoch later the weights have moved.
    let drift = dmatrix![0.4, -0.1, 0.1, 0.3; -0.3, 0.2, -0.2, 0.0];
    let now = Now {
        logp: &rollout.logp_old + &drift,
        v: &rollout.v_old - 0.5 * &drift,
        ent: DMatrix::from_element(2, 4, 1.5),
    };
    let said = losses(&rollout, &targets, &now, &settings);
    // ANCHOR_END: step
    text.section("arrows");
    for (name, x) in
        [("r", &targets.token_rewards), ("A", &targets.adv_raw), ("R", &targets.ret), ("Â", &targets.adv)]
    {
        for row in 0..2 {
            let label = if row == 0 { format!("{name}  (B, T)") } else { String::new() };
            text.row(&label, &x.row(row).iter().copied().collect::<Vec<_>>(), 4);
        }
    }
    for (name, x) in [("L_π", said.policy.loss), ("L_V", said.value.loss), ("H", said.ent), ("L", said.total)]
    {
        text.row(&format!("{name}  ()"), &[x], 4);
    }
    text
}
