//! Mistakes of whitening: `eq:whiten`.

use super::{Bug, all_slots, bug, everywhere, form, nearest};
use crate::{
    budget::{self, Approx, Grid, Precision},
    check::{
        compare::slots,
        step::{Numbers, Step},
    },
};
use nalgebra::DMatrix;
use reference::{EpsAt, Mask, Settings, ShiftMean, Variance, Whitening};
use std::collections::BTreeMap;

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    of_whitening(
        "PaddingInTheStatistics",
        "mean and deviation run over padded slots too, with what stands there",
        "NovaSky-AI/SkyRL#1305, MarcoMeter/recurrent-ppo-truncated-bptt#10 (B40, B51), the post (S8)",
        |step, s| {
            let (full, how) = (all_slots(&step.inputs.mask)?, s.whitening?);
            Some(Numbers::PerToken(budget::whiten(step.p, &step.raw(s)?, &full, how)))
        },
    ),
    of_whitening(
        "PaddingInTheMean",
        "the mean is Σ / (B · L), padding counted; the variance is masked",
        "NovaSky-AI/SkyRL#1305, #1782 (B40)",
        |step, s| {
            let (p, mask) = (step.p, &step.inputs.mask);
            let (full, how, adv) = (all_slots(mask)?, s.whitening?, step.raw(s)?);
            let mean = p.sum(slots(mask).map(|slot| adv[slot])) / p.given(full.count() as f64);
            let scale = scale(p, variance(p, &adv, mask, mean, how), how);
            Some(divided(step, &adv, mean, scale, how))
        },
    ),
    of_whitening("WhitenedByRow", "each row has a mean and a deviation of its own", "", |step, s| {
        in_parts(step, s, |(row, _)| row)
    }),
    of_whitening(
        "WhitenedByColumn",
        "each token of the response has a mean and a deviation over the rows",
        "pytorch/rl#1033 (B47)",
        |step, s| in_parts(step, s, |(_, t)| t),
    ),
    of_whitening(
        "WhitenedByShard",
        "each shard of a row's tokens has a mean and a deviation of its own: they are reduced over ranks of rows alone",
        "THUDM/slime#2235, radixark/miles#3229 (B41)",
        |step, s| {
            let t_len = step.inputs.mask.shape().1;
            let forms = [2, 3, 4, 8].map(|shards: usize| {
                let width = t_len.div_ceil(shards);
                (shards <= t_len / 2).then(|| in_parts(step, s, |(_, t)| t / width))?
            });
            nearest(step, "whitened", forms)
        },
    ),
    form(of_whitening(
        "whitened-in-parts",
        "each rank's or minibatch's rows have a mean and a deviation of their own",
        "TRL (ranks); CleanRL, SB3, PufferLib (minibatches)",
        |step, s| {
            let rows = rows_of_a_part(step, s)?;
            in_parts(step, s, |(row, _)| row / rows)
        },
    )),
    of_whitening(
        "MeansBroadcast",
        "a (B) mean of rows met (B, L): token t of every row loses the mean of row t",
        "OpenRLHF/OpenRLHF#1250 (B42)",
        means_broadcast,
    ),
    of_whitening(
        "OnePassVariance",
        "the variance is E[x²] − E[x]², which cancels where the mean is large beside the deviation",
        "NVIDIA-NeMo/RL#4158 (B45)",
        one_pass,
    ),
    of_whitening("DividedByVariance", "divided by σ² and not by σ", "", |step, s| {
        let (p, adv, how) = (step.p, step.raw(s)?, s.whitening?);
        let (mean, _) = statistics(p, &adv, &step.inputs.mask, how);
        let var = variance(p, &adv, &step.inputs.mask, mean, how) + p.setting(how.eps_w);
        Some(divided(step, &adv, mean, var, how))
    }),
    of_whitening("NotCentred", "divided by σ, the mean not taken away", "", |step, s| {
        let (adv, how) = (step.raw(s)?, s.whitening?);
        let (_, scale) = statistics(step.p, &adv, &step.inputs.mask, how);
        Some(Numbers::PerToken(step.p.each(&step.inputs.mask, |slot| adv[slot] / scale)))
    }),
    form(of_whitening(
        "centred-only",
        "the mean is taken away and nothing divided",
        "OpenRLHF by no_std_norm",
        |step, s| {
            let (adv, how) = (step.raw(s)?, s.whitening?);
            let (mean, _) = statistics(step.p, &adv, &step.inputs.mask, how);
            Some(Numbers::PerToken(step.p.each(&step.inputs.mask, |slot| adv[slot] - mean)))
        },
    )),
    of_whitening("ValuesWhitened", "V_old is whitened, and not Â", "", |step, s| {
        let v = step.read(step.inputs.old_values.as_ref())?;
        Some(Numbers::PerToken(budget::whiten(step.p, &v, &step.inputs.mask, s.whitening?)))
    }),
    of_whitening("ReturnsWhitened", "R is whitened, and not Â", "", |step, s| {
        let ret = step.grid("returns", s)?;
        Some(Numbers::PerToken(budget::whiten(step.p, &ret, &step.inputs.mask, s.whitening?)))
    }),
    of_whitening(
        "NanBeneathTheMask",
        "0 times a NaN or an infinity in a masked slot is NaN, and so are the mean and every token",
        "areal-project/AReaL#1347, NVIDIA-NeMo/RL#4120 and others (B13)",
        |step, _| {
            let (p, mask, adv) = (step.p, &step.inputs.mask, everywhere(step, "advantages_raw")?);
            let (b, t_len) = mask.shape();
            let bad =
                |row: usize| (0..t_len).any(|t| !mask.has((row, t)) && !adv[(row, t)].value.is_finite());
            (0..b).any(bad).then(|| Numbers::PerToken(p.each(mask, |_| p.given(f64::NAN))))
        },
    ),
];

const fn of_whitening(
    name: &'static str,
    says: &'static str,
    seen: &'static str,
    make: fn(&Step, &Settings) -> Option<Numbers>,
) -> Bug {
    bug(name, "whitened", says, seen, make)
}

/// μ, and what deviations are divided by.
pub(super) fn statistics(p: Precision, adv: &Grid, mask: &Mask, how: Whitening) -> (Approx, Approx) {
    let mean = p.sum(slots(mask).map(|slot| adv[slot])) / p.given(mask.count() as f64);
    (mean, scale(p, variance(p, adv, mask, mean, how), how))
}

fn variance(p: Precision, adv: &Grid, mask: &Mask, mean: Approx, how: Whitening) -> Approx {
    p.sum(slots(mask).map(|slot| (adv[slot] - mean).square())) / p.given(counted(mask, how))
}

/// n, or n − 1.
fn counted(mask: &Mask, how: Whitening) -> f64 {
    match how.variance {
        Variance::Population => mask.count() as f64,
        Variance::Sample => mask.count() as f64 - 1.0,
    }
}

fn scale(p: Precision, var: Approx, how: Whitening) -> Approx {
    let eps_w = p.setting(how.eps_w);
    match how.eps_at {
        EpsAt::Std => var.sqrt() + eps_w,
        EpsAt::UnderRoot => (var + eps_w).sqrt(),
        EpsAt::VarFloor => var.greater(eps_w).sqrt(),
    }
}

fn divided(step: &Step, adv: &Grid, mean: Approx, scale: Approx, how: Whitening) -> Numbers {
    Numbers::PerToken(step.p.each(&step.inputs.mask, |slot| {
        let whitened = (adv[slot] - mean) / scale;
        if how.shift_mean == ShiftMean::No { whitened + mean } else { whitened }
    }))
}

/// Each part of the tokens whitened alone; none where one has too few for a deviation, or all are one part.
fn in_parts(step: &Step, s: &Settings, part: impl Fn((usize, usize)) -> usize) -> Option<Numbers> {
    let (p, adv, how) = (step.p, step.raw(s)?, s.whitening?);
    let mut parts = BTreeMap::<usize, Vec<(usize, usize)>>::new();
    slots(&step.inputs.mask).for_each(|slot| parts.entry(part(slot)).or_default().push(slot));
    if parts.len() < 2 || parts.values().any(|part| part.len() < 2) {
        return None;
    }
    let mut out = p.each(&step.inputs.mask, |_| p.given(0.0));
    for part in parts.values() {
        let of_part = DMatrix::from_fn(1, part.len(), |_, i| adv[part[i]]);
        let whitened = budget::whiten(p, &of_part, &Mask::full(1, part.len()), how);
        part.iter().enumerate().for_each(|(i, slot)| out[*slot] = whitened[(0, i)]);
    }
    Some(Numbers::PerToken(out))
}

/// How many rows a part has, where the first part whitened alone is nearest to the file in its first two rows: plain sums
/// of ever more rows are enough to say so.
fn rows_of_a_part(step: &Step, s: &Settings) -> Option<usize> {
    let (mask, adv, how) = (&step.inputs.mask, step.raw(s)?, s.whitening?);
    let Some(own) = step.own_grid("whitened") else { return Some(2) };
    let first: Vec<_> = slots(mask).take_while(|(row, _)| *row < 2).collect();
    let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
    let mut nearest = (f64::INFINITY, None);
    for row in 0..mask.shape().0 / 2 {
        for t in mask.tokens_of(row) {
            let x = adv[(row, t)].value;
            (n, sum, squares) = (n + 1.0, sum + x, squares + x * x);
        }
        let mean: f64 = sum / n;
        let of = if how.variance == Variance::Population { n } else { n - 1.0 };
        let var = (squares - n * mean * mean) / of;
        let scale = match how.eps_at {
            EpsAt::Std => var.sqrt() + how.eps_w,
            EpsAt::UnderRoot => (var + how.eps_w).sqrt(),
            EpsAt::VarFloor => reference::nan::greater(var, how.eps_w).sqrt(),
        };
        let kept = if how.shift_mean == ShiftMean::No { mean } else { 0.0 };
        let off = |slot: &(usize, usize)| ((adv[*slot].value - mean) / scale + kept - own[*slot]).abs();
        let off = first.iter().map(off).sum::<f64>();
        if row > 0 && off < nearest.0 {
            nearest = (off, Some(row + 1));
        }
    }
    nearest.1
}

/// The deviation of all, about the mean of another row: B = L.
fn means_broadcast(step: &Step, s: &Settings) -> Option<Numbers> {
    let (p, mask, adv, how) = (step.p, &step.inputs.mask, step.raw(s)?, s.whitening?);
    let (b, t_len) = mask.shape();
    if b != t_len || (0..b).any(|row| mask.end(row) == 0) {
        return None;
    }
    let of_row = |row: usize| {
        let tokens = mask.tokens_of(row);
        p.sum(tokens.iter().map(|t| adv[(row, *t)])) / p.given(tokens.len() as f64)
    };
    let means: Vec<Approx> = (0..b).map(of_row).collect();
    let centred = p.each(mask, |slot| adv[slot] - means[slot.1]);
    let squares = p.sum(slots(mask).map(|slot| centred[slot].square())) / p.given(counted(mask, how));
    let scale = scale(p, squares, how);
    Some(Numbers::PerToken(p.each(mask, |slot| centred[slot] / scale)))
}

/// Â − μ over one number, the file's own, of which a variance that cancels can be no nearer to ours.
fn one_pass(step: &Step, s: &Settings) -> Option<Numbers> {
    let (p, mask, adv, how) = (step.p, &step.inputs.mask, step.raw(s)?, s.whitening?);
    let own = step.grid("whitened", s)?;
    let (mean, ours) = statistics(p, &adv, mask, how);
    let n = p.given(counted(mask, how));
    let squares = p.sum(slots(mask).map(|slot| adv[slot].square()));
    let cancelled = (squares - p.given(mask.count() as f64) * mean.square()) / n;
    if own.iter().any(|x| x.value.is_nan()) {
        let may_be_negative = cancelled.off > cancelled.value;
        return may_be_negative.then(|| Numbers::PerToken(p.each(mask, |_| p.given(f64::NAN))));
    }
    let farthest = slots(mask).max_by(|a, b| {
        let from_mean = |slot: &(usize, usize)| (adv[*slot] - mean).value.abs();
        from_mean(a).total_cmp(&from_mean(b))
    })?;
    let theirs = (adv[farthest] - mean) / own[farthest];
    let (ours, theirs_squared) = (ours.value * ours.value, theirs.value * theirs.value);
    let reachable = (ours - theirs_squared).abs() <= cancelled.off && theirs.value > 0.0;
    reachable.then(|| divided(step, &adv, mean, p.given(theirs.value), how))
}
