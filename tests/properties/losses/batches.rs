//! How batches add up, and that the order of their rows is nothing.

use super::clip;
use crate::{case::tokens, oracle::roundings};
use nalgebra::DMatrix;
use reference::{
    Agg, ClipFrac, Half, Kl, KlEstimate, Mask, ValueClip,
    aggregate::aggregate,
    policy_loss::policy_loss,
    total_loss::kl_loss,
    value_loss::{value_loss, value_loss_grad},
};

property! {
    /// Micro-batches add up under token-sum: n roundings of Σ |x| for the sums, whatever the cut.
    fn micro_batches_add_up_under_token_sum(case) {
        let mask = case.m();
        let (a, b, c) = (case.matrix(1), case.matrix(2), case.matrix(3));
        let rows: Vec<usize> = (0..case.b()).collect();
        let (first, second) = rows.split_at(case.k.min(case.b()));
        let sum = |rows: &[usize]| {
            let m = Mask::new(DMatrix::from_fn(rows.len(), case.t_len(), |row, t| mask.has((rows[row], t))));
            let [a, b, c] = [&a, &b, &c].map(|x| x.select_rows(rows));
            if m.count() == 0 {
                return [0.0; 4]; // the losses also log a mean and refuse an empty mask
            }
            [
                aggregate(&a, &m, Agg::TokenSum),
                policy_loss(&a, &b, &c, &m, None, &clip(0.2, ClipFrac::Effective), Agg::TokenSum).loss,
                value_loss(&a, &b, &c, &m, 0.2, ValueClip::Max, Agg::TokenSum, Half::Yes).loss,
                kl_loss(&a, &b, &m, KlEstimate::plain(Kl::K3), Agg::TokenSum),
            ]
        };
        let (whole, first, second) = (sum(&rows), sum(first), sum(second));
        let ratio = |slot: (usize, usize)| (a[slot] - b[slot]).abs().exp();
        let sizes: [f64; 4] = [
            tokens(&mask).map(|slot| a[slot].abs()).sum(),
            tokens(&mask).map(|slot| ratio(slot).max(1.2) * c[slot].abs()).sum(),
            tokens(&mask).map(|slot| (a[slot] - c[slot]).powi(2).max((b[slot] - c[slot]).abs() + 0.2).powi(2)).sum(),
            tokens(&mask).map(|slot| ratio(slot) + 1.0 + (a[slot] - b[slot]).abs()).sum(),
        ];
        for (i, size) in sizes.into_iter().enumerate() {
            let (parts, allowed) = (first[i] + second[i], 2.0 * roundings(mask.count() + case.b() + 1) * size);
            ensure!((whole[i] - parts).abs() <= allowed, "loss {i}: {:e} whole, {parts:e} in parts", whole[i]);
        }
    }
}

/// The mean of means is another number: one row of one token, one of three.
#[test]
fn micro_batches_do_not_average_under_token_mean() {
    let mean = |x: &[f64]| {
        aggregate(&DMatrix::from_row_slice(1, x.len(), x), &Mask::full(1, x.len()), Agg::TokenMean)
    };
    assert_eq!(mean(&[1.0, -1.0, -1.0, -1.0]), -0.5);
    assert_eq!((mean(&[1.0]) + mean(&[-1.0, -1.0, -1.0])) / 2.0, 0.0);
}

property! {
    /// Rows in another order: the same token losses and slopes, the same means but for the order of the sums.
    fn rows_in_another_order_give_the_same_losses(case) {
        let order: Vec<usize> = (0..case.b()).map(|row| (row + case.k) % case.b()).collect();
        let (mask, [a, b, c]) = (case.m(), [1, 2, 3].map(|purpose| case.matrix(purpose)));
        if mask.count() == 0 {
            return Ok(());
        }
        let turned = Mask::new(DMatrix::from_fn(case.b(), case.t_len(), |row, t| mask.has((order[row], t))));
        let [x, y, z] = [&a, &b, &c].map(|x| x.select_rows(&order));
        let how = clip(0.2, ClipFrac::Effective);
        let before = policy_loss(&a, &b, &c, &mask, None, &how, Agg::TokenMean);
        let after = policy_loss(&x, &y, &z, &turned, None, &how, Agg::TokenMean);
        ensure!(before.per_token.select_rows(&order) == after.per_token, "the token losses of the policy moved");
        ensure!(before.clip_frac == after.clip_frac, "the clip fraction moved");
        let (form, agg) = (ValueClip::Max, Agg::TokenMean);
        let slope = value_loss_grad(&a, &b, &c, &mask, 0.2, form, agg, Half::No);
        let moved = value_loss_grad(&x, &y, &z, &turned, 0.2, form, agg, Half::No);
        ensure!(slope.select_rows(&order) == moved, "the slopes of the value moved");
    }
}
