//! A whole small iteration, every intermediate in 17 significant digits, for the equations and for the
//! listing as it is printed.
//!
//! To refresh after a wanted change, and to read the difference before committing it:
//!
//! ```text
//! INSTA_UPDATE=always cargo test -p ppo-conformance --test snapshots && git diff tests/snapshots
//! ```
//!
//! The digits must be the same on every machine. `.ci/run` runs this suite once more under
//! `qemu-x86_64 -cpu Nehalem`; a difference there means that something called the system's exp or ln, or
//! multiplied matrices by a kernel chosen by CPU.

mod blocks;
mod iteration;
