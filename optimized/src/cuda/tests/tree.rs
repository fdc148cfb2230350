//! The tree over the rows of a batch.

use crate::{
    Agg, Backend, Counts, Mask, aggregate_sums,
    testing::{Random, devices},
};

/// As many rows as a block halves at once, a few more and a few less, and parts that begin anywhere.
#[test]
fn the_tree_of_many_rows_is_the_cpu_s_wherever_the_part_begins() {
    let mut random = Random(11);
    for b in [1, 2, 3, 5, 12, 19, 255, 257, 511, 512, 513, 1025, 2051] {
        let (valid, offsets) = (vec![true; b], (0..=b).collect::<Vec<_>>());
        let x: Vec<f32> = (0..b).map(|_| random.wild().clamp(-1e30, 1e30)).collect();
        let mask = Mask::packed(&valid, &offsets).unwrap();
        for first in [0, 5, 1 << 33] {
            let counts = mask.counts();
            let whole = Counts { rows: first + counts.rows, ..counts };
            let mask = if first == 0 { mask } else { mask.part_of(first, whole) };
            let sums = |on| aggregate_sums(on, &x, &mask, Agg::TokenSum).unwrap();
            let want = sums(Backend::best());
            for on in devices() {
                assert_eq!(sums(on), want, "{on}, {b} rows from {first} on");
            }
        }
    }
}
