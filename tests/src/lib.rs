//! The harness of the workspace: what the suites, the command `ppo` and the book share.
#![forbid(unsafe_code)]

pub mod budget;
pub mod cases;
pub mod check;
pub mod dump;
pub mod engine;
pub mod evaluate;
pub mod fast;
pub mod outputs;
pub mod report;
mod skipped;
pub mod terms;
pub mod train;
pub mod vectors;
