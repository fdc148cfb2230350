//! The harness of the workspace.

pub mod budget;
pub mod terms;
