//! Where a gradient goes, and what it is multiplied by.

use crate::{Error, Mask, check};

/// Room for c times a gradient per token, in the mask's layout.
#[derive(Debug)]
pub struct Grad<'a> {
    /// The coefficient of the term in the loss that is differentiated: 1 for the term alone.
    pub c: f64,
    /// One element per slot; +0 where a slot is masked.
    pub to: &'a mut [f32],
}

impl<'a> Grad<'a> {
    /// The coefficient in f32 (1 where there is no gradient) and the room, both checked.
    pub(crate) fn split(
        op: &'static str,
        mask: &Mask<'_>,
        grad: Option<Grad<'a>>,
    ) -> Result<(f32, Option<&'a mut [f32]>), Error> {
        let Some(Grad { c, to }) = grad else { return Ok((1.0, None)) };
        check::lengths(op, mask, &[("grad", to.len())])?;
        Ok((check::coefficient(op, "c", c)?, Some(to)))
    }
}
