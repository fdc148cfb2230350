//! Where the advantages come from: `eq:td-residual`, `eq:gae-recursion`, and the returns in the same pass.

#[cfg(kernels)]
pub(crate) mod cuda;
mod ends;
mod lanes;
#[cfg(test)]
mod spec;
mod table;
#[cfg(test)]
mod tests;

#[cfg(kernels)]
pub(crate) use cuda::{FEW, GROUPS, LONG, next_valid};
pub use ends::{Ends, Truncated, dones_of_transitions};

use crate::{
    Backend, Error, Gap, Mask, check,
    memory::{Aligned, Store},
    parallel::{Cut, over_rows},
};
use core::ops::Range;
use fearless_simd::{Simd, dispatch};
use lanes::{Decay, STAGE};
use table::Row;

/// λ, the decay.
#[derive(Debug, Clone, Copy)]
pub enum Lambda<'a> {
    /// The same for every row; rounded to f32 once.
    One(f64),
    /// One per row.
    PerRow(&'a [f32]),
}

/// What [`gae`] writes per token: arrays of the mask's layout. Masked slots get +0; slots between rows are left
/// alone.
#[derive(Debug)]
pub struct GaeOut<'a> {
    /// Â, before whitening.
    pub adv: &'a mut [f32],
    /// R = Â + V, `eq:return`: the bits of [`crate::returns`] without another pass.
    pub ret: Option<&'a mut [f32]>,
}

impl Cut for GaeOut<'_> {
    fn cut(self, slots: usize) -> (Self, Self) {
        let (adv, adv_rest) = self.adv.split_at_mut(slots);
        let (ret, ret_rest) = self.ret.map(|ret| ret.split_at_mut(slots)).unzip();
        (GaeOut { adv, ret }, GaeOut { adv: adv_rest, ret: ret_rest })
    }
}

/// Advantages, and returns where `out` has room for them: one pass over the batch.
///
/// `r` and `v` are r and V_old per slot of the mask; γ and λ lie in [0, 1]. A NaN in a valid slot reaches its own
/// token and no later one; masked slots are never used. Equations and conventions are those of
/// `reference::gae`; the order of operations is ORDER.md's. A row depends on itself alone, so the mask may be
/// any part of a batch.
///
/// ```
/// use optimized::{Backend, Ends, GaeOut, Gap, Lambda, Mask, gae};
/// let (r, v, valid) = ([0.0, 1.0], [0.5, 0.25], [true, true]);
/// let mask = Mask::padded(&valid, 1, 2)?;
/// let mut adv = [0.0; 2];
/// let out = GaeOut { adv: &mut adv, ret: None };
/// gae(Backend::best(), &r, &v, &mask, &Ends::default(), Gap::Skip, 1.0, Lambda::One(0.5), out)?;
/// assert_eq!(adv, [0.125, 0.75]); // δ = −0.25, 0.75
/// # Ok::<(), optimized::Error>(())
/// ```
///
/// # Errors
///
/// If a length is not the mask's, or γ or a λ lies outside [0, 1].
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
#[doc(alias = "eq:td-residual")]
#[doc(alias = "eq:gae")]
#[doc(alias = "eq:gae-recursion")]
pub fn gae(
    on: Backend,
    r: &[f32],
    v: &[f32],
    mask: &Mask<'_>,
    ends: &Ends<'_>,
    gap: Gap,
    gamma: f64,
    lambda: Lambda<'_>,
    out: GaeOut<'_>,
) -> Result<(), Error> {
    const OP: &str = "gae";
    check::lengths(OP, mask, &[("r", r.len()), ("v", v.len()), ("adv", out.adv.len())])?;
    let ret = check::output(OP, mask, "ret", out.ret)?;
    ends.check(OP, mask)?;
    let gamma = check::discount(OP, "gamma", gamma)?;
    let lambda = match lambda {
        Lambda::One(lambda) => Lambda::One(check::discount(OP, "lambda", lambda)?.into()),
        Lambda::PerRow(lambda) => {
            check::per_row(OP, mask, "lambda", lambda.len())?;
            lambda.iter().try_for_each(|x| check::discount(OP, "lambda", (*x).into()).map(drop))?;
            Lambda::PerRow(lambda)
        }
    };
    #[cfg(kernels)]
    if let Some(device) = on.device() {
        let out = GaeOut { adv: out.adv, ret };
        return cuda::host_gae(device, [r, v], mask, ends, gap, gamma, lambda, out).map_err(|err| err.by(OP));
    }
    let level = on.level(OP)?;
    let rows = Rows { r, v, mask, ends, gap, gamma, lambda };
    let store = Store::of_rows::<f32>(mask.valid().len(), mask.b());
    let block = |block: Range<usize>, out: GaeOut<'_>| {
        dispatch!(level, simd => simd.vectorize(
            #[inline(always)]
            || rows.block(simd, block, store, out)
        ));
        store.finish();
    };
    over_rows(mask, GaeOut { adv: out.adv, ret }, &block, &|(), ()| ());
    Ok(())
}

struct Rows<'a> {
    r: &'a [f32],
    v: &'a [f32],
    mask: &'a Mask<'a>,
    ends: &'a Ends<'a>,
    gap: Gap,
    gamma: f32,
    lambda: Lambda<'a>,
}

impl Rows<'_> {
    #[inline(always)]
    fn block<S: Simd>(&self, simd: S, rows: Range<usize>, store: Store, out: GaeOut<'_>) {
        let GaeOut { adv, mut ret } = out;
        let first = self.mask.start(rows.start);
        let Aligned(staged) = &mut Aligned(lanes::STAGED);
        let mut by = Decay::new(simd, self.gamma, 0.0);
        for row in rows {
            let lambda = self.lambda.of(row);
            if lambda.to_bits() != by.lambda.to_bits() {
                by = Decay::new(simd, self.gamma, lambda);
            }
            let slots = self.mask.row(row);
            let at = slots.start - first..slots.end - first;
            let ret = ret.as_mut().map(|ret| &mut ret[at.clone()]);
            lanes::row(simd, &by, &self.operands(row, slots), store, staged, &mut adv[at], ret);
        }
    }

    #[inline(always)]
    fn operands(&self, row: usize, slots: Range<usize>) -> Row<'_> {
        Row {
            r: &self.r[slots.clone()],
            v: &self.v[slots.clone()],
            valid: &self.mask.valid()[slots.clone()],
            terminated: self.ends.terminated.map(|flags| &flags[slots.clone()]),
            truncated: self.ends.truncated.map(|Truncated { at, v_boot }| Truncated {
                at: &at[slots.clone()],
                v_boot: &v_boot[slots.clone()],
            }),
            next: self.mask.start(row + 1) - slots.start + (slots.len().max(1) - 1) / STAGE * STAGE,
            boot: self.ends.v_last.map_or(0.0, |v_last| v_last[row]),
            gap: self.gap,
        }
    }
}

impl Lambda<'_> {
    #[inline(always)]
    fn of(&self, row: usize) -> f32 {
        match self {
            Lambda::One(lambda) => *lambda as f32,
            Lambda::PerRow(lambda) => lambda[row],
        }
    }
}
