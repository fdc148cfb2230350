//! What every term asks of its arguments before it computes anything.

use crate::{Counts, Error, Mask};

/// Every array has one element per slot of the mask, which lies within its batch.
pub(crate) fn lengths(
    op: &'static str,
    mask: &Mask<'_>,
    arrays: &[(&'static str, usize)],
) -> Result<(), Error> {
    mask.check_part(op)?;
    let want = mask.valid().len();
    match arrays.iter().find(|(_, got)| *got != want) {
        Some((name, got)) => Err(Error::Length { op, name, got: *got, want, one_per: "slot of the mask" }),
        None => Ok(()),
    }
}

/// An array has one element per row.
pub(crate) fn per_row(
    op: &'static str,
    mask: &Mask<'_>,
    name: &'static str,
    got: usize,
) -> Result<(), Error> {
    let want = mask.b();
    if got == want { Ok(()) } else { Err(Error::Length { op, name, got, want, one_per: "row" }) }
}

/// A setting rounded to f32, if that lies in its range.
pub(crate) fn setting(
    op: &'static str,
    name: &'static str,
    value: f64,
    must: &'static str,
    legal: impl Fn(f32) -> bool,
) -> Result<f32, Error> {
    let rounded = value as f32;
    if legal(rounded) { Ok(rounded) } else { Err(Error::Setting { op, name, value, must }) }
}

/// A setting > 0; ∞ is allowed.
pub(crate) fn positive(op: &'static str, name: &'static str, value: f64) -> Result<f32, Error> {
    setting(op, name, value, "be > 0", |x| x > 0.0)
}

/// A setting in [0, 1].
pub(crate) fn discount(op: &'static str, name: &'static str, value: f64) -> Result<f32, Error> {
    setting(op, name, value, "lie in [0, 1]", |x| (0.0..=1.0).contains(&x))
}

/// A coefficient: any finite number.
pub(crate) fn coefficient(op: &'static str, name: &'static str, value: f64) -> Result<f32, Error> {
    setting(op, name, value, "be finite", f32::is_finite)
}

/// An output has one element per slot of the mask.
pub(crate) fn output<'a>(
    op: &'static str,
    mask: &Mask<'_>,
    name: &'static str,
    out: Option<&'a mut [f32]>,
) -> Result<Option<&'a mut [f32]>, Error> {
    if let Some(out) = &out {
        lengths(op, mask, &[(name, out.len())])?;
    }
    Ok(out)
}

/// There is a token to take a mean over.
pub(crate) fn has_tokens(op: &'static str, whole: Counts) -> Result<(), Error> {
    if whole.tokens > 0 { Ok(()) } else { Err(Error::Nothing { op, what: "valid token" }) }
}
