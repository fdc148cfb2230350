//! The reference against numbers from outside, PyTorch's on the shipped rollout; and the fast path against the
//! reference and against itself: one order of operations on every backend.

mod choices;
mod engine;
mod fast;
mod pytorch;
mod whole_step;
