//! How a batch is held and cut changes no bit.

use super::assert_same_bits;
use conformance::fast::{Batch, Case, Laid, Layout, TERMS};
use optimized::{Backend, Counts};

#[test]
fn padding_stride_and_packing_change_no_bit() {
    for term in TERMS {
        for case in (term.cases)().into_iter().filter(|case| case.batch.size() < 100_000) {
            for on in term.unlike() {
                let want = case.plain(on);
                for layout in [Layout::Wider(1), Layout::Wider(77), Layout::Strided(5), Layout::Packed] {
                    let got = case.run(on, &Laid::new(&case.batch, layout, Some(f32::NAN)));
                    assert_same_bits(term.stem, &case, &format!("{on}, {layout:?}"), &got, &want);
                }
            }
        }
    }
}

#[test]
fn a_batch_in_parts_gives_the_bits_of_the_whole() {
    for term in TERMS {
        let mut in_parts = false;
        for case in (term.cases)() {
            let want = case.plain(Backend::best());
            for n in [1, 2, 3, 8] {
                for layout in [Layout::Padded, Layout::Packed] {
                    let parts = cut(&case.batch, n, layout);
                    for on in term.unlike() {
                        let Some(got) = case.merged(on, &parts) else { continue };
                        in_parts = true;
                        assert_same_bits(
                            term.stem,
                            &case,
                            &format!("{on}, {n} parts, {layout:?}"),
                            &got,
                            &want,
                        );
                    }
                }
            }
        }
        println!("{}: {}", term.stem, if in_parts { "parts merge to the whole" } else { "has no parts" });
    }
}

/// The batch in n parts of unequal size; a part may have no row at all.
fn cut(batch: &Batch, n: usize, layout: Layout) -> Vec<Laid> {
    let at = |part: usize| batch.b * part * part / (n * n);
    let part =
        |rows: core::ops::Range<usize>| Laid::new(&batch.rows(&rows.collect::<Vec<_>>()), layout, None);
    let parts: Vec<Laid> = (0..n).map(|k| part(at(k)..at(k + 1))).collect();
    let whole = parts.iter().fold(Counts::default(), |sum, part| sum.merge(part.mask().counts()));
    parts.into_iter().enumerate().map(|(k, part)| part.part_of(at(k) as u64, whole)).collect()
}

/// The counts of a batch do not depend on the order of its rows, so neither does what a row gets.
#[test]
fn the_order_of_rows_changes_no_bit_of_a_row() {
    for term in TERMS.iter().filter(|term| !term.across_rows) {
        for case in (term.cases)() {
            let order: Vec<usize> = (0..case.batch.b).rev().collect();
            let got = run_rows(&case, &order).rows(&order);
            if !got.0.is_empty() {
                assert_same_bits(term.stem, &case, "rows reversed", &got, &case.plain(Backend::best()));
            }
        }
    }
}

fn run_rows(case: &Case, order: &[usize]) -> conformance::fast::Outputs {
    case.run(Backend::best(), &Laid::new(&case.batch.rows(order), Layout::Padded, None))
}
