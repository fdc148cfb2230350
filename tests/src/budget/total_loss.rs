//! Budgets of what ties tokens and terms together: `eq:aggregate`, `eq:kl-loss`, `eq:total-loss`.

use super::{Approx, Grid, Precision, targets};
use reference::{Agg, Coefficients, CountRows, Kl, KlEstimate, KlGrad, Mask};

/// `eq:aggregate`: sums in any order, then one or two quotients.
pub fn aggregate(p: Precision, x: &Grid, mask: &Mask, agg: Agg) -> Approx {
    let rows = 0..mask.shape().0;
    let all = || rows.clone().flat_map(|row| mask.tokens_of(row).into_iter().map(move |t| x[(row, t)]));
    let n_seq = |count| {
        p.given(match count {
            CountRows::All => mask.shape().0,
            CountRows::WithTokens => rows.clone().filter(|row| mask.end(*row) > 0).count(),
        } as f64)
    };
    let row_mean = |row| {
        let tokens = mask.tokens_of(row);
        let n = tokens.len() as f64;
        if n == 0.0 { p.given(0.0) } else { p.sum(tokens.into_iter().map(|t| x[(row, t)])) / p.given(n) }
    };
    match agg {
        Agg::TokenMean => p.sum(all()) / p.given(mask.count() as f64),
        Agg::TokenSum => p.sum(all()),
        Agg::SeqMeanTokenSum { rows } => p.sum(all()) / n_seq(rows),
        Agg::SeqMeanTokenMean { rows: count } => p.sum(rows.clone().map(row_mean)) / n_seq(count),
        Agg::SeqMeanTokenSumNorm { rows, scale } => p.sum(all()) / (n_seq(rows) * p.setting(scale)),
        Agg::TokenSumNorm { scale } => p.sum(all()) / p.setting(scale),
    }
}

/// The weight of a token in an aggregate: its gradient, two quotients at most.
pub(super) fn share(p: Precision, mask: &Mask, agg: Agg) -> Grid {
    reference::aggregate::aggregate_grad(mask, agg)
        .map(|share| p.setting(share) * p.given(1.0) * p.given(1.0))
}

/// How many tokens of a share may be counted by one evaluation and not by the other, as a share.
pub fn counted(p: Precision, mask: &Mask, value: f64, in_doubt: usize) -> Approx {
    let share = p.given(value) * p.given(1.0);
    share.widened(in_doubt as f64 / mask.count().max(1) as f64)
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
