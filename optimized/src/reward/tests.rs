//! Scores at their slots, and the penalty.

use super::*;
use crate::testing::{LAYOUTS, Laid, SENTINEL, assert_rows, each_token, everywhere};

#[test]
fn the_penalty_is_subtracted_in_one_rounding_and_skipped_at_zero() {
    each_token(
        "reward",
        |on, [placed, kl, _], mask, out| reward(on, placed, Some(kl), 0.1, mask, out),
        |[placed, kl, _]| (-0.1f32).mul_add(kl, placed),
    );
    each_token(
        "reward",
        |on, [placed, _, _], mask, out| reward(on, placed, None, 0.0, mask, out),
        |[placed, _, _]| placed,
    );
}

#[test]
fn scores_per_token_are_clipped() {
    each_token(
        "reward",
        |on, [scores, _, _], mask, out| place_scores(on, scores, ScoreAt::PerToken, 0.3, mask, None, out),
        |[score, _, _]| {
            let below = if score > 0.3 { 0.3 } else { score };
            if below < -0.3 { -0.3 } else { below }
        },
    );
}

#[test]
fn a_score_lands_where_it_is_told_in_every_layout() {
    let rows = [[true, false, true, false, false], [true; 5], [false; 5]].map(Vec::from);
    let seen = [[true, true, true, true, false], [true; 5], [true, false, false, false, false]];
    let wants = [
        (ScoreAt::LastValid, [Some(2), Some(4), None]),
        (ScoreAt::LastAttended, [Some(3), Some(4), Some(0)]),
        (ScoreAt::FirstPad, [Some(3), Some(4), None]),
    ];
    for (layout, (at, slots)) in LAYOUTS.into_iter().flat_map(|layout| wants.map(|want| (layout, want))) {
        let laid = Laid::new(layout, &[5; 3]);
        let (valid, attended) = (laid.lay(&rows, false), laid.lay(&seen.map(Vec::from), false));
        let (mask, attended) = (laid.mask(&valid), laid.mask(&attended));
        let mut want = [[0.0; 5]; 3].map(Vec::from);
        for (row, slot) in slots.into_iter().enumerate() {
            slot.into_iter().for_each(|slot: usize| want[row][slot] = [2.0, -5.0, 5.0][row]);
        }
        everywhere("reward", |on| {
            let (scores, mut out) = ([2.0, -9.0, 7.0], vec![SENTINEL; laid.slots]);
            place_scores(on, &scores, at, 5.0, &mask, Some(&attended), &mut out).unwrap();
            assert_rows(&format!("{layout:?} {at:?}"), &mask, &out, &want);
        });
    }
}

#[test]
fn rows_without_slots_and_full_ones_have_no_first_pad() {
    let mask = Mask::packed(&[true, true, false], &[0, 0, 2, 3]).unwrap();
    let mut out = [SENTINEL; 3];
    let (on, at) = (Backend::best(), ScoreAt::FirstPad);
    place_scores(on, &[1.0, 2.0, 3.0], at, f64::INFINITY, &mask, None, &mut out).unwrap();
    assert_eq!(out, [0.0, 2.0, 0.0]);
}

#[test]
fn a_nan_score_stays_one() {
    let mask = Mask::padded(&[true, true], 1, 2).unwrap();
    let mut out = [SENTINEL; 2];
    place_scores(Backend::best(), &[f32::NAN], ScoreAt::LastValid, 5.0, &mask, None, &mut out).unwrap();
    assert!(out[1].is_nan() && out[0] == 0.0);
}

#[test]
fn scores_are_broadcast_as_a_row_under_every_row() {
    let mask = Mask::strided(&[true, false, true, true, true, true], 2, 2, 3).unwrap();
    let mut out = [SENTINEL; 6];
    broadcast_scores(&[1.0, -9.0], 5.0, &mask, &mut out).unwrap();
    assert_eq!(out, [1.0, -5.0, SENTINEL, 1.0, -5.0, SENTINEL]);
    let mask = Mask::padded(&[true; 6], 2, 3).unwrap();
    let says = broadcast_scores(&[1.0, 2.0], 5.0, &mask, &mut out).unwrap_err().to_string();
    assert_eq!(
        says,
        "broadcast_scores: `mask.row` has 3 elements and must have 2, one per row, to be broadcast"
    );
}

#[test]
fn what_is_missing_is_said() {
    let mask = Mask::padded(&[true], 1, 1).unwrap();
    let (on, mut out) = (Backend::best(), [0.0]);
    let says = place_scores(on, &[1.0], ScoreAt::LastAttended, 1.0, &mask, None, &mut out).unwrap_err();
    assert_eq!(says.to_string(), "place_scores: `attended` is missing and `at` last-attended needs it");
    let says = reward(on, &[1.0], None, 0.1, &mask, &mut out).unwrap_err();
    assert_eq!(says.to_string(), "reward: `kl` is missing and `beta_kl` other than 0 needs it");
    let (wider, two) = ([true; 2], [true]);
    let attended = Mask::strided(&two, 1, 1, 1).unwrap();
    assert!(place_scores(on, &[1.0], ScoreAt::LastAttended, 1.0, &mask, Some(&attended), &mut out).is_ok());
    let attended = Mask::padded(&wider, 1, 2).unwrap();
    let says = place_scores(on, &[1.0], ScoreAt::LastAttended, 1.0, &mask, Some(&attended), &mut out);
    assert_eq!(says.unwrap_err().to_string(), "place_scores: row 0 of `attended` is 0..2 and of `mask` 0..1");
}
