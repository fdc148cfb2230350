//! Known deviations, as data: what a wrong step puts out, and where it was seen.
//!
//! Each is the equation with one mistake in it, in the arithmetic of the budgets, so that a file that has the
//! mistake is met within its own budget. `B` and `S` numbers are those of the book's list of bugs and errata.

use super::step::{Numbers, Step};
use crate::budget::{self, Approx, Grid};
use reference::{Agg, Gap, Mask, ScoreAt, Settings, ValueClip};

/// One known deviation of one output.
#[derive(Debug, Clone, Copy)]
pub struct Bug {
    /// Its name.
    pub name: &'static str,
    /// The output that shows it.
    pub of: &'static str,
    /// What the numbers are then.
    pub says: &'static str,
    /// Where it was seen; empty where no project is known.
    pub seen: &'static str,
    /// The output with the mistake; none where the file lacks what it is made of.
    pub make: fn(&Step, &Settings) -> Option<Numbers>,
}

const fn bug(
    name: &'static str,
    of: &'static str,
    says: &'static str,
    seen: &'static str,
    make: fn(&Step, &Settings) -> Option<Numbers>,
) -> Bug {
    Bug { name, of, says, seen, make }
}

/// Every deviation, in the order of the step.
pub const BUGS: &[Bug] = &[
    bug(
        "KlAdded",
        "token_rewards",
        "β_kl KL is added to the reward and not taken off",
        "qiancheng0/ToolRL#52 (B74)",
        |step, s| step.output("token_rewards", &Settings { beta_kl: -s.beta_kl, ..*s }),
    ),
    bug(
        "ScoreBroadcast",
        "token_rewards",
        "a (B) score was added to (B, L): token t of every row is paid score t",
        "the post (S6), RITCHIEHuang/DeepRL_Algorithms#13 (B22)",
        |step, s| {
            let scores = step.inputs.scores.as_ref()?;
            let (b, t_len) = step.inputs.mask.shape();
            let broadcasts = b == t_len && s.score_at != ScoreAt::PerToken && scores.ncols() == 1;
            let listing = reference::Listing { score_broadcast: true, ..s.listing };
            broadcasts.then(|| step.output("token_rewards", &Settings { listing, ..*s }))?
        },
    ),
    bug(
        "ScoreOnEveryToken",
        "token_rewards",
        "every token of a row is paid the row's score",
        "",
        |step, s| {
            let scores = step.inputs.scores.as_ref().filter(|scores| scores.ncols() == 1)?;
            let placed = step.inputs.value_mask.each(|(row, _)| scores[row]);
            let (kl, mask) = (step.grid("kl", s), &step.inputs.value_mask);
            Some(Numbers::PerToken(budget::reward(step.p, &placed, kl.as_ref(), s.beta_kl, mask)))
        },
    ),
    bug(
        "RewardOneLate",
        "advantages_raw",
        "token t is paid the reward of token t + 1",
        "openai/spinningup#50 (B29), PufferLib 1.0",
        |step, s| gae(step, s, |mask, r, _| (next(step, mask, &r), None)),
    ),
    bug(
        "ValueOneEarly",
        "advantages_raw",
        "V after token t stands for V before it: values[:, 1:] for values[:, :-1]",
        "alibaba/ROLL#3, huggingface/trl#44 (B10)",
        |step, s| gae(step, s, |mask, r, v| (r, Some(next(step, mask, &v)))),
    ),
    bug(
        "NoBootstrap",
        "advantages_raw",
        "V after a truncated row is 0: a response that was cut off counts as one that ended",
        "huggingface/trl#1536 (B21)",
        |step, s| {
            let ends = step.inputs.ends.as_ref()?;
            let none = ends.v_last.iter().all(|v| *v == 0.0);
            let mut without = ends.clone();
            without.v_last.fill(0.0);
            (!none).then(|| gae_with(step, s, &without))?
        },
    ),
    bug(
        "BootstrapTwice",
        "advantages_raw",
        "V after the last token is in its δ and once more in what is carried back",
        "simonsays1980/rl-triton#4 (B34)",
        bootstrap_twice,
    ),
    bug(
        "LastAlwaysZero",
        "advantages_raw",
        "the last token's advantage is 0 and the recursion begins before it",
        "PufferAI/PufferLib#363 (B36)",
        last_always_zero,
    ),
    bug(
        "CarryNotReset",
        "advantages_raw",
        "credit goes on past the end of an episode inside a row",
        "vietnh1009/Super-mario-bros-PPO-pytorch#21 (B30)",
        |step, s| {
            let ends = step.inputs.ends.as_ref()?;
            let inside = ends.terminated.iter().chain(ends.truncated.iter()).any(|flag| *flag);
            let mut without = ends.clone();
            without.terminated.fill(false);
            without.truncated.fill(false);
            inside.then(|| gae_with(step, s, &without))?
        },
    ),
    bug(
        "LambdaForgotten",
        "advantages_raw",
        "γ alone discounts what is carried back: λ is forgotten",
        "",
        |step, s| {
            (s.lambda != 1.0).then(|| step.output("advantages_raw", &Settings { lambda: 1.0, ..*s }))?
        },
    ),
    bug(
        "PaddingInTheStatistics",
        "whitened",
        "mean and deviation run over padded slots too, which hold 0",
        "NovaSky-AI/SkyRL#1305 (B40), MarcoMeter/recurrent-ppo-truncated-bptt#10 (B51)",
        |step, s| {
            let (full, how) = (all_slots(&step.inputs.mask)?, s.whitening?);
            Some(Numbers::PerToken(budget::whiten(step.p, &step.raw(s)?, &full, how)))
        },
    ),
    bug("WhitenedByRow", "whitened", "each row has a mean and a deviation of its own", "", whitened_by_row),
    bug(
        "ReturnsFromWhitened",
        "returns",
        "whitened advantages + old values: the mean of the critic's target is its own mean",
        "the post (S1), B62",
        |step, s| added(step, step.adv(s)?),
    ),
    bug(
        "ReturnsAreValues",
        "returns",
        "the old values themselves: the advantages that were added were still 0",
        "vwxyzjn/cleanrl#337 (B28)",
        |step, s| {
            let zero = step.raw(s)?.map(|_| step.p.given(0.0));
            added(step, zero)
        },
    ),
    bug(
        "ReturnsAreAdvantages",
        "returns",
        "the advantages alone: the old values were not added",
        "",
        |step, s| {
            let raw = step.raw(s)?;
            Some(Numbers::PerToken(step.p.each(&step.inputs.value_mask, |slot| raw[slot])))
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
    bug(
        "MeanOverPadding",
        "pg_loss",
        "the sum over tokens is divided by all B · L slots",
        "the post (S8), areal-project/AReaL#1346 (B12)",
        |step, s| over_all_slots(step, s, "pg_loss"),
    ),
    bug(
        "ClipToEpsilon",
        "pg_loss",
        "the ratio is clipped to [ε_lo, 1 + ε_hi]: 1 − is missing",
        "ChenmienTan/RL2#21 (B66)",
        |step, s| {
            let clip = reference::PolicyClip { eps_lo: 1.0 - s.clip.eps_lo, ..s.clip };
            (clip.eps_lo > 0.0).then(|| step.output("pg_loss", &Settings { clip, ..*s }))?
        },
    ),
    bug(
        "ClipOfTheProduct",
        "pg_loss",
        "ρ A is clipped, not ρ",
        "alexis-jacq/Pytorch-DPPO#3, openai/spinningup#315 (B67)",
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
    bug("Ascent", "pg_loss", "the objective and not the loss: the sign is turned", "", |step, s| match step
        .output("pg_loss", s)?
    {
        Numbers::Scalar(x) => Some(Numbers::Scalar(-x)),
        Numbers::PerToken(_) => None,
    }),
    bug(
        "DualClipOfGoodTokens",
        "pg_loss",
        "the dual clip bounds tokens with A > 0 too",
        "thu-ml/tianshou#433 (B64)",
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
        "volcengine/verl#972 (B63)",
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
        "RLinf/RLinf#1529 (B57)",
        |step, _| Some(zero(step)),
    ),
    bug(
        "OldValuesRecomputed",
        "vf_loss",
        "V itself stands for V_old, or the clip is off: it never bites",
        "tensorflow/agents#352 (B56)",
        |step, s| step.output("vf_loss", &Settings { value_clip: ValueClip::Off, ..*s }),
    ),
    bug(
        "SmallerError",
        "vf_loss",
        "the smaller of the two squared errors",
        "ray-project/ray#2233, openai/baselines#91 and others (B54)",
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
    bug(
        "MeanOverPadding",
        "vf_loss",
        "the sum over tokens is divided by all B · L slots",
        "the post (S8), areal-project/AReaL#1346 (B12)",
        |step, s| over_all_slots(step, s, "vf_loss"),
    ),
    bug("Bits", "entropy", "logarithms to base 2, where the step counts in nats", "", |step, s| {
        let ln_2 = step.p.setting(core::f64::consts::LN_2);
        let ent = per_token(step.output("entropy", s)?)?;
        Some(Numbers::PerToken(step.p.each(&step.inputs.mask, |slot| ent[slot] / ln_2)))
    }),
    bug(
        "EntropyBeforeTemperature",
        "entropy",
        "the entropy of the logits before they were divided by the temperature",
        "OpenRLHF/OpenRLHF#1319 (B83)",
        |step, _| step.entropy_at_1().map(Numbers::PerToken),
    ),
    bug(
        "MeanOverPadding",
        "entropy_loss",
        "the sum over tokens is divided by all B · L slots",
        "the post (S8), areal-project/AReaL#1346 (B12)",
        |step, s| over_all_slots(step, s, "entropy_loss"),
    ),
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

fn per_token(numbers: Numbers) -> Option<Grid> {
    match numbers {
        Numbers::PerToken(grid) => Some(grid),
        Numbers::Scalar(_) => None,
    }
}

fn zero(step: &Step) -> Numbers {
    Numbers::Scalar(step.p.given(0.0))
}

/// Every slot, where the mask leaves one out.
fn all_slots(mask: &Mask) -> Option<Mask> {
    let (b, t_len) = mask.shape();
    (mask.count() < b * t_len).then(|| Mask::full(b, t_len))
}

/// What stands at the next slot of the mask, 0 after the last.
fn next(step: &Step, mask: &Mask, x: &Grid) -> Grid {
    let after = |(row, t): (usize, usize)| mask.tokens_of(row).into_iter().find(|next| *next > t);
    step.p.each(mask, |slot| after(slot).map_or(step.p.given(0.0), |t| x[(slot.0, t)]))
}

/// GAE of other rewards, and of other values where they are given.
fn gae(
    step: &Step,
    s: &Settings,
    other: impl Fn(&Mask, Grid, Grid) -> (Grid, Option<Grid>),
) -> Option<Numbers> {
    let inputs = &step.inputs;
    let v = step.read(inputs.old_values.as_ref())?;
    let (r, moved) = other(&inputs.value_mask, step.rewards(s)?, v.clone());
    let (v, ends) = (moved.unwrap_or(v), inputs.ends.as_ref()?);
    Some(Numbers::PerToken(budget::gae(step.p, &r, &v, &inputs.value_mask, ends, s.gap, s.gamma, s.lambda)))
}

/// GAE of rows that end otherwise.
fn gae_with(step: &Step, s: &Settings, ends: &reference::Ends) -> Option<Numbers> {
    let inputs = &step.inputs;
    let (r, v) = (step.rewards(s)?, step.read(inputs.old_values.as_ref())?);
    Some(Numbers::PerToken(budget::gae(step.p, &r, &v, &inputs.value_mask, ends, s.gap, s.gamma, s.lambda)))
}

/// γλ V_T at the last token of a row, decayed on its way back as any advantage is.
fn bootstrap_twice(step: &Step, s: &Settings) -> Option<Numbers> {
    let (p, mask, ends) = (step.p, &step.inputs.value_mask, step.inputs.ends.as_ref()?);
    let adv = per_token(step.output("advantages_raw", s)?)?;
    if ends.v_last.iter().all(|v| *v == 0.0) || s.gap == Gap::Cut {
        return None;
    }
    let decay = p.setting(s.gamma) * p.setting(s.lambda);
    let mut extra = p.each(mask, |_| p.given(0.0));
    for row in 0..mask.shape().0 {
        let mut carry = p.given(ends.v_last[row]);
        for t in (0..mask.end(row)).rev() {
            if mask.has((row, t)) && (ends.terminated[(row, t)] || ends.truncated[(row, t)]) {
                break;
            }
            if mask.has((row, t)) || s.gap == Gap::Decay {
                carry = decay * carry;
            }
            extra[(row, t)] = carry;
        }
    }
    Some(Numbers::PerToken(p.each(mask, |slot| adv[slot] + extra[slot])))
}

/// The recursion over all but the last token of each row, which is 0.
fn last_always_zero(step: &Step, s: &Settings) -> Option<Numbers> {
    let (p, inputs) = (step.p, &step.inputs);
    let (mask, ends) = (&inputs.value_mask, inputs.ends.as_ref()?);
    let (r, v) = (step.rewards(s)?, step.read(inputs.old_values.as_ref())?);
    let (b, t_len) = mask.shape();
    let is_last = |row: usize, t: usize| t + 1 == mask.end(row);
    let before =
        Mask::new(nalgebra::DMatrix::from_fn(b, t_len, |row, t| mask.has((row, t)) && !is_last(row, t)));
    let mut ends = ends.clone();
    for row in 0..b {
        ends.v_last[row] = mask.end(row).checked_sub(1).map_or(0.0, |last| v[(row, last)].value);
    }
    let adv = budget::gae(p, &r, &v, &before, &ends, s.gap, s.gamma, s.lambda);
    Some(Numbers::PerToken(
        p.each(mask, |(row, t)| if is_last(row, t) { p.given(0.0) } else { adv[(row, t)] }),
    ))
}

fn whitened_by_row(step: &Step, s: &Settings) -> Option<Numbers> {
    let (p, mask, how, adv) = (step.p, &step.inputs.mask, s.whitening?, step.raw(s)?);
    let (b, t_len) = mask.shape();
    let mut out = p.each(mask, |_| p.given(0.0));
    if b < 2 || (0..b).any(|row| mask.tokens_of(row).len() < 2) {
        return None;
    }
    for of in 0..b {
        let row = Mask::new(nalgebra::DMatrix::from_fn(b, t_len, |row, t| row == of && mask.has((row, t))));
        let whitened = budget::whiten(p, &adv, &row, how);
        mask.tokens_of(of).into_iter().for_each(|t| out[(of, t)] = whitened[(of, t)]);
    }
    Some(Numbers::PerToken(out))
}

/// Something + the old values.
fn added(step: &Step, adv: Grid) -> Option<Numbers> {
    let v_old = step.read(step.inputs.old_values.as_ref())?;
    Some(Numbers::PerToken(budget::returns(step.p, &adv, &v_old, &step.inputs.value_mask)))
}

/// A token mean over every slot, masked ones 0.
fn over_all_slots(step: &Step, s: &Settings, name: &str) -> Option<Numbers> {
    let mask = step.mask_of(name);
    let (b, t_len) = all_slots(mask)?.shape();
    let p = step.p;
    let Numbers::Scalar(mean) = step.output(name, &Settings { agg: Agg::TokenMean, ..*s })? else {
        return None;
    };
    let is_mean = matches!(s.agg, Agg::TokenMean);
    is_mean.then(|| Numbers::Scalar(mean * p.given(mask.count() as f64) / p.given((b * t_len) as f64)))
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
