//! Every closed-form gradient of the reference against central differences, away from declared kinks, and
//! one-sided differences at them, where a tie keeps the unclipped branch.
//!
//! One file per term. Masked slots hold NaN throughout: no loss may read them and their gradient is +0.
//! `cargo test -p ppo-conformance --test gradients -- --nocapture` prints, per term and choice, how far the
//! differences were off by truncation and by rounding, and how much of the derived bound was used.

mod differences;
mod inputs;

mod aggregate;
mod entropy;
mod kl;
mod log_prob;
mod policy_loss;
mod step;
mod total_loss;
mod transformer;
mod value_head;
mod value_loss;
