//! One order of operations: the same bits on every backend and thread count, whatever is asked for.

use super::{THREADS, assert_same_bits, threads};
use conformance::fast::{Laid, Layout, TERMS, bits_equal};
use optimized::Backend;

#[test]
fn every_backend_and_thread_count_gives_the_bits_of_the_fallback_on_one_thread() {
    let pools = THREADS.map(threads);
    for term in TERMS {
        let (backends, mut cases) = (term.backends(), 0);
        for case in (term.cases)() {
            let want = pools[0].install(|| case.plain(backends[0]));
            for on in &backends {
                // A device knows nothing of threads.
                for (pool, n) in
                    pools.iter().zip(THREADS).take(if on.is_device() { 1 } else { THREADS.len() })
                {
                    let got = pool.install(|| case.plain(*on));
                    assert_same_bits(term.stem, &case, &format!("{on}, {n} threads"), &got, &want);
                }
            }
            cases += 1;
        }
        println!("{}: {cases} cases, the same bits on {}{}", term.stem, names(&backends), term.lacking());
    }
}

/// The table that the command `ppo terms` prints is made by this.
#[test]
fn the_short_comparison_agrees() {
    for term in TERMS {
        let equal = bits_equal(term);
        assert_eq!(equal.len(), term.backends().len());
        assert!(equal.iter().all(|(_, equal)| *equal), "{}: {equal:?}", term.stem);
    }
}

/// A number that a trainer logs does not depend on whether a gradient was asked for in the same pass.
#[test]
fn what_is_not_asked_for_changes_no_bit_of_the_rest() {
    for term in TERMS {
        for case in (term.cases)() {
            for on in term.unlike() {
                let silent = case.run(on, &Laid::new(&case.batch, Layout::Padded, None).silent());
                assert_same_bits(term.stem, &case, "without its outputs", &silent, &case.plain(on));
            }
        }
    }
}

fn names(backends: &[Backend]) -> String {
    let names: Vec<&str> = backends.iter().map(|on| on.name()).collect();
    names.join(", ")
}
