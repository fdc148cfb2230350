//! Budgets of what ties tokens and terms together: `eq:aggregate`, `eq:kl-loss`, `eq:total-loss`.

use super::{Approx, Grid, Precision, approx::Order, targets};
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
    let kind = if grad == KlGrad::StraightThrough { Kl::K2 } else { estimate.kind };
    let slope = p.each(mask, |slot| {
        let k1 = logp[slot] - logp_ref[slot];
        let one = p.given(1.0);
        match kind {
            Kl::K1 => one,
            Kl::Abs if k1.may_cross(p.given(0.0)) => {
                p.given(k1.value.signum()).or(-p.given(k1.value.signum()))
            }
            Kl::Abs => p.given(k1.value.signum()),
            Kl::K2 => k1,
            Kl::K3 => one - (-k1).exp(),
        }
    });
    (value, p.each(mask, |slot| share[slot] * slope[slot]))
}

/// `eq:total-loss`: three products and three additions, in any order.
pub fn total_loss(p: Precision, parts: [Approx; 4], c: Coefficients) -> Approx {
    let [l_policy, l_v, ent, l_kl] = parts;
    let times = |c: f64, x: Approx| if c == 0.0 { p.given(0.0) } else { p.setting(c) * x };
    p.sum([l_policy, times(c.c_v, l_v), times(-c.c_h, ent), times(c.beta_loss, l_kl)])
}
