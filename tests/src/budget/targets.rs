//! Budgets of the rollout phase: `eq:kl`, `eq:shaped-reward`, `eq:gae`, `eq:whiten`, `eq:return`.

use super::{Approx, Grid, Precision, precision::Order};
use nalgebra::DMatrix;
use reference::{Ends, EpsAt, Gap, Kl, KlEstimate, Mask, ShiftMean, Variance, Whitening};

/// `eq:kl`. k1 cancels, so its error follows the log-probs; k3 adds that of exp at −k1.
pub fn kl(p: Precision, logp: &Grid, logp_ref: &Grid, mask: &Mask, estimate: KlEstimate) -> Grid {
    p.each(mask, |slot| kl_of(p, logp[slot] - logp_ref[slot], estimate))
}

/// The estimate from k1 of one token.
pub(super) fn kl_of(p: Precision, k1: Approx, estimate: KlEstimate) -> Approx {
    let bounded = |x: Approx, limit: f64| x.clamp(-p.setting(limit), p.setting(limit));
    let k1 = bounded(k1, estimate.clamp_in);
    let k = match estimate.kind {
        Kl::K1 => k1,
        Kl::Abs => k1.abs(),
        Kl::K2 => p.given(0.5) * k1.square(),
        Kl::K3 => ((-k1).exp() - p.given(1.0)) + k1,
    };
    bounded(k, estimate.clamp_out)
}

/// `eq:shaped-reward`: one product and one difference, fused where the order has it so.
pub fn reward(p: Precision, placed: &DMatrix<f64>, kl: Option<&Grid>, beta_kl: f64, mask: &Mask) -> Grid {
    p.each(mask, |slot| match kl {
        Some(kl) if beta_kl != 0.0 => (-p.setting(beta_kl)).times_plus(kl[slot], p.given(placed[slot])),
        _ => p.given(placed[slot]),
    })
}

/// `eq:gae`, as `eq:gae-recursion`: the error of δ_t, and γλ times that of Â_{t+1}, with three roundings a
/// token. The slots of a row are walked from its end; where credit stops, the carried value and advantage
/// are exact.
#[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
pub fn gae(
    p: Precision,
    r: &Grid,
    v: &Grid,
    mask: &Mask,
    ends: &Ends,
    gap: Gap,
    gamma: f64,
    lambda: f64,
) -> Grid {
    let (gamma, lambda, zero) = (p.setting(gamma), p.setting(lambda), p.given(0.0));
    let (b, t_len) = mask.shape();
    let mut adv = DMatrix::from_element(b, t_len, zero);
    for row in 0..b {
        let end = mask.end(row);
        let (mut v_next, mut adv_next) = (p.given(ends.v_last[row]), zero);
        for t in (0..end).rev() {
            let slot = (row, t);
            if mask.has(slot) {
                let cut = gap == Gap::Cut && t + 1 < end && !mask.has((row, t + 1));
                if ends.truncated[slot] {
                    (v_next, adv_next) = (p.given(ends.v_boot[slot]), zero);
                } else if ends.terminated[slot] || cut {
                    (v_next, adv_next) = (zero, zero);
                }
                let delta = (r[slot] + gamma * v_next) - v[slot];
                adv[slot] = delta + (gamma * lambda) * adv_next;
                (v_next, adv_next) = (v[slot], adv[slot]);
            } else if gap == Gap::Decay {
                adv_next = (gamma * v_next) + (gamma * lambda) * adv_next;
                v_next = zero;
            }
        }
    }
    adv
}

/// `eq:return`: one addition.
pub fn returns(p: Precision, adv: &Grid, v_old: &Grid, mask: &Mask) -> Grid {
    p.each(mask, |slot| adv[slot] + v_old[slot])
}

/// `eq:whiten`: two sums in any order, a root and a quotient. A mean that is nearly the values themselves
/// leaves the deviations with the error of the values: the budget grows with |Â| / σ, as it must.
pub fn whiten(p: Precision, adv: &Grid, mask: &Mask, how: Whitening) -> Grid {
    if p.order == Order::Written {
        return whiten_in_order(p, adv, mask, how).adv;
    }
    let slots: Vec<_> =
        (0..mask.shape().0).flat_map(|row| mask.tokens_of(row).into_iter().map(move |t| (row, t))).collect();
    let n = slots.len() as f64;
    let mean = p.sum(slots.iter().map(|slot| adv[*slot])) / p.given(n);
    let squares = p.sum(slots.iter().map(|slot| (adv[*slot] - mean).square()));
    let (_, scale) = var_and_scale(p, squares, n, how);
    p.each(mask, |slot| {
        let whitened = (adv[slot] - mean) / scale;
        match how.shift_mean {
            ShiftMean::Yes => whitened,
            ShiftMean::No => whitened + mean,
        }
    })
}

/// What `eq:whiten` may be off in the order of `optimized/ORDER.md`, with its statistics.
pub struct WhitenBudget {
    /// Âʷ per token.
    pub adv: Grid,
    /// μ.
    pub mean: Approx,
    /// σ².
    pub var: Approx,
}

/// `eq:whiten` by two sums in their order, one quotient 1/scale, and one product a token. A mean that is off by d
/// moves the sum of squares by n d² alone, because the deviations from the true one add up to 0.
pub fn whiten_in_order(p: Precision, adv: &Grid, mask: &Mask, how: Whitening) -> WhitenBudget {
    let n = mask.count() as f64;
    let mean = p.tokens_sum(adv, mask) / p.given(n);
    let deviation = p.each(mask, |slot| adv[slot] - p.given(mean.value));
    let squares = p.tokens_sum(&deviation.map(Approx::square), mask);
    // Each deviation is d larger where it rounds, once itself, once squared and on its way through the sum.
    let sizes: f64 = deviation.iter().map(|y| y.value.abs()).sum();
    // What the advantages are off themselves does not add up to 0, and meets d twice.
    let brought: f64 = adv.iter().map(|x| x.off).sum();
    let moved = mean.off * (n * mean.off + 2.0 * brought);
    let squares = squares.widened(moved + 64.0 * p.u * mean.off * (sizes + n * mean.off));
    let (var, scale) = var_and_scale(p, squares, n, how);
    let rstd = p.given(1.0) / scale;
    let adv = p.each(mask, |slot| match how.shift_mean {
        ShiftMean::Yes => (adv[slot] - mean) * rstd,
        ShiftMean::No => (adv[slot] - mean).times_plus(rstd, mean),
    });
    WhitenBudget { adv, mean, var }
}

/// σ², and what deviations are divided by.
fn var_and_scale(p: Precision, squares: Approx, n: f64, how: Whitening) -> (Approx, Approx) {
    let var = match how.variance {
        Variance::Population => squares / p.given(n),
        Variance::Sample => squares / p.given(n - 1.0),
    };
    let eps_w = p.setting(how.eps_w);
    let scale = match how.eps_at {
        EpsAt::Std => var.sqrt() + eps_w,
        EpsAt::UnderRoot => (var + eps_w).sqrt(),
        EpsAt::VarFloor => var.greater(eps_w).sqrt(),
    };
    (var, scale)
}
