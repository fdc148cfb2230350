//! Layouts of every kind, and what is refused.

use super::*;

#[test]
fn a_mask_of_the_wrong_length_is_refused_with_the_numbers() {
    let says = |mask: Result<Mask<'_>, Error>| mask.unwrap_err().to_string();
    assert_eq!(
        says(Mask::padded(&[true; 5], 2, 3)),
        "mask: 5 slots, and 2 rows of 3 that begin 3 apart need 6"
    );
    assert_eq!(says(Mask::strided(&[true; 5], 1, 3, 2)), "mask: `stride` is 2 and rows have 3 slots");
    assert_eq!(
        says(Mask::packed(&[true; 3], &[0, 2])),
        "mask: `offsets` go from 0 to 2 and must go from 0 to 3, the number of slots"
    );
    assert_eq!(
        says(Mask::packed(&[true; 4], &[0, 3, 2, 4])),
        "mask: `offsets[2]` is 2 and the one before it 3"
    );
}

#[test]
fn the_last_row_of_a_slice_may_end_the_buffer() {
    for slots in [8, 7] {
        let valid = vec![true; slots];
        let mask = Mask::strided(&valid, 2, 3, 4).unwrap();
        assert_eq!((mask.row(1), mask.start(2)), (4..7, slots));
        assert_eq!(mask.counts(), Counts { rows: 2, rows_with_tokens: 2, tokens: 6 });
    }
}

#[test]
fn the_first_pad_follows_the_last_valid_token() {
    let rows = [true, false, true, false, false, false, false, false, true, true, true, true];
    let mut with = [false; 12];
    Mask::padded(&rows, 3, 4).unwrap().with_first_pad(&mut with).unwrap();
    let want = [true, false, true, true, false, false, false, false, true, true, true, true];
    assert_eq!(with, want);
}

#[test]
fn a_mask_of_fewer_or_more_rows_is_refused_with_the_first_that_one_lacks() {
    let (short, long) = (Mask::padded(&[true; 6], 2, 3).unwrap(), Mask::padded(&[true; 9], 3, 3).unwrap());
    let says = |mask: &Mask<'_>, other| mask.check_rows("op", "other", other).unwrap_err().to_string();
    assert_eq!(says(&short, &long), "op: row 2 of `other` is 6..9 and of `mask` absent");
    assert_eq!(says(&long, &short), "op: row 2 of `other` is absent and of `mask` 6..9");
}

#[test]
fn a_mask_is_full_where_every_slot_of_every_row_holds_a_token() {
    for (valid, full) in
        [([true; 6], true), ([false; 6], false), ([true, false, true, true, true, true], false)]
    {
        assert_eq!(Mask::padded(&valid, 2, 3).unwrap().is_full(), full);
        assert_eq!(Mask::packed(&valid, &[0, 2, 6]).unwrap().is_full(), full);
    }
    let one = [false, true, false, false];
    assert!(!Mask::padded(&one, 2, 2).unwrap().is_full() && !Mask::packed(&one, &[0, 4]).unwrap().is_full());
    assert!(Mask::strided(&[true; 6], 2, 2, 4).unwrap().is_full(), "what is between rows belongs to none");
}

#[test]
fn every_slot_is_counted() {
    for n in [0, 1, 127, 128, 129, 255, 256, 257, 1000] {
        let valid: Vec<bool> = (0..n).map(|i| i % 3 != 0).collect();
        assert_eq!(count(&valid), valid.iter().filter(|valid| **valid).count() as u64);
        assert_eq!(count(&vec![true; n]), n as u64);
    }
}

/// A loop over the rows would not end.
#[test]
fn rows_of_no_slots_are_made_at_once_however_many() {
    let mask = Mask::padded(&[], usize::MAX, 0).unwrap();
    assert_eq!(mask.counts(), Counts { rows: usize::MAX as u64, rows_with_tokens: 0, tokens: 0 });
}
