//! The reference against numbers from outside: PyTorch's, on the shipped rollout.

mod pytorch;
mod whole_step;
