//! Every equation of the PPO training step, as it is printed.
//!
//! This crate is the place to start reading. It is f64, plain, and slow on purpose: a Σ in a formula is a
//! written sum in the code, and nothing here is ever made faster. The optimized crate is; tests tie it to
//! this one.
//!
//! # The step, in reading order
//!
//! | equation | function |
//! |---|---|
//! | V_t = W_v h_t | [`value_head::value_head`] |
//! | log π(y_t) = z_a/τ − ln Σ_v exp(z_v/τ) | [`log_prob::log_prob`] |
//! | k1, abs, k2, k3 | [`kl::kl`] |
//! | s_t = \[t = slot\] score, r_t = s_t − β_kl k_t | [`reward::place_scores`], [`reward::reward`] |
//! | δ_t = r_t + γ V_{t+1} − V_t | [`gae::td_residual`] |
//! | Â_t = Σ_l (γλ)^l δ_{t+l} | [`gae::gae`], derived [`gae::gae_recursion`] |
//! | Âʷ = (Â − μ) / (σ + ε_w) | [`whiten::whiten`] |
//! | R_t = Â_t + V_old,t | [`returns::returns`] |
//! | L_policy = −agg min(ρ Â, clip(ρ) Â) | [`policy_loss::policy_loss`] |
//! | L_V = agg max((V − R)², (V_clip − R)²) | [`value_loss::value_loss`] |
//! | H_t = −Σ_v π log π | [`entropy::entropy`] |
//! | agg, six modes | [`aggregate::aggregate`] |
//! | L_total = L_policy + c_V L_V − c_H H (+ β_loss L_KL) | [`total_loss::total_loss`], [`total_loss::kl_loss`] |
//! | ‖g‖, g min(1, max_norm/(‖g‖ + 1e-6)) | [`grad_norm::grad_norm`], [`grad_norm::clip_grad_norm`] |
//! | Adam | [`adam::adam`] |
//! | the listing, line by line | [`step`], [`iteration`] |
//! | the model under it | [`transformer`] |
//! | what it costs | [`cost::cost`] |
//!
#![doc = include_str!("notation.md")]
//!
//! # Conventions
//!
//! - A quantity per token is a matrix of b rows and t_len columns; logits are one t_len × vocab matrix per
//!   sequence, and row t is the one that *produced* token t. Values are read from that same position.
//! - Masked slots are never read and come out as +0. A NaN in a valid slot reaches the result.
//! - Shapes and settings that cannot be meant end in a panic with one sentence; values never do.
//! - A clip radius is > 0, and ∞ switches it off. Where two branches tie, the unclipped one is kept.
//! - Each loss has its gradient beside it as `<term>_grad`.
#![forbid(unsafe_code)]

mod check;
mod mask;
pub mod nan;
pub mod rng;
mod segments;
mod settings;
pub mod written;

pub mod adam;
pub mod aggregate;
pub mod cost;
pub mod entropy;
pub mod gae;
pub mod grad_norm;
pub mod iteration;
pub mod kl;
pub mod log_prob;
pub mod policy_loss;
pub mod returns;
pub mod reward;
pub mod step;
pub mod total_loss;
pub mod transformer;
pub mod two_heads;
pub mod value_head;
pub mod value_loss;
pub mod whiten;

pub use aggregate::{Agg, CountRows};
pub use kl::{Kl, KlEstimate, KlGrad};
pub use mask::Mask;
pub use policy_loss::{ClipFrac, KlOf, PolicyClip};
pub use reward::ScoreAt;
pub use segments::{DoneAt, Ends, Gap, dones_of_transitions};
pub use settings::{Listing, Settings};
pub use total_loss::Coefficients;
pub use value_head::StateAt;
pub use value_loss::{Half, ValueClip};
pub use whiten::{EpsAt, ShiftMean, Variance, Whitening};
