//! G6: one number from three rows, in six modes: losses 1, 2, 3, 4; 9; and a row without tokens.

use crate::printed::{exactly, printed};
use nalgebra::dmatrix;
use reference::{
    Agg::{self, *},
    CountRows::{All, WithTokens},
    Mask,
    aggregate::aggregate,
};

/// The width of the padded rows, which verl takes for S.
const S: f64 = 6.0;

fn of(agg: Agg) -> f64 {
    let junk = f64::NAN;
    let x = dmatrix![1.0, 2.0, 3.0, 4.0, junk, junk; 9.0, junk, junk, junk, junk, junk;
                     junk, junk, junk, junk, junk, junk];
    aggregate(&x, &Mask::from_rows(&[[1, 1, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0], [0; 6]]), agg)
}

#[test]
fn token_mean_counts_each_token_the_same() {
    printed(of(TokenMean), "3.8");
    exactly(of(TokenMean), 19.0 / 5.0);
}

#[test]
fn token_sum_is_the_sum() {
    exactly(of(TokenSum), 19.0);
}

#[test]
fn seq_mean_token_sum_depends_on_whether_the_empty_row_counts() {
    printed(of(SeqMeanTokenSum { rows: WithTokens }), "9.5");
    printed(of(SeqMeanTokenSum { rows: All }), "6.333");
}

#[test]
fn seq_mean_token_mean_counts_each_sequence_the_same() {
    printed(of(SeqMeanTokenMean { rows: WithTokens }), "5.75");
    printed(of(SeqMeanTokenMean { rows: All }), "3.833");
}

/// verl changed the meaning of one name: the old form divides by S alone, the new one by N_seq too.
#[test]
fn the_sum_norm_has_two_meanings() {
    printed(of(TokenSumNorm { scale: S }), "3.1667");
    printed(of(SeqMeanTokenSumNorm { rows: WithTokens, scale: S }), "1.5833");
    // Not printed: with the empty row counted it is 19 / 18.
    exactly(of(SeqMeanTokenSumNorm { rows: All, scale: S }), 19.0 / 18.0);
}
