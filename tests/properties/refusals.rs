//! What cannot be meant ends in one sentence that names the argument and the numbers, in every public
//! function; values never do.

mod losses;
mod rollout;
mod step;
mod tokens;

use crate::runner::said;
use nalgebra::DMatrix;
use reference::Mask;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what must be refused and compares the sentence to the letter.
fn refuses<T>(sentence: &str, call: impl FnOnce() -> T) {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(_) => panic!("nothing was refused, and this was wanted: {sentence}"),
        Err(payload) => assert_eq!(said(&*payload), sentence),
    }
}

/// 2 × 3, the shape of every good argument here.
fn good() -> DMatrix<f64> {
    DMatrix::from_element(2, 3, 0.5)
}

/// 3 × 2: as many numbers, another shape.
fn bad() -> DMatrix<f64> {
    DMatrix::from_element(3, 2, 0.5)
}

fn full() -> Mask {
    Mask::full(2, 3)
}

fn empty() -> Mask {
    Mask::from_rows(&[[0, 0, 0], [0, 0, 0]])
}

#[test]
fn a_mask_holds_zero_and_one() {
    refuses("mask: entry [1, 0] is 2, and a mask holds 0 and 1", || Mask::from_rows(&[[1, 0], [2, 1]]));
    refuses("keep: `x` is 3 × 2 but `mask` is 2 × 3", || full().keep(&bad()));
    refuses("sum: `x` is 3 × 2 but `mask` is 2 × 3", || full().sum(&bad()));
}
