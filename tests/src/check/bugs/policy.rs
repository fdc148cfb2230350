//! Mistakes of the ratio and the policy loss: `eq:ratio`, `eq:policy-loss`.

use super::{Bug, bug, nearest, number};
use crate::{
    budget::{self, Approx, Grid},
    check::{
        compare::slots,
        step::{Numbers, Step},
    },
};
use reference::Settings;

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    bug(
        "RatioUpsideDown",
        "ratio",
        "π_old / π: the log-probs are subtracted the wrong way",
        "",
        |step, s| {
            let log_ratio = log_ratio(step, s)?;
            Some(Numbers::PerToken(step.p.each(&step.inputs.mask, |slot| (-log_ratio[slot]).exp())))
        },
    ),
    bug("LogRatioForRatio", "ratio", LOG_RATIO, "", |step, s| Some(Numbers::PerToken(log_ratio(step, s)?))),
    bug("RatioAlwaysOne", "ratio", ALWAYS_ONE, "", |step, s| {
        let log_ratio = log_ratio(step, s)?;
        Some(Numbers::PerToken(step.p.each(&step.inputs.mask, |slot| log_ratio[slot].at(1.0))))
    }),
    of_loss(
        "ClipToEpsilon",
        "the ratio is clipped to [ε_lo, 1 + ε_hi]: 1 − is missing",
        "ChenmienTan/RL2#21 (B66)",
        |step, s| {
            let clip = reference::PolicyClip { eps_lo: 1.0 - s.clip.eps_lo, ..s.clip };
            (clip.eps_lo > 0.0).then(|| step.output("pg_loss", &Settings { clip, ..*s }))?
        },
    ),
    of_loss(
        "ClipOfTheProduct",
        "ρ A is clipped, not ρ",
        "alexis-jacq/Pytorch-DPPO#3, openai/spinningup#315 (B67)",
        |step, s| {
            let (lo, hi) = radii(step, s);
            loss(step, s, |ratio, adv| -((ratio * adv).lesser((ratio * adv).clamp(lo, hi))))
        },
    ),
    of_loss(
        "ClipInLogSpace",
        "log ρ is clipped to bounds that are not log(1 − ε_lo) and log(1 + ε_hi)",
        "pytorch/rl#786 (B78)",
        |step, s| {
            let one = step.p.given(1.0);
            let (lo, hi) = (step.p.setting(s.clip.eps_lo), step.p.setting(s.clip.eps_hi));
            let bounds = [((-lo).exp(), hi.exp()), (one / (one + lo), one + hi)];
            let forms = bounds.map(|(lo, hi)| {
                loss(step, s, |ratio, adv| -((ratio * adv).lesser(ratio.clamp(lo, hi) * adv)))
            });
            nearest(step, "pg_loss", forms)
        },
    ),
    of_loss(
        "MinimumOfLosses",
        "the smaller of the two losses: the optimistic one of the surrogates",
        "",
        |step, s| {
            let (lo, hi) = radii(step, s);
            loss(step, s, |ratio, adv| -((ratio * adv).greater(ratio.clamp(lo, hi) * adv)))
        },
    ),
    of_loss("ClippedAlone", "the clipped surrogate alone: no minimum is taken", "", |step, s| {
        let (lo, hi) = radii(step, s);
        loss(step, s, |ratio, adv| -(ratio.clamp(lo, hi) * adv))
    }),
    of_loss("ClipForgotten", "−ρ A: nothing is clipped", "", |step, s| {
        loss(step, s, |ratio, adv| -(ratio * adv))
    }),
    of_loss("LogRatioForRatio", LOG_RATIO, "", |step, s| {
        let (lo, hi) = radii(step, s);
        let log_ratio = log_ratio(step, s)?;
        loss_of(step, s, &log_ratio, |ratio, adv| -((ratio * adv).lesser(ratio.clamp(lo, hi) * adv)))
    }),
    of_loss("RatioAlwaysOne", ALWAYS_ONE, "", |step, s| loss(step, s, |_, adv| -adv)),
    of_loss(
        "RatioUpsideDown",
        "of π_old / π: the log-probs are subtracted the wrong way",
        "",
        |step, s| {
            let (lo, hi) = radii(step, s);
            let one = step.p.given(1.0);
            loss(step, s, |ratio, adv| {
                let ratio = one / ratio;
                -((ratio * adv).lesser(ratio.clamp(lo, hi) * adv))
            })
        },
    ),
    of_loss(
        "LogProbForRatio",
        "−log π A: the gradient is that of the first step, and nothing is clipped",
        "",
        |step, s| loss_of(step, s, &step.logp(s)?, |logp, adv| -(logp * adv)),
    ),
    of_loss("Ascent", "the objective and not the loss: the sign is turned", "", |step, s| {
        number(step.output("pg_loss", s)?).map(|loss| Numbers::Scalar(-loss))
    }),
    of_loss(
        "DualClipOfGoodTokens",
        "the dual clip bounds tokens with A > 0 too",
        "thu-ml/tianshou#433 (B64)",
        |step, s| {
            let ((lo, hi), c) = (radii(step, s), step.p.setting(s.clip.c_dual));
            if s.clip.c_dual == f64::INFINITY {
                return None;
            }
            loss(step, s, |ratio, adv| {
                let surrogate = (ratio * adv).lesser(ratio.clamp(lo, hi) * adv);
                -surrogate.greater(c * adv)
            })
        },
    ),
    of_loss("RawAdvantages", "the advantages before whitening are in the loss", "", |step, s| {
        with(step, s, s.whitening.and(step.raw(s))?)
    }),
    of_loss("ReturnsForAdvantages", "the returns are in the loss, and not the advantages", "", |step, s| {
        with(step, s, step.grid("returns", s).or_else(|| step.read(step.inputs.returns.as_ref()))?)
    }),
    of_loss("ValuesForAdvantages", "V_old is in the loss, and not the advantages", "", |step, s| {
        with(step, s, step.read(step.inputs.old_values.as_ref())?)
    }),
    of_loss(
        "EveryRatioWithEveryAdvantage",
        "ratios (n) meet advantages (n, 1): the mean runs over n² pairs",
        "RITCHIEHuang/DeepRL_Algorithms#13 (B22), the post (S17)",
        every_pair,
    ),
    of_loss(
        "WeightsForgotten",
        "the importance weights are not in the loss",
        "PufferAI/PufferLib#306 (B37)",
        |step, s| weighted(step, s, 0),
    ),
    of_loss(
        "WeightsTwice",
        "the importance weights are in the loss twice",
        "PufferAI/PufferLib#306 (B37)",
        |step, s| weighted(step, s, 2),
    ),
];

const LOG_RATIO: &str = "log π − log π_old, which nobody has exponentiated";
const ALWAYS_ONE: &str = "1 everywhere: the same log-probs stand on both sides";

const fn of_loss(
    name: &'static str,
    says: &'static str,
    seen: &'static str,
    make: fn(&Step, &Settings) -> Option<Numbers>,
) -> Bug {
    bug(name, "pg_loss", says, seen, make)
}

fn log_ratio(step: &Step, s: &Settings) -> Option<Grid> {
    let (logp, old) = (step.logp(s)?, step.read(step.inputs.old_log_probs.as_ref())?);
    Some(step.p.each(&step.inputs.mask, |slot| logp[slot] - old[slot]))
}

/// 1 − ε_lo and 1 + ε_hi.
pub(crate) fn radii(step: &Step, s: &Settings) -> (Approx, Approx) {
    let [one, lo, hi] = [1.0, s.clip.eps_lo, s.clip.eps_hi].map(|x| step.p.setting(x));
    (one - lo, one + hi)
}

/// The policy loss with another formula for a token, of ρ and Â.
pub(crate) fn loss(step: &Step, s: &Settings, token: impl Fn(Approx, Approx) -> Approx) -> Option<Numbers> {
    loss_of(step, s, &step.grid("ratio", s)?, token)
}

/// The same of something else than ρ.
pub(crate) fn loss_of(
    step: &Step,
    s: &Settings,
    of: &Grid,
    token: impl Fn(Approx, Approx) -> Approx,
) -> Option<Numbers> {
    let (p, mask, adv) = (step.p, &step.inputs.mask, step.adv(s)?);
    let weights = step.inputs.rollout_is_weights.as_ref();
    let per_token = p.each(mask, |slot| {
        let token = token(of[slot], adv[slot]);
        weights.map_or(token, |weights| token * p.given(weights[slot]))
    });
    Some(Numbers::Scalar(budget::aggregate(p, &per_token, mask, s.agg)))
}

/// The policy loss of other advantages.
fn with(step: &Step, s: &Settings, adv: Grid) -> Option<Numbers> {
    let [logp, old, _] = step.policy_operands(s)?;
    let w = step.inputs.rollout_is_weights.as_ref();
    let made = budget::policy_loss(step.p, &logp, &old, &adv, &step.inputs.mask, w, &s.clip, s.agg);
    Some(Numbers::Scalar(made.loss))
}

/// Importance weights to that power.
fn weighted(step: &Step, s: &Settings, power: usize) -> Option<Numbers> {
    let weights = step.inputs.rollout_is_weights.as_ref()?;
    let [logp, old, adv] = step.policy_operands(s)?;
    let w = weights.map(|w| if power == 0 { 1.0 } else { w * w });
    let made = budget::policy_loss(step.p, &logp, &old, &adv, &step.inputs.mask, Some(&w), &s.clip, s.agg);
    Some(Numbers::Scalar(made.loss))
}

/// Most tokens whose pairs are counted.
const MOST_TOKENS: usize = 2_000;

fn every_pair(step: &Step, s: &Settings) -> Option<Numbers> {
    let (p, mask, adv, ratio) = (step.p, &step.inputs.mask, step.adv(s)?, step.grid("ratio", s)?);
    let (lo, hi) = radii(step, s);
    let tokens: Vec<_> = slots(mask).collect();
    if tokens.len() > MOST_TOKENS || tokens.len() < 2 {
        return None;
    }
    let token = |ratio: Approx, adv: Approx| -((ratio * adv).lesser(ratio.clamp(lo, hi) * adv));
    let pairs = tokens.iter().flat_map(|a| tokens.iter().map(|b| token(ratio[*a], adv[*b])));
    let n = tokens.len() as f64;
    Some(Numbers::Scalar(p.sum(pairs) / p.given(n * n)))
}
