//! Where episodes end, and what follows them.

use crate::file::{File, step};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use reference::{DoneAt, Ends, Mask, dones_of_transitions};

const TOKENS: [usize; 2] = [2, 3];
const NEXT_START: [(&str, &str); 1] = [("done-at", "next-start")];

fn ends(file: &File) -> Ends {
    file.inputs().ends.unwrap()
}

fn notes(file: &File) -> Vec<String> {
    file.inputs().notes
}

fn none() -> DMatrix<bool> {
    DMatrix::from_element(2, 3, false)
}

#[test]
fn without_flags_every_row_stops() {
    assert_eq!(ends(&step()), Ends::stop(2, 3));
}

#[test]
fn last_values_follow_every_row_where_truncated_is_absent() {
    let got = ends(&step().f64("next_values", &[2], &[3.0, 4.0]));
    assert_eq!(got, Ends::after(dvector![3.0, 4.0], 3));
}

#[test]
fn last_values_follow_truncated_rows_alone() {
    let file = step().f64("last_values", &[2], &[f64::NAN, 4.0]).flags("truncated", &[2], &[0, 1]);
    assert_eq!(ends(&file), Ends::after(dvector![0.0, 4.0], 3));
    let got = file.flags("truncated", &[2], &[1, 1]).refusal(&[]);
    assert_eq!(got, "`last_values` row 0 is NaN, and an input must be finite where it is read");
}

#[test]
fn a_truncated_row_without_its_value_is_refused() {
    let got = step().flags("truncated", &[2], &[0, 1]).refusal(&[]);
    let want = "`truncated` row 1 is 1, and `last_values`, V after its last valid token, is not in the file";
    assert_eq!(got, want);
    assert_eq!(ends(&step().flags("truncated", &[2], &[0, 0])), Ends::stop(2, 3));
    let empty = step().flags("response_mask", &TOKENS, &[1, 1, 1, 0, 0, 0]).flags("truncated", &[2], &[0, 1]);
    assert_eq!(ends(&empty), Ends::stop(2, 3), "a row without tokens needs no value");
}

#[test]
fn a_truncated_token_is_followed_by_its_bootstrap_value() {
    let cut = step().flags("truncated", &TOKENS, &[0, 1, 0, 0, 1, 1]);
    let file = cut.clone().f64("bootstrap_values", &TOKENS, &[f64::NAN, 5.0, 0.0, 0.0, 6.0, f64::NAN]);
    let got = ends(&file);
    assert_eq!(got.truncated, dmatrix![false, true, false; false, true, false]);
    assert_eq!(got.v_boot, dmatrix![0.0, 5.0, 0.0; 0.0, 6.0, 0.0]);
    let want = "`truncated` row 0, token 1 is 1, and `bootstrap_values`, V after it, is not in the file";
    assert_eq!(cut.refusal(&[]), want);
    let got = cut.all("bootstrap_values", &TOKENS, f64::NAN).refusal(&[]);
    assert!(got.starts_with("`bootstrap_values` row 0, token 1 is NaN"), "{got}");
}

#[test]
fn bootstrap_values_that_no_flag_asks_for_are_said_to_be_unread() {
    let file = step().all("bootstrap_values", &TOKENS, f64::NAN);
    assert_eq!(ends(&file), Ends::stop(2, 3));
    assert_eq!(notes(&file), ["`bootstrap_values` is not read: there is no `truncated` (B, L)"]);
}

#[test]
fn last_values_are_v_after_a_truncated_last_token() {
    let file = step().flags("truncated", &TOKENS, &[0, 0, 0, 0, 1, 0]).f64("last_values", &[2], &[3.0, 4.0]);
    let got = ends(&file);
    assert_eq!((got.v_boot[(1, 1)], got.v_last.clone()), (4.0, DVector::zeros(2)));
    let want = "`last_values` of 1 rows is not read: `truncated` is there, and 0 at their last token";
    assert_eq!(notes(&file), [want]);
}

#[test]
fn a_done_is_terminal_unless_it_is_truncated() {
    let dones = step().flags("dones", &TOKENS, &[0, 1, 0, 0, 1, 1]);
    let terminated = dmatrix![false, true, false; false, true, false];
    assert_eq!(ends(&dones).terminated, terminated);
    assert_eq!(ends(&step().flags("terminated", &TOKENS, &[0, 1, 0, 0, 1, 1])).terminated, terminated);

    let by_token = dones.clone().flags("truncated", &TOKENS, &[0, 1, 0, 0, 0, 0]);
    let got = ends(&by_token.all("bootstrap_values", &TOKENS, 5.0));
    assert_eq!(got.terminated, dmatrix![false, false, false; false, true, false]);
    assert_eq!((got.truncated[(0, 1)], got.v_boot[(0, 1)]), (true, 5.0));

    let by_row = dones.flags("truncated", &[2], &[0, 1]).all("last_values", &[2], 6.0);
    let got = ends(&by_row);
    assert_eq!(got.terminated, dmatrix![false, true, false; false, false, false]);
    assert_eq!((got.truncated, got.v_last), (none(), dvector![0.0, 6.0]));
}

#[test]
fn ended_and_cut_off_at_once_is_refused() {
    let ended = step().flags("terminated", &TOKENS, &[0, 1, 0, 0, 1, 0]);
    let says = |row, t| {
        format!(
            "row {row}, token {t} is both `terminated` and `truncated`: ended, and cut off before it ended"
        )
    };
    let by_token = ended.clone().flags("truncated", &TOKENS, &[0, 1, 0, 0, 0, 0]);
    assert_eq!(by_token.all("bootstrap_values", &TOKENS, 5.0).refusal(&[]), says(0, 1));
    let by_row = ended.flags("truncated", &[2], &[0, 1]).all("last_values", &[2], 6.0);
    assert_eq!(by_row.refusal(&[]), says(1, 1));
}

#[test]
fn a_flag_in_a_masked_slot_is_not_read() {
    let file =
        step().ids("dones", &TOKENS, &[0, 0, 0, 0, 0, 77]).ids("terminated", &TOKENS, &[0, 0, 0, 0, 0, -1]);
    assert_eq!(ends(&file), Ends::stop(2, 3));
    let got = step().ids("dones", &TOKENS, &[0, 0, 0, 0, 2, 0]).refusal(&[]);
    assert_eq!(got, "`dones` row 1, token 1 is neither 0 nor 1");
}

#[test]
fn next_start_on_full_rows_is_what_the_reference_says() {
    let full = step().flags("response_mask", &TOKENS, &[1; 6]).ids("actions", &TOKENS, &[0; 6]);
    let file = full.flags("dones", &TOKENS, &[1, 0, 1, 0, 1, 0]).flags("last_dones", &[2], &[0, 1]);
    let dones = dmatrix![true, false, true; false, true, false];
    let want = dones_of_transitions(&dones, &dvector![false, true], DoneAt::NextStart, &Mask::full(2, 3));
    let (inputs, _) = file.load(&NEXT_START).unwrap();
    assert_eq!(inputs.ends.unwrap().terminated, want);
    assert_eq!(ends(&file).terminated, dones);
    assert_eq!(notes(&file), ["`last_dones` is not read: `done_at` is transition"]);
}

/// Row 0 has a gap: the flag that an episode starts behind it belongs to the token before it. Row 1 ends in
/// padding, which is not read: the flag of its last token is in `last_dones`.
#[test]
fn next_start_steps_over_masked_slots() {
    let gap = step().flags("response_mask", &TOKENS, &[1, 0, 1, 1, 1, 0]).ids("actions", &TOKENS, &[0; 6]);
    let file = gap.ids("dones", &TOKENS, &[0, 9, 1, 0, 0, 9]).flags("last_dones", &[2], &[0, 1]);
    let (inputs, _) = file.load(&NEXT_START).unwrap();
    let want = dmatrix![true, false, false; false, true, false];
    assert_eq!(inputs.ends.unwrap().terminated, want);
}

#[test]
fn next_start_needs_the_flag_after_the_last_slot() {
    let want = "`dones` with `done_at` next-start needs `last_dones` (B), the flag after the last slot, which is \
                not in the file";
    assert_eq!(step().flags("dones", &TOKENS, &[0; 6]).refusal(&NEXT_START), want);
    assert!(step().load(&NEXT_START).is_ok());
}
