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

mod backend;
mod error;

pub use backend::Backend;
pub use error::Error;
