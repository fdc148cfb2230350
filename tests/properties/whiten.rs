//! `eq:whiten`: mean 0 and variance 1, every place of ε, and the mean kept or not.

use crate::{
    case::tokens,
    oracle::{U, roundings},
};
use reference::{EpsAt, ShiftMean, Variance, Whitening, whiten::whiten};

fn all() -> Vec<Whitening> {
    let mut all = Vec::new();
    for variance in [Variance::Population, Variance::Sample] {
        for eps_at in [EpsAt::Std, EpsAt::UnderRoot, EpsAt::VarFloor] {
            for (eps_w, shift_mean) in [(0.0, ShiftMean::Yes), (0.0, ShiftMean::No), (0.25, ShiftMean::Yes)] {
                all.push(Whitening { variance, eps_at, eps_w, shift_mean });
            }
        }
    }
    all
}

property! {
    /// Without ε the result has mean 0 and variance 1, also for small spreads round a large mean (10ᵏ), where
    /// E[x²] − mean² would have nothing left.
    fn whitening_gives_mean_zero_and_variance_one(case) {
        let (mask, level) = (case.m(), 10f64.powi(case.k as i32));
        let (x, n) = (case.matrix(1).map(|x| level + x), mask.count());
        for how in all().into_iter().filter(|how| how.eps_w == 0.0 && n >= 2) {
            let got = whiten(&x, &mask, how);
            let kept = if how.shift_mean == ShiftMean::No { got.mean } else { 0.0 };
            let y: Vec<f64> = tokens(&mask).map(|slot| got.adv[slot] - kept).collect();
            let per = |n: f64| if how.variance == Variance::Sample { n - 1.0 } else { n };
            let (mean, var) = (y.iter().sum::<f64>() / n as f64, y.iter().map(|y| y * y).sum::<f64>() / per(n as f64));
            // μ is off by n + 1 roundings of the mean of |x|; divided by σ, that is what all deviations miss
            // by. Each then has two roundings of its own and, with the mean kept, two of |μ| + |y|; the sums
            // here have n + 1 of theirs.
            let size = tokens(&mask).map(|slot| x[slot].abs()).sum::<f64>() / n as f64;
            let spread = y.iter().map(|y| y.abs()).sum::<f64>() / n as f64;
            let miss = roundings(n + 1) * size / got.var.sqrt() + roundings(n + 3) * spread + 2.0 * U * (kept.abs() + spread);
            ensure!(mean.abs() <= miss, "{how:?}: mean {mean:e}, allowed {miss:e}");
            // The variance is made of the same deviations: n + 3 roundings there, halved by the root and
            // doubled by the square, and n + 4 here.
            let allowed = roundings(2 * n + 8) + 2.0 * miss * n as f64 / per(n as f64) * y.iter().fold(1.0, |m: f64, y| m.max(y.abs()));
            ensure!((var - 1.0).abs() <= allowed, "{how:?}: variance {var}, allowed {allowed:e}");
        }
    }
}

property! {
    /// The formula undone: (result − kept mean) · scale + μ is the input, with μ and σ² computed here.
    fn unwhitening_gives_the_advantages_back(case) {
        let (mask, x, n) = (case.m(), case.matrix(1), case.m().count() as f64);
        for how in all().into_iter().filter(|_| n >= 2.0) {
            let got = whiten(&x, &mask, how);
            let mean = tokens(&mask).map(|slot| x[slot]).sum::<f64>() / n;
            let squares: f64 = tokens(&mask).map(|slot| (x[slot] - mean) * (x[slot] - mean)).sum();
            let var = squares / if how.variance == Variance::Sample { n - 1.0 } else { n };
            let scale = match how.eps_at {
                EpsAt::Std => var.sqrt() + how.eps_w,
                EpsAt::UnderRoot => (var + how.eps_w).sqrt(),
                EpsAt::VarFloor => var.max(how.eps_w).sqrt(),
            };
            let kept = if how.shift_mean == ShiftMean::No { mean } else { 0.0 };
            let most = tokens(&mask).map(|slot| x[slot].abs()).fold(0.0, f64::max);
            for slot in tokens(&mask) {
                let back = (got.adv[slot] - kept) * scale + mean;
                // The sums here and there are the same but for their order: n + 1 roundings of the largest
                // |x| in μ and 2 n + 6 in the scale, each met twice; ten for the two lines.
                let allowed = (2.0 * roundings(n as usize + 1) + roundings(2 * n as usize + 16)) * 4.0 * most;
                ensure!((back - x[slot]).abs() <= allowed + 2.0 * U * kept.abs() * scale, "{how:?} {slot:?}: {back:e} for {:e}, allowed {allowed:e}", x[slot]);
            }
        }
    }
}

property! {
    fn the_kept_mean_is_the_mean_added_to_the_shifted(case) {
        let (mask, x) = (case.m(), case.matrix(1));
        for how in all().into_iter().filter(|how| how.shift_mean == ShiftMean::Yes && mask.count() > 0) {
            let shifted = whiten(&x, &mask, how);
            let kept = whiten(&x, &mask, Whitening { shift_mean: ShiftMean::No, ..how });
            for slot in tokens(&mask) {
                let want = shifted.adv[slot] + kept.mean;
                ensure!(kept.adv[slot].to_bits() == want.to_bits() || want.is_nan(), "{how:?} {slot:?}");
            }
        }
    }
}

property! {
    /// The statistics are those of the valid tokens alone: the same row at another pad width.
    fn the_width_of_the_padding_changes_no_bit(case) {
        let e = case.episode();
        let wider = e.with_gap(&vec![case.t_len(); case.b()], case.k);
        for how in all().into_iter().filter(|_| case.m().count() > 0) {
            let (short, long) = (whiten(&e.r, &e.mask, how), whiten(&wider.r, &wider.mask, how));
            ensure!(short.mean.to_bits() == long.mean.to_bits(), "{how:?}: the mean moved");
            for slot in tokens(&e.mask) {
                ensure!(short.adv[slot].to_bits() == long.adv[slot].to_bits(), "{how:?} {slot:?}");
            }
        }
    }
}
