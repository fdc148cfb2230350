//! What only moves numbers between slots, against the reference: on every mask of short rows, so on every edge.

use nalgebra::{DMatrix, DVector};
use optimized::{Backend, DoneAt, Error, Mask, ScoreAt};
use reference::reward as truth;

/// Slots of a row.
const T: usize = 4;

/// Flags whose bits are those of each number below 2^t, a row each.
fn rows(numbers: impl Iterator<Item = usize>) -> Vec<bool> {
    numbers.flat_map(|bits| (0..T).map(move |t| bits >> t & 1 == 1)).collect()
}

/// The same as the reference takes it.
fn matrix(flags: &[bool]) -> DMatrix<bool> {
    DMatrix::from_row_slice(flags.len() / T, T, flags)
}

#[test]
fn a_score_lands_in_the_reference_s_slot_whatever_is_valid_and_attended() -> Result<(), Error> {
    // Every row of valid slots with every row of attended ones.
    let pairs = || (0..1 << T).flat_map(|valid| (0..1 << T).map(move |attended| (valid, attended)));
    let (valid, attended) = (rows(pairs().map(|pair| pair.0)), rows(pairs().map(|pair| pair.1)));
    let b = valid.len() / T;
    let scores: Vec<f32> = (0..b).map(|row| row as f32 * 0.75 - 100.0).collect();
    let wide = DMatrix::from_fn(b, 1, |row, _| f64::from(scores[row]));
    let [mask, seen] = [&valid, &attended].map(|flags| reference::Mask::new(matrix(flags)));
    for at in [ScoreAt::LastValid, ScoreAt::LastAttended, ScoreAt::FirstPad] {
        for clip in [f64::INFINITY, 62.5] {
            let want = truth::place_scores(&wide, at, clip, &mask, Some(&seen));
            for on in Backend::available() {
                let [of, seen] = [&valid, &attended].map(|flags| Mask::padded(flags, b, T));
                let mut placed = vec![f32::NAN; b * T];
                optimized::place_scores(on, &scores, at, clip, &of?, Some(&seen?), &mut placed)?;
                let got = DMatrix::from_fn(b, T, |row, t| f64::from(placed[row * T + t]));
                assert_eq!(got, want, "{at:?}, clip {clip}, {on}");
            }
        }
    }
    Ok(())
}

#[test]
fn scores_are_broadcast_as_the_reference_does() -> Result<(), Error> {
    let scores = [-3.0f32, 0.5, 7.25, 2.0];
    let valid = rows([0b1111, 0b0101, 0, 0b0011].into_iter());
    let mut out = [f32::NAN; T * T];
    optimized::broadcast_scores(&scores, 2.5, &Mask::padded(&valid, T, T)?, &mut out)?;
    let wide = DMatrix::from_fn(T, 1, |row, _| f64::from(scores[row]));
    let want = truth::broadcast_scores(&wide, 2.5, (T, T));
    assert_eq!(DMatrix::from_fn(T, T, |row, t| f64::from(out[row * T + t])), want);
    Ok(())
}

#[test]
fn done_flags_move_to_the_transitions_that_the_reference_moves_them_to() -> Result<(), Error> {
    // Every row of valid slots with every row of flags and either flag after it.
    let all = || (0..1 << (2 * T + 1)).map(|n: usize| (n & 15, n >> T & 15, n >> (2 * T) == 1));
    let (valid, dones) = (rows(all().map(|row| row.0)), rows(all().map(|row| row.1)));
    let last: Vec<bool> = all().map(|row| row.2).collect();
    let b = last.len();
    for done_at in [DoneAt::Transition, DoneAt::NextStart] {
        let mask = reference::Mask::new(matrix(&valid));
        let of_last = DVector::from_column_slice(&last);
        let want = reference::dones_of_transitions(&matrix(&dones), &of_last, done_at, &mask);
        let mut out = vec![true; b * T];
        optimized::dones_of_transitions(&dones, &last, done_at, &Mask::padded(&valid, b, T)?, &mut out)?;
        assert_eq!(matrix(&out), want, "{done_at:?}");
    }
    Ok(())
}
