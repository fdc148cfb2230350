//! One rollout and one set of a user's settings, by the code of five trainers:
//! `cargo run -p ppo-book --example dialects`. What their code does comes from the tables that `ppo check` searches.

use book::{Transcript, number};
use conformance::{
    check::dialects::{Dialect, find},
    dump::{Facts, Scores, choose},
};
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Ends, Mask, Settings,
    step::{Now, Rollout, losses, rollout_phase},
};
use std::collections::BTreeMap;

type Wrong = Box<dyn std::error::Error>;

const TRAINERS: [&str; 5] = ["verl", "openrlhf", "deepspeed-chat", "cleanrl", "sb3"];

// ANCHOR: settings
/// What a user sets alike everywhere.
const USER: [(&str, &str); 5] =
    [("gamma", "0.9"), ("lam", "0.8"), ("kl_coef", "0"), ("cliprange", "0.2"), ("cliprange_value", "0.2")];

/// The rest is what the trainer's code and its configuration have.
fn settings(trainer: &Dialect) -> Result<Settings, Wrong> {
    let own = trainer.settings().into_iter().filter(|(key, _)| USER.iter().all(|(user, _)| user != key));
    let all: Vec<(String, String)> =
        own.chain(USER).map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let facts = Facts { t_len: 6, scores: Scores::PerRow };
    Ok(choose(&all, &BTreeMap::new(), facts)?.settings)
}
// ANCHOR_END: settings

fn main() -> Result<(), Wrong> {
    print!("{}", listing()?);
    Ok(())
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Result<Transcript, Wrong> {
    let mut text = Transcript::new();
    let (rollout, now) = (rollout(), now());
    text.section("trainers");
    text.line(format!("{:<16}{:>9}{:>9}{:>9}{:>9}{:>9}", "", "A", "Â", "R", "L_π", "L_V"));
    for name in TRAINERS {
        let s = settings(find(name)?)?;
        let targets = rollout_phase(&rollout, &s);
        let said = losses(&rollout, &targets, &now, &s);
        // The last token before the tool's answer.
        let at = (1, 1);
        let numbers =
            [targets.adv_raw[at], targets.adv[at], targets.ret[at], said.policy.loss, said.value.loss];
        let cells: String = numbers.iter().map(|x| format!("{:>9}", number(*x, 4))).collect();
        text.line(format!("{name:<16}{cells}"));
    }
    Ok(text)
}

/// Two responses, of which the second called a tool.
fn rollout() -> Rollout {
    Rollout {
        mask: Mask::from_rows(&[[1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 1, 1]]),
        attended: None,
        scores: dmatrix![1.0; -0.5],
        logp_old: dmatrix![-1.1, -0.7, -2.0, -0.4, 0.0, 0.0; -0.3, -1.6, 0.0, 0.0, -0.9, -1.2],
        logp_ref: None,
        v_old: dmatrix![0.2, 0.1, 0.4, 0.3, 0.0, 0.0; 0.0, 0.5, 0.0, 0.0, 0.25, 0.75],
        ends: Ends::stop(2, 6),
        weights: None,
    }
}

/// The policy and the critic after some inner epochs, beyond their clips on either side.
fn now() -> Now {
    let drift = dmatrix![0.4, -0.4, 0.1, 0.6, 0.0, 0.0; -0.3, 0.5, 0.0, 0.0, 0.2, -0.6];
    let Rollout { logp_old, v_old, .. } = rollout();
    Now { logp: logp_old + &drift, v: v_old - 1.25 * &drift, ent: DMatrix::zeros(2, 6) }
}
