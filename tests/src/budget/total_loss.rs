//! Budgets of what ties tokens and terms together: `eq:aggregate`, `eq:kl-loss`, `eq:total-loss`.

use super::{Approx, Grid, Precision, precision::Order, targets};
use reference::{Agg, Coefficients, CountRows, Kl, KlEstimate, KlGrad, Mask};

/// `eq:aggregate`: sums, then one or two quotients.
pub fn aggregate(p: Precision, x: &Grid, mask: &Mask, agg: Agg) -> Approx {
    let row_mean = |row| match mask.tokens_of(row).len() {
        0 => p.given(0.0),
        n => p.row_sum(x, mask, row) / p.given(n as f64),
    };
    let all = || p.tokens_sum(x, mask);
    match agg {
        Agg::TokenMean => all() / p.given(mask.count() as f64),
        Agg::TokenSum => all(),
        Agg::SeqMeanTokenSum { rows } => all() / n_seq(p, mask, rows),
        Agg::SeqMeanTokenMean { rows } => {
            p.rows_sum((0..mask.shape().0).map(row_mean).collect()) / n_seq(p, mask, rows)
        }
        // S first or N first: two quotients either way.
        Agg::SeqMeanTokenSumNorm { rows, scale } => all() / n_seq(p, mask, rows) / p.setting(scale),
        Agg::TokenSumNorm { scale } => all() / p.setting(scale),
    }
}

fn n_seq(p: Precision, mask: &Mask, count: CountRows) -> Approx {
    let rows = 0..mask.shape().0;
    p.given(match count {
        CountRows::All => rows.len(),
        CountRows::WithTokens => rows.filter(|row| mask.end(*row) > 0).count(),
    } as f64)
}

/// The weight of a token in an aggregate: its gradient. Two quotients at most, of numbers that are rounded.
pub(super) fn share(p: Precision, mask: &Mask, agg: Agg) -> Grid {
    let share = reference::aggregate::aggregate_grad(mask, agg);
    if p.order == Order::Any {
        return share.map(|share| p.setting(share).once().once());
    }
    let one = p.given(1.0);
    let of_row = |row| match agg {
        Agg::TokenMean => one / p.given(mask.count() as f64),
        Agg::TokenSum => one,
        Agg::SeqMeanTokenSum { rows } => one / n_seq(p, mask, rows),
        Agg::SeqMeanTokenMean { rows } => {
            one / p.given(mask.tokens_of(row).len() as f64) / n_seq(p, mask, rows)
        }
        Agg::SeqMeanTokenSumNorm { rows, scale } => one / n_seq(p, mask, rows) / p.setting(scale),
        Agg::TokenSumNorm { scale } => one / p.setting(scale),
    };
    let weights: Vec<Approx> = (0..mask.shape().0).map(of_row).collect();
    p.each(mask, |slot| weights[slot.0])
}

/// ∂agg/∂x: the weight of each token.
pub fn aggregate_grad(p: Precision, mask: &Mask, agg: Agg) -> Grid {
    share(p, mask, agg)
}

/// How many tokens of a share may be counted by one evaluation and not by the other, as a share.
pub fn counted(p: Precision, mask: &Mask, value: f64, in_doubt: usize) -> Approx {
    p.given(value).once().widened(in_doubt as f64 / mask.count().max(1) as f64)
}

/// `eq:kl-loss` and its gradient in log π.
pub fn kl_loss(
    p: Precision,
    logp: &Grid,
    logp_ref: &Grid,
    mask: &Mask,
    (estimate, grad): (KlEstimate, KlGrad),
    agg: Agg,
) -> (Approx, Grid) {
    let value = aggregate(p, &targets::kl(p, logp, logp_ref, mask, estimate), mask, agg);
    let share = share(p, mask, agg);
    let slope = kl_grad(p, logp, logp_ref, mask, (estimate, grad));
    (value, p.each(mask, |slot| share[slot] * slope[slot]))
}

/// ∂k/∂log π of each token.
pub fn kl_grad(
    p: Precision,
    logp: &Grid,
    logp_ref: &Grid,
    mask: &Mask,
    (estimate, grad): (KlEstimate, KlGrad),
) -> Grid {
    p.each(mask, |slot| kl_slope(p, logp[slot] - logp_ref[slot], estimate, grad))
}

/// The derivative of an estimate in k1: 0 beyond a clamp; either, where one may be just reached.
fn kl_slope(p: Precision, k1: Approx, estimate: KlEstimate, grad: KlGrad) -> Approx {
    let (one, zero) = (p.given(1.0), p.given(0.0));
    if grad == KlGrad::StraightThrough {
        return k1;
    }
    let sign = p.given(k1.value.signum());
    let inside = match estimate.kind {
        Kl::K1 => one,
        Kl::Abs if k1.may_cross(zero) => sign.or(-sign),
        Kl::Abs => sign,
        Kl::K2 => k1,
        Kl::K3 => one - (-k1).exp(),
    };
    let (clamp_in, clamp_out) = (p.setting(estimate.clamp_in), p.setting(estimate.clamp_out));
    let k = targets::kl_of(p, k1, KlEstimate { clamp_out: f64::INFINITY, ..estimate }).abs();
    let beyond = k1.value.abs() > estimate.clamp_in || k.value > estimate.clamp_out;
    let doubt = k1.abs().may_cross(clamp_in) || k.may_cross(clamp_out);
    match (beyond, doubt) {
        (false, false) => inside,
        (false, true) => inside.or(zero),
        (true, false) => zero,
        (true, true) => zero.or(inside),
    }
}

/// `eq:total-loss`: three products and three additions, in any order; fused where the order has them so.
pub fn total_loss(p: Precision, parts: [Approx; 4], c: Coefficients) -> Approx {
    let [l_policy, l_v, ent, l_kl] = parts;
    if p.order == Order::Written {
        let terms = [(c.c_v, l_v), (-c.c_h, ent), (c.beta_loss, l_kl)];
        let used = terms.into_iter().filter(|(c, _)| *c != 0.0);
        return used.fold(l_policy, |sum, (c, x)| p.setting(c).times_plus(x, sum));
    }
    let times = |c: f64, x: Approx| if c == 0.0 { p.given(0.0) } else { p.setting(c) * x };
    p.sum([l_policy, times(c.c_v, l_v), times(-c.c_h, ent), times(c.beta_loss, l_kl)])
}
