//! The harness of the workspace.

pub mod terms;
