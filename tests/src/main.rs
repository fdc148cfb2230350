//! The command `ppo`.

fn main() {}
