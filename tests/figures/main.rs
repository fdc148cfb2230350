//! Every hand-checked figure, asserted by name.
//!
//! The reference is the truth of the other suites, so it has to stand on something that is not code of
//! ours: figures computed elsewhere (`g1` to `g7`), the errata of the post (`errata_*`, rows S1 to S22),
//! the contract of verl's page (`page`), bugs that real trainers had (`bugs_seen`) and identities that
//! hold for any input (`identities`). γ = λ = 1 hides half of all GAE bugs, so hardly a test uses it.

mod fixtures;
mod printed;

mod g1_gae;
mod g2_whiten;
mod g3_returns;
mod g4_whiten_rewards;
mod g5_value_clip;
mod g6_aggregate;
mod g7_policy_clip;

mod errata_advantages;
mod errata_loop;
mod errata_losses;
mod errata_rewards;
mod listing;

mod bugs_seen;
mod identities;
mod page;
