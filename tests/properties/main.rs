//! What must hold for every mask and shape: identities, invariances, poison in masked slots, refusals.
//!
//! A property is a function of a [`case::Case`], which has a text form. Where one fails, proptest shrinks
//! the case and one line is printed that, pasted into a shell, reruns exactly the shrunk case:
//!
//! ```text
//! PPO_CASE='b=1 t=3 mask=101 ends=... seed=0 gap=skip gamma=0.9 lambda=0.8 k=0' cargo test -p ppo-conformance --test properties gae::gae_is_its_recursion -- --exact
//! ```
//!
//! Cases come from a fixed seed, so that a run is repeatable; `PROPTEST_CASES` and `PROPTEST_RNG_SEED`
//! change how many and which. Nothing is written to disk.

#[macro_use]
mod runner;
mod case;
mod oracle;

mod entropy;
mod gae;
mod losses;
mod poison;
mod refusals;
mod reward;
mod transformer;
mod whiten;
