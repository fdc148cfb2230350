//! Mistakes of the inner epoch: the ratio, both losses and what they log, the entropy, the total.

use super::{Bug, all_slots, bug, next, number, per_token};
use crate::{
    budget::{self, Approx},
    check::step::{Numbers, Step},
};
use reference::{Agg, Settings, ValueClip};

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    bug(
        "LogProbOneEarly",
        "log_probs",
        "token t has the log-prob of token t + 1: the labels are shifted once too often",
        "huggingface/trl#5620, hpcaitech/ColossalAI#3622",
        |step, s| {
            let (logp, mask) = (per_token(step.output("log_probs", s)?)?, &step.inputs.mask);
            Some(Numbers::PerToken(next(step, mask, &logp)))
        },
    ),
    bug(
        "RatioUpsideDown",
        "ratio",
        "π_old / π: the log-probs are subtracted the wrong way",
        "",
        |step, s| {
            let [logp, old, _] = step.policy_operands(s)?;
            let mask = &step.inputs.mask;
            Some(Numbers::PerToken(step.p.each(mask, |slot| (old[slot] - logp[slot]).exp())))
        },
    ),
    mean_over_padding("pg_loss", |step, s| over_all_slots(step, s, "pg_loss")),
    bug(
        "ClipToEpsilon",
        "pg_loss",
        "the ratio is clipped to [ε_lo, 1 + ε_hi]: 1 − is missing",
        "ChenmienTan/RL2#21",
        |step, s| {
            let clip = reference::PolicyClip { eps_lo: 1.0 - s.clip.eps_lo, ..s.clip };
            (clip.eps_lo > 0.0).then(|| step.output("pg_loss", &Settings { clip, ..*s }))?
        },
    ),
    bug(
        "ClipOfTheProduct",
        "pg_loss",
        "ρ A is clipped, not ρ",
        "alexis-jacq/Pytorch-DPPO#3, openai/spinningup#315",
        |step, s| {
            let (lo, hi) = radii(step, s);
            policy_loss(step, s, |ratio, adv| -((ratio * adv).lesser((ratio * adv).clamp(lo, hi))))
        },
    ),
    bug(
        "MinimumOfLosses",
        "pg_loss",
        "the smaller of the two losses: the optimistic one of the surrogates",
        "",
        |step, s| {
            let (lo, hi) = radii(step, s);
            policy_loss(step, s, |ratio, adv| -((ratio * adv).greater(ratio.clamp(lo, hi) * adv)))
        },
    ),
    bug("Ascent", "pg_loss", "the objective and not the loss: the sign is turned", "", |step, s| {
        number(step.output("pg_loss", s)?).map(|loss| Numbers::Scalar(-loss))
    }),
    bug(
        "DualClipOfGoodTokens",
        "pg_loss",
        "the dual clip bounds tokens with A > 0 too",
        "thu-ml/tianshou#433",
        |step, s| {
            let ((lo, hi), c) = (radii(step, s), step.p.setting(s.clip.c_dual));
            if s.clip.c_dual == f64::INFINITY {
                return None;
            }
            policy_loss(step, s, |ratio, adv| {
                let surrogate = (ratio * adv).lesser(ratio.clamp(lo, hi) * adv);
                -surrogate.greater(c * adv)
            })
        },
    ),
    bug(
        "DualClipNeverCounted",
        "pg_clipfrac_lower",
        "always 0: the bound is compared with a loss that it has already cut",
        "volcengine/verl#972",
        |step, s| (s.clip.c_dual.is_finite()).then(|| zero(step)),
    ),
    bug(
        "TiesCounted",
        "vf_clipfrac",
        "≥ for >: every token inside the clip range counts",
        "",
        |step, s| {
            let [v, v_old, ret] = step.value_operands(s)?.map(|x| x.map(|x| x.value));
            let mask = &step.inputs.value_mask;
            let counts = |slot: (usize, usize)| {
                let clipped = v_old[slot] + (v[slot] - v_old[slot]).clamp(-s.eps_v, s.eps_v);
                let [plain, clipped] = [v[slot], clipped].map(|v| (v - ret[slot]) * (v - ret[slot]));
                clipped >= plain
            };
            let count = mask.each(|slot| f64::from(u8::from(counts(slot))));
            Some(Numbers::Scalar(step.p.given(mask.sum(&count) / mask.count() as f64).once()))
        },
    ),
    bug(
        "NothingCounted",
        "vf_clipfrac",
        "always 0: the metric compares a tensor with itself",
        "RLinf/RLinf#1529",
        |step, _| Some(zero(step)),
    ),
    bug(
        "OldValuesRecomputed",
        "vf_loss",
        "V itself stands for V_old, or the clip is off: it never bites",
        "tensorflow/agents#352",
        |step, s| step.output("vf_loss", &Settings { value_clip: ValueClip::Off, ..*s }),
    ),
    bug(
        "SmallerError",
        "vf_loss",
        "the smaller of the two squared errors",
        "ray-project/ray#2233, openai/baselines#91 and others",
        |step, s| value_loss(step, s, |v, clipped, ret| (v - ret).square().lesser((clipped - ret).square())),
    ),
    bug(
        "ReturnsAndValuesSwapped",
        "vf_loss",
        "returns and old values change places, as positional arguments do",
        "",
        |step, s| {
            let [v, v_old, ret] = step.value_operands(s)?;
            let Settings { eps_v, value_clip, agg, half, .. } = *s;
            let mask = &step.inputs.value_mask;
            let swapped = budget::value_loss(step.p, &v, &ret, &v_old, mask, eps_v, value_clip, agg, half);
            Some(Numbers::Scalar(swapped.loss))
        },
    ),
    bug(
        "ClipAroundTheReturns",
        "vf_loss",
        "the clip is built around the returns and not around the old values",
        "",
        |step, s| {
            let [v, _, ret] = step.value_operands(s)?;
            let Settings { eps_v, value_clip, agg, half, .. } = *s;
            let mask = &step.inputs.value_mask;
            let around = budget::value_loss(step.p, &v, &ret, &ret, mask, eps_v, value_clip, agg, half);
            Some(Numbers::Scalar(around.loss))
        },
    ),
    mean_over_padding("vf_loss", |step, s| over_all_slots(step, s, "vf_loss")),
    bug("Bits", "entropy", "logarithms to base 2, where the step counts in nats", "", |step, s| {
        let ln_2 = step.p.setting(core::f64::consts::LN_2);
        let ent = per_token(step.output("entropy", s)?)?;
        Some(Numbers::PerToken(step.p.each(&step.inputs.mask, |slot| ent[slot] / ln_2)))
    }),
    bug(
        "EntropyBeforeTemperature",
        "entropy",
        "the entropy of the logits before they were divided by the temperature",
        "OpenRLHF/OpenRLHF#1319",
        |step, s| step.entropy_at_1(s).map(Numbers::PerToken),
    ),
    mean_over_padding("entropy_loss", |step, s| over_all_slots(step, s, "entropy_loss")),
    bug(
        "EntropyAdded",
        "total_loss",
        "the entropy is added to a loss that is minimised, and falls",
        "the post (S10)",
        |step, s| {
            let mut turned = *s;
            turned.coefficients.c_h = -s.coefficients.c_h;
            (s.coefficients.c_h != 0.0).then(|| step.output("total_loss", &turned))?
        },
    ),
];

const fn mean_over_padding(of: &'static str, make: fn(&Step, &Settings) -> Option<Numbers>) -> Bug {
    let says = "the sum over tokens is divided by all B · L slots";
    bug("MeanOverPadding", of, says, "the post (S8), areal-project/AReaL#1346", make)
}

fn zero(step: &Step) -> Numbers {
    Numbers::Scalar(step.p.given(0.0))
}

/// A token mean over every slot, masked ones 0.
fn over_all_slots(step: &Step, s: &Settings, name: &str) -> Option<Numbers> {
    let mask = step.mask_of(name);
    let (b, t_len) = all_slots(mask)?.shape();
    if !matches!(s.agg, Agg::TokenMean) {
        return None;
    }
    let (p, mean) = (step.p, number(step.output(name, s)?)?);
    Some(Numbers::Scalar(mean * p.given(mask.count() as f64) / p.given((b * t_len) as f64)))
}

/// 1 − ε_lo and 1 + ε_hi.
fn radii(step: &Step, s: &Settings) -> (Approx, Approx) {
    let [one, lo, hi] = [1.0, s.clip.eps_lo, s.clip.eps_hi].map(|x| step.p.setting(x));
    (one - lo, one + hi)
}

/// The policy loss with another formula for a token.
fn policy_loss(step: &Step, s: &Settings, token: impl Fn(Approx, Approx) -> Approx) -> Option<Numbers> {
    let (p, mask, adv) = (step.p, &step.inputs.mask, step.adv(s)?);
    let ratio = step.grid("ratio", s)?;
    let weights = step.inputs.rollout_is_weights.as_ref();
    let per_token = p.each(mask, |slot| {
        token(ratio[slot], adv[slot]) * p.given(weights.map_or(1.0, |weights| weights[slot]))
    });
    Some(Numbers::Scalar(budget::aggregate(p, &per_token, mask, s.agg)))
}

/// The value loss with another formula for a token, of V, of V brought back to V_old, and of R.
fn value_loss(
    step: &Step,
    s: &Settings,
    token: impl Fn(Approx, Approx, Approx) -> Approx,
) -> Option<Numbers> {
    let (p, mask, [v, v_old, ret]) = (step.p, &step.inputs.value_mask, step.value_operands(s)?);
    let eps_v = p.setting(s.eps_v);
    let per_token = p.each(mask, |slot| {
        let clipped = v_old[slot] + (v[slot] - v_old[slot]).clamp(-eps_v, eps_v);
        token(v[slot], clipped, ret[slot])
    });
    let mean = budget::aggregate(p, &per_token, mask, s.agg);
    Some(Numbers::Scalar(if s.half == reference::Half::Yes { p.given(0.5) * mean } else { mean }))
}
