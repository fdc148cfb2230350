//! Mistakes of the sums over tokens, in every loss: `eq:aggregate`.

use super::{Bug, all_slots, bug, everywhere, mask_of, nearest, number};
use crate::{
    budget::{self, Approx, Grid, Precision},
    check::{
        compare::slots,
        step::{Numbers, Own, Step},
    },
};
use reference::{Agg, Half, Mask, Settings};

/// Each of them, in each of the losses.
pub(super) const BUGS: &[Bug] = &[
    over_padding("pg_loss", |step, s| over_all_slots(step, s, "pg_loss")),
    over_padding("vf_loss", |step, s| over_all_slots(step, s, "vf_loss")),
    over_padding("entropy_loss", |step, s| over_all_slots(step, s, "entropy_loss")),
    over_padding("kl_loss", |step, s| over_all_slots(step, s, "kl_loss")),
    over_padding("ppo_kl", |step, s| over_all_slots(step, &Settings { agg: Agg::TokenMean, ..*s }, "ppo_kl")),
    of_padding("pg_loss", |step, s| sum_of_all_slots(step, s, "pg_loss")),
    of_padding("vf_loss", |step, s| sum_of_all_slots(step, s, "vf_loss")),
    of_padding("entropy_loss", |step, s| sum_of_all_slots(step, s, "entropy_loss")),
    of_means("pg_loss", |step, s| mean_of_means(step, s, "pg_loss")),
    of_means("vf_loss", |step, s| mean_of_means(step, s, "vf_loss")),
    of_means("entropy_loss", |step, s| mean_of_means(step, s, "entropy_loss")),
    of_means("kl_loss", |step, s| mean_of_means(step, s, "kl_loss")),
    times("pg_loss", |step, s| times_parts(step, s, "pg_loss")),
    times("vf_loss", |step, s| times_parts(step, s, "vf_loss")),
    times("entropy_loss", |step, s| times_parts(step, s, "entropy_loss")),
    times("kl_loss", |step, s| times_parts(step, s, "kl_loss")),
    over("pg_loss", |step, s| over_parts(step, s, "pg_loss")),
    over("vf_loss", |step, s| over_parts(step, s, "vf_loss")),
    over("entropy_loss", |step, s| over_parts(step, s, "entropy_loss")),
    over("kl_loss", |step, s| over_parts(step, s, "kl_loss")),
    nan("pg_loss", |step, s| nan_reaches(step, s, "pg_loss")),
    nan("vf_loss", |step, s| nan_reaches(step, s, "vf_loss")),
    nan("entropy_loss", |step, s| nan_reaches(step, s, "entropy_loss")),
    nan("kl_loss", |step, s| nan_reaches(step, s, "kl_loss")),
    nan("ppo_kl", |step, s| nan_reaches(step, s, "ppo_kl")),
];

type Make = fn(&Step, &Settings) -> Option<Numbers>;

const fn over_padding(of: &'static str, make: Make) -> Bug {
    let says = "the sum over tokens is divided by all B · L slots";
    bug("MeanOverPadding", of, says, "the post (S8), areal-project/AReaL#1346 (B12)", make)
}

const fn of_padding(of: &'static str, make: Make) -> Bug {
    let says = "what masked slots hold is in the sum, which is divided by the valid tokens";
    bug("SumOverPadding", of, says, "volcengine/verl#1527 (B49)", make)
}

const fn of_means(of: &'static str, make: Make) -> Bug {
    let says = "the mean of the means of micro-batches, which do not hold equally many tokens";
    bug("MeanOfMeans", of, says, "volcengine/verl#906, areal-project/AReaL#1730 (B70)", make)
}

const fn times(of: &'static str, make: Make) -> Bug {
    let says =
        "a whole number times the loss: a mean over the batch, summed again over micro-batches or ranks";
    bug("TimesItsParts", of, says, "volcengine/verl#6957, #5798 (B53, B69)", make)
}

const fn over(of: &'static str, make: Make) -> Bug {
    let says =
        "the loss over a whole number: a mean over the batch, averaged again over micro-batches or ranks";
    bug("OverItsParts", of, says, "volcengine/verl#6957, #5798 (B53, B69)", make)
}

const fn nan(of: &'static str, make: Make) -> Bug {
    let says = "0 times a NaN or an infinity in a masked slot is NaN, and so is the mean";
    let seen = "areal-project/AReaL#1347, OpenRLHF/OpenRLHF#1240, volcengine/verl#6361 and others (B13)";
    bug("NanBeneathTheMask", of, says, seen, make)
}

/// A token mean over every slot, masked ones 0.
fn over_all_slots(step: &Step, s: &Settings, name: &str) -> Option<Numbers> {
    let mask = step.mask_of(name);
    let full = all_slots(mask)?;
    if !matches!(s.agg, Agg::TokenMean) {
        return None;
    }
    let (p, mean) = (step.p, number(step.output(name, s)?)?);
    Some(Numbers::Scalar(mean * p.given(mask.count() as f64) / p.given(full.count() as f64)))
}

/// The loss of each token, over these slots, from operands that reach beneath the mask or do not.
fn tokens(step: &Step, s: &Settings, name: &str, mask: &Mask, beneath: bool) -> Option<Grid> {
    let (p, inputs) = (step.p, &step.inputs);
    let read = |name: &str, own: Option<Grid>| if beneath { everywhere(step, name) } else { own };
    let logp = || read("log_probs", step.logp(s));
    let old = || read("old_log_probs", step.read(inputs.old_log_probs.as_ref()));
    match name {
        "pg_loss" => {
            let adv = if beneath {
                everywhere(step, "whitened").or_else(|| everywhere(step, "advantages"))
            } else {
                step.adv(s)
            };
            let w = inputs.rollout_is_weights.as_ref();
            Some(budget::policy_loss(p, &logp()?, &old()?, &adv?, mask, w, &s.clip, s.agg).per_token)
        }
        "vf_loss" => {
            let [v, v_old, ret] = if beneath {
                [everywhere(step, "values")?, everywhere(step, "old_values")?, everywhere(step, "returns")?]
            } else {
                step.value_operands(s)?
            };
            let Settings { eps_v, value_clip, agg, half, .. } = *s;
            Some(budget::value_loss(p, &v, &v_old, &ret, mask, eps_v, value_clip, agg, half).per_token)
        }
        "entropy_loss" => read("entropy", step.grid("entropy", s)),
        "ppo_kl" => {
            let (logp, old) = (logp()?, old()?);
            Some(p.each(mask, |slot| old[slot] - logp[slot]))
        }
        _ => {
            let logp_ref = read("ref_log_probs", step.read(inputs.ref_log_probs.as_ref()))?;
            Some(budget::kl(p, &logp()?, &logp_ref, mask, s.kl_loss))
        }
    }
}

/// What stands before the mean of tokens: ½ of the value loss.
fn before(step: &Step, s: &Settings, name: &str) -> Approx {
    let half = name == "vf_loss" && s.half == Half::Yes;
    step.p.given(if half { 0.5 } else { 1.0 })
}

/// Σ over every slot, over the valid tokens.
fn sum_of_all_slots(step: &Step, s: &Settings, name: &str) -> Option<Numbers> {
    let (p, mask) = (step.p, step.mask_of(name));
    let full = all_slots(mask).filter(|_| matches!(s.agg, Agg::TokenMean))?;
    let tokens = tokens(step, s, name, &full, true)?;
    let mean = p.sum(slots(&full).map(|slot| tokens[slot])) / p.given(mask.count() as f64);
    Some(Numbers::Scalar(before(step, s, name) * mean))
}

/// Micro-batches of two rows and more; those of one are the mode seq-mean-token-mean.
fn mean_of_means(step: &Step, s: &Settings, name: &str) -> Option<Numbers> {
    let (p, mask) = (step.p, step.mask_of(name));
    let tokens = tokens(step, s, name, mask, false).filter(|_| matches!(s.agg, Agg::TokenMean))?;
    let rows = parts_of(mask, &tokens, before(step, s, name).value, step.own(name))?;
    let part = |of: usize| mask_of(mask, |slot| mask.has(slot) && slot.0 / rows == of);
    let parts = (0..mask.shape().0.div_ceil(rows)).map(part).filter(|part| part.count() > 0);
    let means: Vec<Approx> = parts.map(|part| budget::aggregate(p, &tokens, &part, Agg::TokenMean)).collect();
    let n = p.given(means.len() as f64);
    Some(Numbers::Scalar(before(step, s, name) * (p.sum(means) / n)))
}

/// How many rows a part has, where the mean of the means of such parts is nearest to the file's. Plain sums are enough
/// to say so, and there are as many sizes as rows.
fn parts_of(mask: &Mask, tokens: &Grid, factor: f64, own: Option<&Own>) -> Option<usize> {
    let got = if let Some(Own::Scalar(got)) = own { *got } else { f64::NAN };
    let of_row = |row: usize| {
        let valid = mask.tokens_of(row);
        (valid.iter().map(|t| tokens[(row, *t)].value).sum::<f64>(), valid.len() as f64)
    };
    let rows: Vec<(f64, f64)> = (0..mask.shape().0).map(of_row).collect();
    let means = |size: usize| -> Vec<f64> {
        let sum = |rows: &[(f64, f64)]| rows.iter().fold((0.0, 0.0), |(x, n), row| (x + row.0, n + row.1));
        rows.chunks(size).map(sum).filter(|(_, n)| *n > 0.0).map(|(x, n)| x / n).collect()
    };
    let off = |means: &[f64]| (factor * means.iter().sum::<f64>() / means.len() as f64 - got).abs();
    let sizes = (2..rows.len()).map(|size| (size, means(size))).filter(|(_, means)| means.len() > 1);
    sizes.min_by(|(_, a), (_, b)| off(a).total_cmp(&off(b))).map(|(size, _)| size)
}

/// K, from 2 to the number of rows, that is nearest to what the file has of ours. A ½ of the value loss that is lost or
/// there twice has its own names.
fn parts(step: &Step, s: &Settings, name: &str, over: bool) -> Option<Numbers> {
    let mean = number(step.output(name, s)?)?;
    let of_half =
        |k: usize| name == "vf_loss" && if over { k == 2 || k == 4 } else { k == 2 && s.half == Half::Yes };
    let is_mean = matches!(s.agg, Agg::TokenMean | Agg::SeqMeanTokenMean { .. });
    let counts = 2..=step.inputs.mask.shape().0;
    let forms = counts.filter(|k| is_mean && !of_half(*k)).map(|k| {
        let k = step.p.given(k as f64);
        Some(Numbers::Scalar(if over { mean / k } else { mean * k }))
    });
    nearest(step, name, forms)
}

fn times_parts(step: &Step, s: &Settings, name: &str) -> Option<Numbers> {
    parts(step, s, name, false)
}

fn over_parts(step: &Step, s: &Settings, name: &str) -> Option<Numbers> {
    parts(step, s, name, true)
}

fn nan_reaches(step: &Step, s: &Settings, name: &str) -> Option<Numbers> {
    let mask = step.mask_of(name);
    let masked = mask_of(mask, |slot| !mask.has(slot));
    let tokens = tokens(step, s, name, &masked, true)?;
    // In f32 a log ratio of 89 is an infinite ratio.
    let most = if step.p == Precision::F64 { f64::MAX } else { f64::from(f32::MAX) };
    let bad = |slot: (usize, usize)| reference::nan::greater(tokens[slot].value.abs(), 0.0);
    let any = slots(&masked).any(|slot| bad(slot).is_nan() || bad(slot) > most);
    any.then(|| Numbers::Scalar(step.p.given(f64::NAN)))
}
