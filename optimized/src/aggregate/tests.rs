//! Every mode against its order, written down a second time.

use super::*;
use crate::{
    spec::{AGGS, Batch, coarse, cut},
    testing::{Random, SENTINEL, assert_rows, everywhere, same},
};

#[test]
fn every_backend_follows_the_order() {
    for (i, batch) in Batch::all().iter().enumerate() {
        let mut random = Random(i as u64);
        // Thirds, whose sums round at every step, so that another order shows.
        let x = batch.rows(|| if i % 2 == 0 { 1.0 + random.uniform() / 3.0 } else { coarse(&mut random) });
        let (laid, mask) = (batch.lay(&x), batch.mask());
        for agg in AGGS {
            let want = batch.aggregate(&x, agg);
            everywhere("aggregate", |on| {
                let got = aggregate(on, &laid, &mask, agg).unwrap();
                assert!(same(got, want), "{on}, batch {i}, {agg:?}: {got} for {want}");
            });
            let mut grad = vec![SENTINEL; mask.valid().len()];
            aggregate_grad(&mask, agg, -0.3, &mut grad).unwrap();
            let weights = batch.each([&x[..]], |row, _| batch.weight(row, agg) * -0.3);
            assert_rows(&format!("batch {i}, {agg:?}"), &mask, &grad, &weights);
        }
    }
}

#[test]
fn a_part_that_does_not_fit_its_batch_is_refused() {
    let mask = Mask::padded(&[true, true], 2, 1).unwrap();
    let whole = mask.counts();
    let says = |first, whole| {
        aggregate_sums(Backend::best(), &[1.0; 2], &mask.part_of(first, whole), Agg::TokenSum)
            .map_err(|error| error.to_string())
    };
    assert!(says(0, whole).is_ok());
    let of = "of a batch of 2 rows, 2 of them with 2 tokens";
    for first in [1, u64::MAX] {
        let wanted =
            format!("aggregate_sums: `mask` holds 2 rows from row {first}, 2 of them with 2 tokens, {of}");
        assert_eq!(says(first, whole).unwrap_err(), wanted);
    }
    assert!(says(0, Counts { tokens: 1, ..whole }).is_err());
}

#[test]
fn a_nan_in_a_valid_slot_is_the_result() {
    let valid = vec![true; 300];
    let mask = Mask::padded(&valid, 1, 300).unwrap();
    let mut x = vec![1.0; 300];
    x[299] = -f32::NAN;
    everywhere("aggregate", |on| {
        let got = aggregate(on, &x, &mask, Agg::TokenMean).unwrap();
        assert_eq!(got.to_bits(), 0x7fc0_0000, "{on}");
    });
}

#[test]
fn a_batch_cut_into_parts_gives_the_bits_of_the_whole() {
    let (b, t_len) = (19, 150);
    let mut random = Random(5);
    let valid: Vec<bool> = (0..b * t_len).map(|_| !random.flag(3)).collect();
    let x: Vec<f32> = (0..b * t_len).map(|_| random.uniform()).collect();
    let whole = Mask::padded(&valid, b, t_len).unwrap();
    for agg in AGGS {
        let want = aggregate(Backend::best(), &x, &whole, agg).unwrap();
        for parts in [1, 2, 3, 8] {
            let sums = cut(b, parts).into_iter().map(|rows| {
                let at = rows.start * t_len..rows.end * t_len;
                let part = Mask::padded(&valid[at.clone()], rows.len(), t_len).unwrap();
                let part = part.part_of(rows.start as u64, whole.counts());
                aggregate_sums(Backend::best(), &x[at], &part, agg).unwrap()
            });
            let sums = sums.reduce(|sums, next| sums.merge(next).unwrap()).unwrap();
            assert_eq!(sums.finish(agg), Ok(want), "{agg:?} in {parts} parts");
        }
    }
}

#[test]
fn a_mean_of_nothing_is_refused_and_a_sum_of_nothing_is_zero() {
    let mask = Mask::padded(&[false], 1, 1).unwrap();
    let of = |agg| aggregate(Backend::best(), &[f32::NAN], &mask, agg);
    let says = of(Agg::TokenMean).unwrap_err().to_string();
    assert_eq!(says, "aggregate: `mask` has no valid token to take a mean over");
    assert_eq!(of(Agg::TokenSum).map(f32::to_bits), Ok(0));
}

#[test]
fn a_coefficient_of_0_leaves_plus_0() {
    let mask = Mask::padded(&[true], 1, 1).unwrap();
    let mut out = [SENTINEL];
    aggregate_grad(&mask, Agg::TokenMean, -0.0, &mut out).unwrap();
    assert_eq!(out[0].to_bits(), 0);
}
