//! What follows the last token of a row, and where episodes end inside it.

use crate::{DoneAt, Error, Mask, check};

/// Where episodes end, and V there. `Ends::default()` is what nearly all LLM trainers do: every row ends with its last
/// token, and V after it is 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ends<'a> {
    /// One per row: V after the last valid token; 0 where the response ended, a bootstrap where it was cut
    /// off. None: 0 in every row.
    pub v_last: Option<&'a [f32]>,
    /// One per slot: the episode ended with token t; V after it is 0.
    pub terminated: Option<&'a [bool]>,
    /// Where the episode was cut off after token t. A token with both flags is truncated.
    pub truncated: Option<Truncated<'a>>,
}

/// Tokens after which an episode was cut off. Flags and values in masked slots are not used.
#[derive(Debug, Clone, Copy)]
pub struct Truncated<'a> {
    /// One per slot: the episode was cut off after token t.
    pub at: &'a [bool],
    /// One per slot: V after token t, used where `at` is set.
    pub v_boot: &'a [f32],
}

impl<'a> Ends<'a> {
    /// V after the last token of each row; no episode ends inside a row.
    pub fn after(v_last: &'a [f32]) -> Ends<'a> {
        Ends { v_last: Some(v_last), ..Ends::default() }
    }

    pub(super) fn check(&self, op: &'static str, mask: &Mask<'_>) -> Result<(), Error> {
        if let Some(v_last) = self.v_last {
            check::per_row(op, mask, "v_last", v_last.len())?;
        }
        if let Some(terminated) = self.terminated {
            check::lengths(op, mask, &[("terminated", terminated.len())])?;
        }
        if let Some(Truncated { at, v_boot }) = self.truncated {
            check::lengths(op, mask, &[("truncated", at.len()), ("v_boot", v_boot.len())])?;
        }
        Ok(())
    }
}

/// Stored `done` flags as flags of the transitions, in the mask's layout; false in masked slots.
///
/// With `NextStart` the flag of a token stands at the next *valid* token of its row, and `last_dones`, one per
/// row, is the flag after the last one; with `Transition` it is not used. Slots between rows are left alone.
///
/// # Errors
///
/// If a length is not the mask's.
pub fn dones_of_transitions(
    dones: &[bool],
    last_dones: &[bool],
    done_at: DoneAt,
    mask: &Mask<'_>,
    out: &mut [bool],
) -> Result<(), Error> {
    const OP: &str = "dones_of_transitions";
    check::lengths(OP, mask, &[("dones", dones.len()), ("out", out.len())])?;
    check::per_row(OP, mask, "last_dones", last_dones.len())?;
    for (row, last) in last_dones.iter().enumerate() {
        let mut next = *last;
        for slot in mask.row(row).rev() {
            let valid = mask.valid()[slot];
            out[slot] = valid
                & match done_at {
                    DoneAt::Transition => dones[slot],
                    DoneAt::NextStart => next,
                };
            if valid {
                next = dones[slot];
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_conventions_of_done_describe_one_trajectory() {
        let mut ended = [true; 4];
        let mut from = |dones, done_at| {
            let mask = Mask::padded(&[true; 4], 1, 4).unwrap();
            dones_of_transitions(dones, &[true], done_at, &mask, &mut ended).unwrap();
            ended
        };
        let at_transition = [false, true, false, true];
        assert_eq!(from(&at_transition, DoneAt::Transition), at_transition);
        assert_eq!(from(&[true, false, true, false], DoneAt::NextStart), at_transition);
    }

    #[test]
    fn a_flag_in_a_gap_belongs_to_nobody() {
        let mask = Mask::padded(&[true, false, true, false], 1, 4).unwrap();
        let mut ended = [true; 4];
        let mut from = |dones: [bool; 4], last| {
            dones_of_transitions(&dones, &[last], DoneAt::NextStart, &mask, &mut ended).unwrap();
            ended
        };
        assert_eq!(from([false, true, false, true], false), [false, false, false, false]);
        assert_eq!(from([false, false, true, false], true), [true, false, true, false]);
    }
}
