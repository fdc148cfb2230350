//! The harness of the workspace.

pub mod dump;
pub mod terms;
