//! Suites over the table of fast terms (`conformance::fast::TERMS`): each is written once and runs over every
//! term, so a new term is one entry in the table.

mod bits;
mod budgets;
mod golden;
mod partition;
mod poison;
mod slots;

use conformance::fast::{Case, Outputs};
use optimized::{Backend, Error};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::{env, io, io::Write};

/// Threads to run with: alone, as many as a small machine has, and a number that divides nothing.
const THREADS: [usize; 3] = [1, 2, 3];

/// A pool of that many threads.
fn threads(n: usize) -> ThreadPool {
    ThreadPoolBuilder::new().num_threads(n).build().expect("a pool of threads")
}

/// Fails with the place where two outputs of a case differ.
fn assert_same_bits(stem: &str, case: &Case, how: &str, got: &Outputs, want: &Outputs) {
    if let Some(difference) = got.difference(want) {
        panic!("{stem}, {case:?}: {how}: {difference}");
    }
}

/// What the suites ran on: each iterates over [`Backend::available`]. Written past the capture of test output, so
/// that a run that lacks a level says so; `PPO_REQUIRE=avx2,avx512` makes that a failure.
#[test]
fn which_backends_ran() -> Result<(), Error> {
    let required = env::var("PPO_REQUIRE").unwrap_or_default();
    writeln!(io::stderr(), "differential: {}", Backend::roll_call(&required)?).expect("stderr is open");
    Ok(())
}
