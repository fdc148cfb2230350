//! Where episodes end: from `truncated`, `terminated`, `dones` and the values after them.

use super::{BadInput, Dump, error::bad};
use nalgebra::{DMatrix, DVector};
use reference::{DoneAt, Ends, Mask, dones_of_transitions};

/// The flags and values of a file, false and 0 where they are masked.
#[derive(Debug, Default)]
pub(super) struct Flags {
    /// (B).
    row_truncated: Option<DVector<bool>>,
    /// (B, L).
    truncated: Option<DMatrix<bool>>,
    terminated: Option<DMatrix<bool>>,
    dones: Option<DMatrix<bool>>,
    last_dones: Option<DVector<bool>>,
    last_values: Option<DVector<f64>>,
    bootstrap_values: Option<DMatrix<f64>>,
}

impl Flags {
    /// Reads them. The values after are finite where a flag asks for them.
    pub(super) fn read(dump: &Dump, mask: &Mask) -> Result<Flags, BadInput> {
        let by_row = dump.input("truncated").is_some_and(|tensor| tensor.shape.len() == 1);
        let row_truncated = if by_row { dump.row_flags("truncated", mask)? } else { None };
        let truncated = if by_row { None } else { dump.flags("truncated", mask)? };
        let cut = |(row, t): (usize, usize)| truncated.as_ref().is_some_and(|cut| cut[(row, t)]);
        let last = |row: usize| mask.end(row).checked_sub(1);
        let v_last_read = |(row, _): (usize, usize)| match (last(row), &row_truncated, &truncated) {
            (None, _, _) => false,
            (Some(_), Some(rows), _) => rows[row],
            (Some(last), None, Some(_)) => cut((row, last)) && !dump.has("bootstrap_values"),
            (Some(_), None, None) => true,
        };
        let last_values = dump.finite_where("last_values", v_last_read)?;
        Ok(Flags {
            terminated: dump.flags("terminated", mask)?,
            dones: dump.flags("dones", mask)?,
            last_dones: dump.row_flags("last_dones", mask)?,
            last_values: last_values.map(|v| v.column(0).into_owned()),
            bootstrap_values: dump.finite_where("bootstrap_values", cut)?,
            row_truncated,
            truncated,
        })
    }
}

/// The ends of every row, with a sentence for each value that is there and not read.
pub(super) fn ends(flags: &Flags, mask: &Mask, done_at: DoneAt) -> Result<(Ends, Vec<String>), BadInput> {
    let (b, t_len) = mask.shape();
    let mut ends = Ends::stop(b, t_len);
    let mut notes = Vec::new();
    if let Some(terminated) = &flags.terminated {
        ends.terminated.clone_from(terminated);
    }
    let done = dones(flags, mask, done_at)?;
    for row in 0..b {
        let end = mask.end(row);
        for t in mask.tokens_of(row) {
            end_of_token(flags, &mut ends, (row, t), end)?;
            ends.terminated[(row, t)] |= done[(row, t)] && !ends.truncated[(row, t)];
        }
        end_of_row(flags, &mut ends, row, end)?;
    }
    let dropped = unread_last_values(flags, &ends, mask);
    if dropped > 0 {
        notes.push(format!(
            "`last_values` of {dropped} rows is not read: `truncated` is there, and 0 at their last token"
        ));
    }
    if flags.bootstrap_values.is_some() && flags.truncated.is_none() {
        notes.push("`bootstrap_values` is not read: there is no `truncated` (B, L)".to_string());
    }
    if flags.last_dones.is_some() && done_at == DoneAt::Transition {
        notes.push("`last_dones` is not read: `done_at` is transition".to_string());
    }
    Ok((ends, notes))
}

/// `truncated` and `bootstrap_values` of one valid token.
fn end_of_token(flags: &Flags, ends: &mut Ends, slot: (usize, usize), end: usize) -> Result<(), BadInput> {
    let Some(truncated) = &flags.truncated else { return Ok(()) };
    if !truncated[slot] {
        return Ok(());
    }
    let (row, t) = slot;
    refuse_both(ends, slot)?;
    ends.truncated[slot] = true;
    ends.v_boot[slot] = match (&flags.bootstrap_values, &flags.last_values) {
        (Some(v), _) => v[slot],
        (None, Some(v)) if t + 1 == end => v[row],
        (None, _) => {
            return Err(bad!(
                "`truncated` row {row}, token {t} is 1, and `bootstrap_values`, V after it, is not in the file"
            ));
        }
    };
    Ok(())
}

/// `truncated` and `last_values` of one row.
fn end_of_row(flags: &Flags, ends: &mut Ends, row: usize, end: usize) -> Result<(), BadInput> {
    let Some(last) = end.checked_sub(1) else { return Ok(()) };
    match (&flags.row_truncated, &flags.last_values) {
        (Some(rows), None) if rows[row] => Err(bad!(
            "`truncated` row {row} is 1, and `last_values`, V after its last valid token, is not in the file"
        )),
        (Some(rows), Some(v)) if rows[row] => {
            // A slot with `dones` and `truncated` is truncated: V follows it, and not 0.
            if flags.terminated.as_ref().is_some_and(|terminated| terminated[(row, last)]) {
                return refuse_both(ends, (row, last));
            }
            ends.terminated[(row, last)] = false;
            ends.v_last[row] = v[row];
            Ok(())
        }
        (None, Some(v)) if flags.truncated.is_none() => {
            ends.v_last[row] = v[row];
            Ok(())
        }
        _ => Ok(()),
    }
}

fn refuse_both(ends: &Ends, (row, t): (usize, usize)) -> Result<(), BadInput> {
    if !ends.terminated[(row, t)] {
        return Ok(());
    }
    Err(bad!("row {row}, token {t} is both `terminated` and `truncated`: ended, and cut off before it ended"))
}

/// Rows that go on after their last token although `last_values` has a V for it, since a (B, L) `truncated`
/// does not name them.
fn unread_last_values(flags: &Flags, ends: &Ends, mask: &Mask) -> usize {
    if flags.last_values.is_none() || flags.truncated.is_none() {
        return 0;
    }
    let open = |row: &usize| match mask.end(*row).checked_sub(1) {
        Some(last) => !ends.truncated[(*row, last)] && !ends.terminated[(*row, last)],
        None => false,
    };
    (0..mask.shape().0).filter(open).count()
}

/// `dones` as flags of the transitions.
fn dones(flags: &Flags, mask: &Mask, done_at: DoneAt) -> Result<DMatrix<bool>, BadInput> {
    let (b, t_len) = mask.shape();
    let Some(dones) = &flags.dones else { return Ok(DMatrix::from_element(b, t_len, false)) };
    let last_dones = match (&flags.last_dones, done_at) {
        (Some(last_dones), _) => last_dones.clone(),
        (None, DoneAt::Transition) => DVector::from_element(b, false),
        (None, DoneAt::NextStart) => {
            return Err(bad!(
                "`dones` with `done_at` next-start needs `last_dones` (B), the flag after the last slot, which is \
                 not in the file"
            ));
        }
    };
    Ok(dones_of_transitions(dones, &last_dones, done_at, mask))
}
