//! Every term on every backend of this machine, on one thread and on two, beside what memory and arithmetic allow.
//!
//! ```text
//! cargo bench -p ppo-benches --bench ladder                          every term
//! cargo bench -p ppo-benches --bench ladder -- --only gae,whiten     some, by stem
//! … -- --small            small arrays: shows that everything runs
//! … -- --rounds 31        more rounds than the 15
//! … -- --record FILE      writes the tables as markdown, with machine and command
//! … -- --test             asserts every answer on tiny arrays, times nothing
//! ```
//!
//! An answer is asserted before it is timed: the bits of the fallback on one thread, on these arrays; and on
//! the cases of `conformance::fast` it keeps to the reference within its budget.

mod aggregate;
mod answers;
mod arithmetic;
mod gae;
mod machine;
mod policy_loss;
mod reward;
mod step;
mod table;
mod timing;
mod token_pass;
mod total_loss;
mod value_loss;
mod whiten;
mod work;

use half::bf16;
use ppo_benches::flag;
use std::{env, error::Error, fs};
use table::Table;
use timing::{Plan, Sizes, measure};

/// What a term's measurement gives: a table, or none where only its answer was asked for.
type Measured = Result<Option<Table>, Box<dyn Error>>;

/// The stem of a term, and one measurement of it.
type Entry = (&'static str, fn(&Plan) -> Measured);

/// Every measurement, in the order of the step.
const ALL: &[Entry] = &[
    ("token_pass", |plan| measure(token_pass::forward::<f32>(plan.sizes.logits)?, plan)),
    ("token_pass", |plan| measure(token_pass::gradient::<f32>(plan.sizes.logits)?, plan)),
    ("token_pass", |plan| measure(token_pass::in_place::<f32>(plan.sizes.logits)?, plan)),
    ("token_pass", |plan| measure(token_pass::forward::<bf16>(plan.sizes.logits)?, plan)),
    ("token_pass", |plan| measure(token_pass::gradient::<bf16>(plan.sizes.logits)?, plan)),
    ("token_pass", |plan| measure(token_pass::in_place::<bf16>(plan.sizes.logits)?, plan)),
    ("kl", |plan| measure(reward::kl_of_tokens(plan.sizes.tokens), plan)),
    ("reward", |plan| measure(reward::shaped(plan.sizes.tokens), plan)),
    ("gae", |plan| measure(gae::with_returns(plan.sizes.tokens), plan)),
    ("gae", |plan| measure(gae::with_returns(plan.sizes.short_rows), plan)),
    ("returns", |plan| measure(gae::returns_alone(plan.sizes.tokens), plan)),
    ("whiten", |plan| measure(whiten::shifted(plan.sizes.tokens), plan)),
    ("aggregate", |plan| measure(aggregate::mean(plan.sizes.tokens), plan)),
    ("policy_loss", |plan| measure(policy_loss::with_gradient(plan.sizes.tokens), plan)),
    ("value_loss", |plan| measure(value_loss::with_gradient(plan.sizes.tokens), plan)),
    ("total_loss", |plan| measure(total_loss::kl_with_gradient(plan.sizes.tokens), plan)),
    ("step", |plan| measure(step::inner_epoch(plan.sizes.logits)?, plan)),
];

fn main() -> Result<(), Box<dyn Error>> {
    let given = |name: &str| env::args().any(|arg| arg == name);
    // `cargo bench` passes --bench; `cargo test --benches` does not.
    let timed = given("--bench") && !given("--test");
    let sizes = match (timed, given("--small")) {
        (false, _) => Sizes::TINY,
        (true, true) => Sizes::SMALL,
        (true, false) => Sizes::WHOLE,
    };
    let plan = Plan::new(sizes, if timed { flag("rounds", 15) } else { 0 })?;
    let only = flag("only", String::new());
    let only: Vec<&str> = only.split(',').filter(|stem| !stem.is_empty()).collect();
    if let Some(unknown) = only.iter().find(|stem| ALL.iter().all(|(known, _)| known != *stem)) {
        return Err(format!("ladder: `{unknown}` is the stem of no term here").into());
    }
    let mut tables = Vec::new();
    if let Some(table) = arithmetic::measured(&plan) {
        println!("{table}");
        tables.push(table.to_string());
    }
    let mut held = "";
    for (stem, measure) in ALL.iter().filter(|(stem, _)| only.is_empty() || only.contains(stem)) {
        if *stem != held {
            answers::hold_to_reference(stem);
            held = stem;
        }
        if let Some(table) = measure(&plan)? {
            println!("{table}");
            tables.push(table.to_string());
        }
    }
    let record = flag("record", String::new());
    if timed && !record.is_empty() {
        fs::write(record, format!("{}\n{}", machine::head(&plan), tables.join("\n")))?;
    }
    Ok(())
}
