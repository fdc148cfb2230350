//! What may be read and what may not: a masked slot never, and what stands in a valid one is never lost.

use super::{THREADS, assert_same_bits, threads};
use conformance::fast::{Batch, Case, Laid, Layout, Outputs, TERMS, Term, Value, Want};
use reference::rng::Rng;

/// A NaN with a payload: an exp made of integer additions may turn it into a number.
const NAN: f32 = f32::from_bits(0x7fc0_01ff);
const POISON: [f32; 4] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30];

/// Sentinels round the outputs and +0 in masked slots are checked wherever outputs are read.
#[test]
fn a_masked_slot_changes_no_bit_of_any_result() {
    let pool = threads(THREADS[1]);
    for term in TERMS {
        for case in (term.cases)().into_iter().filter(|case| case.batch.size() < 100_000) {
            for on in term.unlike() {
                let want = case.plain(on);
                for poison in POISON {
                    for layout in [Layout::Padded, Layout::Strided(3)] {
                        let x = Laid::new(&case.batch, layout, Some(poison));
                        let got = pool.install(|| case.run(on, &x));
                        assert_same_bits(
                            term.stem,
                            &case,
                            &format!("{on}, {poison} where masked"),
                            &got,
                            &want,
                        );
                    }
                }
            }
        }
    }
}

/// In each input in turn, one valid slot is NaN. Where the reference says NaN there must be one, and elsewhere
/// none. Of a recursion only the slot itself and later ones are compared: how far back a NaN travels through
/// coefficients that underflow is not said.
#[test]
fn a_nan_in_a_valid_slot_goes_where_the_reference_says() {
    for term in TERMS {
        for case in (term.cases)().into_iter().filter(|case| case.batch.size() < 25_000) {
            let valid: Vec<usize> =
                (0..case.batch.valid.len()).filter(|slot| case.batch.valid[*slot]).collect();
            let mut rng = Rng::of(&[valid.len() as u64]);
            for name in case.batch.names() {
                let (slot, width) = (valid[rng.below(valid.len())], case.batch.width(name));
                let mut batch = case.batch.clone();
                batch.array_mut(name)[slot * width + rng.below(width)] = NAN;
                for on in term.unlike() {
                    let got = case.run(on, &Laid::new(&batch, Layout::Padded, None));
                    nan_where_it_should_be(term, &case, &batch, slot, name, &got);
                }
            }
        }
    }
}

fn nan_where_it_should_be(term: &Term, case: &Case, batch: &Batch, slot: usize, name: &str, got: &Outputs) {
    for (output, Want(want)) in case.truth(batch) {
        let value = got.get(output).expect("an output for every truth");
        let width = want.len() / batch.valid.len().max(1);
        for (at, (got, want)) in value.numbers().iter().zip(want).enumerate() {
            let here = at / width.max(1);
            let same_row = here / batch.t_len == slot / batch.t_len;
            let earlier = matches!(value, Value::Tokens(_)) && same_row && here < slot;
            if !(term.looks_ahead && earlier) && want.off != f64::INFINITY {
                assert_eq!(
                    got.is_nan(),
                    want.value.is_nan(),
                    "{}.{output}[{at}] is {got}, the reference's {}: NaN in {name}[{slot}] of {case:?}",
                    term.stem,
                    want.value
                );
            }
        }
    }
}
