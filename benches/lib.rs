//! Inputs for the benches.
