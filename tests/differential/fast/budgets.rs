//! The fast path against the reference on the same inputs widened to f64, within the derived budgets.

use conformance::fast::{Case, Judged, Outputs, TERMS, Term, Value, Want, judge};
use optimized::Backend;
use std::collections::BTreeMap;

/// Use of a budget under this is looseness that its comment must explain.
const FAIR: f64 = 1.0 / 16.0;

/// What was seen of one output of a term.
#[derive(Default)]
struct Seen {
    numbers: usize,
    out_of_range: usize,
    worst: f64,
    at: String,
    /// Scalars that a thousandth more takes out of the budget, and all that were tried.
    caught: (usize, usize),
}

/// All backends give one answer (another suite), so the best stands for them. A budget that any number passes
/// would prove nothing: a thousandth more must leave that of most scalars (a fraction with flags in doubt keeps it).
#[test]
fn every_output_keeps_to_the_reference() {
    let mut worst = (0.0, String::new());
    for term in TERMS {
        let mut seen = BTreeMap::new();
        for case in (term.cases)() {
            compare(term, &case, &case.plain(Backend::best()), &mut seen);
        }
        for (name, Seen { numbers, out_of_range, worst: used, at, caught: (left, all) }) in seen {
            let loose = if used < FAIR { " (loose: see its budget)" } else { "" };
            println!("{}.{name}: {used:.3} of the budget{loose}, {numbers} numbers, at {at}", term.stem);
            if out_of_range > 0 {
                println!("    {out_of_range} beyond the f32 range: compared between backends alone");
            }
            assert!(2 * left >= all, "{}.{name}: only {left} of {all} left the budget", term.stem);
            assert!(out_of_range < numbers, "{}.{name}: nothing was compared", term.stem);
            if used > worst.0 {
                worst = (used, format!("{}.{name}", term.stem));
            }
        }
    }
    println!("largest use of a budget: {:.3}, by {}", worst.0, worst.1);
}

fn compare(term: &Term, case: &Case, got: &Outputs, seen: &mut BTreeMap<&'static str, Seen>) {
    let truth = case.truth(&case.batch);
    for (name, _) in &got.0 {
        assert!(truth.iter().any(|(of, _)| of == name), "{}: no truth for `{name}`", term.stem);
    }
    for (name, Want(want)) in truth {
        let value = got.get(name).unwrap_or_else(|| panic!("{}: no output `{name}`", term.stem));
        let numbers = value.numbers();
        assert_eq!(numbers.len(), want.len(), "{}.{name}, {case:?}", term.stem);
        let seen = seen.entry(name).or_default();
        for (at, (&got, want)) in numbers.iter().zip(want).enumerate() {
            seen.numbers += 1;
            if matches!(value, Value::Number(_))
                && want.value != 0.0
                && want.value.is_finite()
                && want.off.is_finite()
            {
                let caught = judge(got * 1.001, want) == Judged::Outside;
                seen.caught = (seen.caught.0 + usize::from(caught), seen.caught.1 + 1);
            }
            match judge(got, want) {
                Judged::Within(used) if used > seen.worst => {
                    (seen.worst, seen.at) = (used, format!("[{at}] of {}", case.name));
                }
                Judged::Within(_) => {}
                Judged::OutOfRange => seen.out_of_range += 1,
                Judged::Outside => panic!(
                    "{}.{name}[{at}] is {got:e}, the reference's {:e} ± {:e}: {case:?}",
                    term.stem, want.value, want.off
                ),
            }
        }
    }
}
