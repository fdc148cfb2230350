//! What each token is paid: `eq:score-at`, `eq:shaped-reward`.

#[cfg(kernels)]
#[path = "reward/cuda.rs"]
pub(crate) mod device;
#[cfg(test)]
mod tests;

#[cfg(kernels)]
use crate::cuda::{self, Settings};
use crate::{
    Backend, Error, Mask, ScoreAt, check,
    each::{copy, each},
    lanes::{clamp, fma},
};

/// The scores at their slots, +0 elsewhere in a row.
///
/// `scores` holds one per row, or one per slot of the mask with `PerToken`; `score_clip` > 0 bounds them, ∞ does
/// not. `attended`, for `LastAttended`, has the rows of `mask` and is true where any token is attended. `out` is
/// in the mask's layout; slots between rows are left alone. A NaN score stays one. A score may land in a masked
/// slot: [`reward`] then loses it, as `reference::reward` says.
///
/// # Errors
///
/// If a length or the rows of `attended` are not the mask's, `score_clip` is not > 0, or `LastAttended` comes
/// without `attended`.
#[doc(alias = "eq:score-at")]
pub fn place_scores(
    on: Backend,
    scores: &[f32],
    at: ScoreAt,
    score_clip: f64,
    mask: &Mask<'_>,
    attended: Option<&Mask<'_>>,
    out: &mut [f32],
) -> Result<(), Error> {
    const OP: &str = "place_scores";
    let clip = check::positive(OP, "score_clip", score_clip)?;
    check::lengths(OP, mask, &[("out", out.len())])?;
    if at == ScoreAt::PerToken {
        check::lengths(OP, mask, &[("scores", scores.len())])?;
        #[cfg(kernels)]
        if let Some(device) = on.device() {
            let by = Settings { a: clip, ..Settings::NONE };
            let done = cuda::each(device, ("reward", "clip_scores"), mask, [scores, &[]], by, out);
            return done.map_err(|err| err.by(OP));
        }
        each(
            on.level(OP)?,
            mask,
            [scores],
            out,
            #[inline(always)]
            |[score]| clamp(score, -clip, clip),
        );
        return Ok(());
    }
    check::per_row(OP, mask, "scores", scores.len())?;
    if let Some(attended) = attended {
        mask.check_rows(OP, "attended", attended)?;
    }
    let of = match (at, attended) {
        (ScoreAt::LastAttended, Some(attended)) => attended,
        (ScoreAt::LastAttended, None) => {
            return Err(Error::Missing { op: OP, name: "attended", needs: "`at` last-attended" });
        }
        _ => mask,
    };
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        let first_pad = at == ScoreAt::FirstPad;
        return device::place_scores(device, scores, mask, of, clip, first_pad, out)
            .map_err(|err| err.by(OP));
    }
    on.level(OP)?;
    for (row, score) in scores.iter().enumerate() {
        let (slots, end) = (mask.row(row), of.end(row));
        out[slots.clone()].fill(0.0);
        let slot = if at == ScoreAt::FirstPad { end.min(slots.len().max(1) - 1) } else { end.max(1) - 1 };
        if end > 0 {
            out[slots.start + slot] = clamp(*score, -clip, clip);
        }
    }
    Ok(())
}

/// The scores, clipped, as a row under every row: what torch makes of (B,) and (B, L) where B = L, and the post's
/// listing does. Where a score should land is not asked; `mask` says the layout alone.
///
/// # Errors
///
/// If there is not one score per row, a row has not as many slots as there are rows, or `score_clip` is not > 0.
pub fn broadcast_scores(
    scores: &[f32],
    score_clip: f64,
    mask: &Mask<'_>,
    out: &mut [f32],
) -> Result<(), Error> {
    const OP: &str = "broadcast_scores";
    let clip = check::positive(OP, "score_clip", score_clip)?;
    check::lengths(OP, mask, &[("out", out.len())])?;
    check::per_row(OP, mask, "scores", scores.len())?;
    check_square(OP, mask)?;
    for row in 0..mask.b() {
        for (out, score) in out[mask.row(row)].iter_mut().zip(scores) {
            *out = clamp(*score, -clip, clip);
        }
    }
    Ok(())
}

/// Refuses a mask whose rows have not as many slots as there are rows.
pub(crate) fn check_square(op: &'static str, mask: &Mask<'_>) -> Result<(), Error> {
    match (0..mask.b()).map(|row| mask.row(row).len()).find(|slots| *slots != mask.b()) {
        Some(got) => {
            Err(Error::Length { op, name: "mask.row", got, want: mask.b(), one_per: "row, to be broadcast" })
        }
        None => Ok(()),
    }
}

/// The shaped reward of each token: the score where it lands, minus the KL penalty everywhere.
///
/// `placed` is `eq:score-at` and `kl` is `eq:kl` of the policy that sampled, per slot of the mask, which holds the
/// slots that GAE will read. With `beta_kl` = 0 the term is skipped and `kl` is not used. `out` gets r, +0 in
/// masked slots whatever score landed there, and slots between rows are left alone. A NaN in a valid slot stays in
/// its slot.
///
/// # Errors
///
/// If a length is not the mask's, `beta_kl` is not finite, or it is not 0 and there is no `kl`.
#[doc(alias = "eq:shaped-reward")]
pub fn reward(
    on: Backend,
    placed: &[f32],
    kl: Option<&[f32]>,
    beta_kl: f64,
    mask: &Mask<'_>,
    out: &mut [f32],
) -> Result<(), Error> {
    const OP: &str = "reward";
    check::lengths(OP, mask, &[("placed", placed.len()), ("out", out.len())])?;
    let minus_beta = -check::coefficient(OP, "beta_kl", beta_kl)?;
    if minus_beta == 0.0 {
        return copy(OP, on, mask, placed, out);
    }
    let kl = kl.ok_or(Error::Missing { op: OP, name: "kl", needs: "`beta_kl` other than 0" })?;
    check::lengths(OP, mask, &[("kl", kl.len())])?;
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        let by = Settings { a: minus_beta, ..Settings::NONE };
        let done = cuda::each(device, ("reward", "reward"), mask, [placed, kl], by, out);
        return done.map_err(|err| err.by(OP));
    }
    each(
        on.level(OP)?,
        mask,
        [placed, kl],
        out,
        #[inline(always)]
        |[score, k]| fma(minus_beta, k, score),
    );
    Ok(())
}
