//! The harness of the workspace.

pub mod cases;
pub mod terms;
