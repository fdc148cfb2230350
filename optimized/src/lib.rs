//! The PPO training step as fast as the machine allows.
//!
//! Every backend performs the same IEEE operations in the same order, which `ORDER.md` says, so all of them return
//! the same bits on any number of threads and however a batch is laid out or cut. The crate `ppo-reference` says
//! what those bits approximate; functions have its names, and its arguments in its order, after `on` where SIMD has a
//! part in them.
//!
//! # Where to begin
//!
//! [`Mask`] says where the tokens of a batch are and [`Backend::best`] which instructions to use; a term takes both, its
//! operands as slices, and slices to write to, as [`value_loss()`] does below. [`step`] calls the terms for you:
//! [`step::rollout_phase`] once a batch, then in each inner epoch [`step::losses`], after [`token_pass()`] has read the
//! logits and before [`step::logits_grad`] writes their gradient.
//!
//! # The step, in reading order
//!
//! | equation | function | file |
//! |---|---|---|
//! | log π(y_t) = z_a/τ − ln Σ_v exp(z_v/τ) | [`log_prob()`] | `log_prob/` |
//! | k1, abs, k2, k3 | [`kl()`], [`kl_grad`] | `kl.rs` |
//! | s_t = \[t = slot\] score, r_t = s_t − β_kl k_t | [`place_scores`], [`reward()`] | `reward.rs` |
//! | Â_t = δ_t + γλ Â_{t+1} | [`gae()`] | `gae/` |
//! | Âʷ = (Â − μ) / (σ + ε_w) | [`whiten()`] | `whiten/` |
//! | R_t = Â_t + V_old,t | [`returns()`], or [`gae()`] in its own pass | `returns.rs` |
//! | L_policy = −agg min(ρ Â, clip(ρ) Â) | [`policy_loss()`] | `policy_loss/` |
//! | L_V = agg max((V − R)², (V_clip − R)²) | [`value_loss()`] | `value_loss/` |
//! | H_t = −Σ_v π log π | [`entropy()`] | `entropy/` |
//! | log π and H in one read of the logits, and their gradient | [`token_pass()`], [`token_pass_grad`] | `token_pass/` |
//! | agg, six modes | [`aggregate()`], [`aggregate_grad`] | `aggregate.rs` |
//! | L_total = L_policy + c_V L_V − c_H H (+ β_loss L_KL) | [`total_loss()`], [`kl_loss`] | `total_loss.rs` |
//! | the listing, line by line | [`step`] | `step.rs` |
//!
//! ```
//! use optimized::{Agg, Backend, Grad, Half, Mask, ValueClip, ValueOut, value_loss};
//!
//! let mask = Mask::padded(&[true, true, true, false], 2, 2)?; // two rows, the second one token long
//! let (v, v_old, ret) = ([1.0, 0.5, 0.0, f32::NAN], [0.5, 0.5, 0.0, f32::NAN], [0.0, 1.5, 2.0, f32::NAN]);
//! let mut to = [f32::NAN; 4];
//! let out = ValueOut { grad: Some(Grad { c: 1.0, to: &mut to }), ..ValueOut::default() };
//! let (on, eps_v, form) = (Backend::best(), 0.25, ValueClip::Max);
//! let got = value_loss(on, &v, &v_old, &ret, &mask, eps_v, form, Agg::TokenSum, Half::Yes, out)?;
//! assert_eq!(got.loss, 0.5 * (1.0 + 1.0 + 4.0));
//! assert_eq!(to, [1.0, -1.0, -2.0, 0.0]);
//! # Ok::<(), optimized::Error>(())
//! ```
//!
//! # Conventions
//!
//! - Arrays are flat f32 in the layout of the call's [`Mask`]: padded, with a row stride, or packed; logits may be
//!   bf16 ([`Logits`]). Outputs are the caller's slices; what is not asked for is not written.
//! - A masked slot is never used and gets +0. Slots between rows are left alone. A NaN in a valid slot reaches the
//!   result.
//! - Settings are the reference's types, rounded to f32 once, on entry, and then checked.
//! - `Backend::Cuda`, behind the features `cuda` and `cuda-emulation`, copies arrays to its device and results back;
//!   `optimized::cuda` has the terms, and the step, of arrays that stay there. Its kernels have not yet run on a GPU.
//! - Work is cut into fixed blocks for rayon's current pool; no bit depends on its size.
//! - A batch in parts ([`Mask::part_of`]) gives sums that merge to the bits of the whole, such as [`ValueSums`].
//! - What cannot be meant is an [`Error`]: one sentence with the function, the argument and the numbers. A type that
//!   cannot be made, or be finished, says its own name: `mask`, `policy_sums`.
#![deny(unsafe_code)]

mod aggregate;
mod backend;
mod check;
#[cfg(kernels)]
pub mod cuda;
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
pub mod step;
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
pub use sum::{Apart, Counts, Sum};
pub use tiles::Put;
pub use token_pass::{
    LogSumExp, Logit, Logits, LogitsMut, TokenOut, TokenStat, TokenStats, token_pass, token_pass_grad,
    token_pass_grad_in_place,
};
pub use total_loss::{KlOut, kl_loss, kl_loss_sums, total_loss};
pub use value_loss::{ValueLoss, ValueOut, ValueSums, value_loss, value_sums};
pub use whiten::{SquareSum, Whitened, square_sum, whiten, whiten_by};

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
