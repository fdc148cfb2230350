//! The terms that make one number a token and no sum, of arrays on a device.

use super::{Address, Batch, Each, Settings, Stream, View, ViewMut, stream::Kernel};
use crate::{
    Error, KlEstimate, ScoreAt, check,
    kl::Estimate,
    reward::{check_square, device as scores},
};

/// Runs a kernel that makes one number a token from one or two.
fn each(
    (op, on): (&'static str, &Stream),
    kernel: Kernel,
    batch: &Batch<'_>,
    (x, y): (View<'_, f32>, Option<View<'_, f32>>),
    by: Settings,
    out: &ViewMut<'_, f32>,
) -> Result<(), Error> {
    batch.check(op, on, &[x.named("x"), y.unwrap_or(x).named("y"), out.named("out")])?;
    let y = y.map_or(Address::NONE, |y| y.address());
    let args = Each { rows: batch.rows(), x: x.address(), y, out: out.address(), by };
    batch.over_tiles(on, kernel, &args).map_err(|err| err.by(op))
}

/// [`crate::kl()`] of arrays on a device, asked of a stream: the same bits.
///
/// # Errors
///
/// As there; or if an argument lies elsewhere.
pub fn kl(
    on: &Stream,
    logp: View<'_, f32>,
    logp_ref: View<'_, f32>,
    batch: &Batch<'_>,
    estimate: KlEstimate,
    out: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::kl";
    let estimate = Estimate::new(OP, estimate)?;
    let by = Settings { a: estimate.clamp_in, b: estimate.clamp_out, how: estimate.kind as u32 };
    each((OP, on), ("kl", "kl"), batch, (logp, Some(logp_ref)), by, &out)
}

/// [`crate::place_scores`] of arrays on a device, asked of a stream: the same bits. `attended` is a batch of the same rows.
///
/// # Errors
///
/// As there; or if an argument lies elsewhere.
pub fn place_scores(
    on: &Stream,
    scores: View<'_, f32>,
    at: ScoreAt,
    score_clip: f64,
    batch: &Batch<'_>,
    attended: Option<&Batch<'_>>,
    out: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::place_scores";
    let clip = check::positive(OP, "score_clip", score_clip)?;
    if at == ScoreAt::PerToken {
        let by = Settings { a: clip, ..Settings::NONE };
        return each((OP, on), ("reward", "clip_scores"), batch, (scores, None), by, &out);
    }
    batch.check(OP, on, &[out.named("out")])?;
    scores.named("scores").check(OP, on, batch.mask().b(), "row")?;
    if let Some(attended) = attended {
        attended.check(OP, on, &[])?;
        batch.mask().check_rows(OP, "attended", attended.mask())?;
    }
    let of = match (at, attended) {
        (ScoreAt::LastAttended, Some(attended)) => attended,
        (ScoreAt::LastAttended, None) => {
            return Err(Error::Missing { op: OP, name: "attended", needs: "`at` last-attended" });
        }
        _ => batch,
    };
    let first_pad = at == ScoreAt::FirstPad;
    scores::launch(on, batch, of.end(), scores.address(), (clip, first_pad), out.address())
        .map_err(|err| err.by(OP))
}

/// [`crate::broadcast_scores`] of arrays on a device, asked of a stream: the same bits.
///
/// # Errors
///
/// As there; or if an argument lies elsewhere.
pub fn broadcast_scores(
    on: &Stream,
    scores: View<'_, f32>,
    score_clip: f64,
    batch: &Batch<'_>,
    out: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::broadcast_scores";
    let clip = check::positive(OP, "score_clip", score_clip)?;
    batch.check(OP, on, &[out.named("out")])?;
    scores.named("scores").check(OP, on, batch.mask().b(), "row")?;
    check_square(OP, batch.mask())?;
    scores::broadcast(on, batch, scores.address(), clip, out.address()).map_err(|err| err.by(OP))
}

/// The same numbers, +0 where a slot is masked.
pub(crate) fn copy(
    op: &'static str,
    on: &Stream,
    x: View<'_, f32>,
    batch: &Batch<'_>,
    out: ViewMut<'_, f32>,
) -> Result<(), Error> {
    each((op, on), ("each", "copy"), batch, (x, None), Settings::NONE, &out)
}

/// [`crate::reward()`] of arrays on a device, asked of a stream: the same bits.
///
/// # Errors
///
/// As there; or if an argument lies elsewhere.
pub fn reward(
    on: &Stream,
    placed: View<'_, f32>,
    kl: Option<View<'_, f32>>,
    beta_kl: f64,
    batch: &Batch<'_>,
    out: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::reward";
    let minus_beta = -check::coefficient(OP, "beta_kl", beta_kl)?;
    if minus_beta == 0.0 {
        return each((OP, on), ("each", "copy"), batch, (placed, None), Settings::NONE, &out);
    }
    let kl = kl.ok_or(Error::Missing { op: OP, name: "kl", needs: "`beta_kl` other than 0" })?;
    let by = Settings { a: minus_beta, ..Settings::NONE };
    each((OP, on), ("reward", "reward"), batch, (placed, Some(kl)), by, &out)
}

/// [`crate::returns()`] of arrays on a device, asked of a stream: the same bits.
///
/// # Errors
///
/// As there; or if an argument lies elsewhere.
pub fn returns(
    on: &Stream,
    adv_raw: View<'_, f32>,
    v_old: View<'_, f32>,
    batch: &Batch<'_>,
    out: ViewMut<'_, f32>,
) -> Result<(), Error> {
    const OP: &str = "cuda::returns";
    each((OP, on), ("returns", "returns"), batch, (adv_raw, Some(v_old)), Settings::NONE, &out)
}
