//! The PPO training step as fast as the machine allows.
//!
//! Every backend performs the same IEEE operations in the same order, so all of them return the same bits;
//! the crate `ppo-reference` says what those bits approximate. This version holds the choice of a backend
//! and its errors; no kernel yet.
//!
//! ```
//! use optimized::Backend;
//!
//! for backend in Backend::available() {
//!     println!("{backend}");
//! }
//! assert!(Backend::available().contains(&Backend::best()));
//! ```
#![deny(unsafe_code)]

mod aggregate;
mod backend;
mod check;
mod each;
mod entropy;
mod error;
mod gae;
mod grad;
mod kl;
mod lanes;
mod log_prob;
mod mask;
mod memory;
mod parallel;
mod policy_loss;
mod returns;
mod reward;
#[cfg(test)]
mod spec;
mod step;
mod sum;
#[cfg(test)]
mod testing;
mod tiles;
mod token_pass;
mod total_loss;
mod value_loss;
mod whiten;

pub use aggregate::{AggregateSums, aggregate, aggregate_grad, aggregate_sums};
pub use backend::Backend;
pub use entropy::entropy;
pub use error::Error;
pub use gae::{Ends, GaeOut, Lambda, Truncated, dones_of_transitions, gae};
pub use grad::Grad;
pub use kl::{kl, kl_grad};
pub use log_prob::log_prob;
pub use mask::Mask;
pub use policy_loss::{PolicyLoss, PolicyOut, PolicySums, policy_loss, policy_sums};
pub use reference::{
    Agg, ClipFrac, Coefficients, CountRows, DoneAt, EpsAt, Gap, Half, Kl, KlEstimate, KlGrad, KlOf, Listing,
    PolicyClip, ScoreAt, Settings, ShiftMean, ValueClip, Variance, Whitening,
};
pub use returns::returns;
pub use reward::{broadcast_scores, place_scores, reward};
pub use step::{Gradients, Losses, Now, Targets, logits_grad, losses};
pub use sum::{Apart, Counts, Sum};
pub use token_pass::{
    LogSumExp, Logit, Logits, LogitsMut, TokenOut, TokenStat, TokenStats, token_pass, token_pass_grad,
    token_pass_grad_in_place,
};
pub use total_loss::{KlOut, Put, kl_loss, kl_loss_sums, total_loss};
pub use value_loss::{ValueLoss, ValueOut, ValueSums, value_loss, value_sums};
pub use whiten::{SquareSum, TokenSum, Whitened, square_sum, token_sum, whiten, whiten_by};

/// What the tests above ran on: every one of them iterates over [`Backend::available`]. Written past the capture
/// of test output, so that a run that lacks a level says so; `PPO_REQUIRE=avx2,avx512` makes that a failure.
#[cfg(test)]
#[test]
fn which_backends_ran() -> Result<(), Error> {
    use std::io::Write;
    let required = std::env::var("PPO_REQUIRE").unwrap_or_default();
    writeln!(std::io::stderr(), "optimized: {}", Backend::roll_call(&required)?).expect("stderr is open");
    Ok(())
}
