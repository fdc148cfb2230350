//! What the critic is fitted to: `eq:return`.

#[cfg(kernels)]
use crate::cuda::{self, Settings};
use crate::{Backend, Error, Mask, check, each::each};

/// The return of each token: raw advantage plus the value it was measured against, R = Â + V_old.
///
/// `adv_raw` is `eq:gae` *before* whitening, with the returns' own λ if wanted; both arrays are per slot of the mask,
/// in the unit of the reward. A NaN in a valid slot stays in its slot. Masked slots get +0; slots between rows are
/// left alone. [`crate::gae()`] writes the same bits in its own pass.
///
/// # Errors
///
/// If a length is not the mask's.
#[doc(alias = "eq:return")]
pub fn returns(
    on: Backend,
    adv_raw: &[f32],
    v_old: &[f32],
    mask: &Mask<'_>,
    out: &mut [f32],
) -> Result<(), Error> {
    check::lengths(
        "returns",
        mask,
        &[("adv_raw", adv_raw.len()), ("v_old", v_old.len()), ("out", out.len())],
    )?;
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        let done = cuda::each(device, ("returns", "returns"), mask, [adv_raw, v_old], Settings::NONE, out);
        return done.map_err(|err| err.by("returns"));
    }
    // ANCHOR: returns
    each(
        on.level("returns")?,
        mask,
        [adv_raw, v_old],
        out,
        #[inline(always)]
        |[adv, v_old]| adv + v_old,
    );
    // ANCHOR_END: returns
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{each_token, everywhere};

    #[test]
    fn a_return_is_the_advantage_plus_the_value() {
        each_token(
            "returns",
            |on, [adv, v_old, _], mask, out| returns(on, adv, v_old, mask, out),
            |[adv, v_old, _]| adv + v_old,
        );
    }

    #[test]
    fn a_batch_without_rows_has_none() {
        let mask = Mask::padded(&[], 0, 5).unwrap();
        everywhere("returns", |on| assert_eq!(returns(on, &[], &[], &mask, &mut []), Ok(()), "{on}"));
    }
}
