//! Mistakes of the recursion of GAE: `eq:td-residual`, `eq:gae-recursion`.

use super::{Bug, before, bug, nearest, next, per_token};
use crate::{
    budget::{self, Approx, Grid},
    check::step::{Numbers, Step},
};
use nalgebra::DMatrix;
use reference::{Ends, Gap, Mask, Settings};

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    of_gae(
        "RewardOneEarly",
        "token t is paid the reward of token t + 1",
        "openai/spinningup#50, PufferLib 1.0 (B29)",
        |step, s| {
            let r = step.rewards(s)?;
            gae(step, s, &next(step, &step.inputs.value_mask, &r), None)
        },
    ),
    of_gae(
        "RewardOneLate",
        "token t is paid the reward of token t − 1",
        "openai/spinningup#50 (B29)",
        |step, s| {
            let r = step.rewards(s)?;
            gae(step, s, &before(step, &step.inputs.value_mask, &r), None)
        },
    ),
    of_gae(
        "ValueOneEarly",
        "V after token t stands for V before it: values[:, 1:] for values[:, :-1]",
        "alibaba/ROLL#3, huggingface/trl#44 (B10), the post (S4)",
        |step, s| {
            let v = step.read(step.inputs.old_values.as_ref())?;
            gae(step, s, &step.rewards(s)?, Some(&next(step, &step.inputs.value_mask, &v)))
        },
    ),
    of_gae(
        "ValueOneLate",
        "V of the token before stands for V: the values are shifted to the right once too often",
        "",
        |step, s| {
            let r = step.rewards(s)?;
            let forms = late_values(step)?.map(|v| gae(step, s, &r, Some(&v)));
            nearest(step, "advantages_raw", forms)
        },
    ),
    of_gae(
        "AdvantagesFromNewValues",
        "V now stands for V_old: the advantages move with the critic in the inner epochs",
        "the post (S18)",
        |step, s| {
            let v = step.read(step.inputs.values.as_ref())?;
            gae(step, s, &step.rewards(s)?, Some(&v))
        },
    ),
    of_gae("LambdaForgotten", "γ alone discounts what is carried back: λ is forgotten", "", |step, s| {
        (s.lambda != 1.0).then(|| with(step, s, s.gamma, 1.0))?
    }),
    of_gae("CarryForgotten", "δ alone: nothing is carried back", "", |step, s| {
        (s.lambda != 0.0).then(|| with(step, s, s.gamma, 0.0))?
    }),
    of_gae("GammaLambdaSwapped", "γ and λ change places, as positional arguments do", "", |step, s| {
        with(step, s, s.lambda, s.gamma)
    }),
    of_gae("LambdaForGamma", "λ stands for γ too", "", |step, s| with(step, s, s.lambda, s.lambda)),
    of_gae("GammaForLambda", "γ stands for λ too", "", |step, s| with(step, s, s.gamma, s.gamma)),
    of_gae("GammaForgottenInDelta", "δ is r + V' − V: γ stands in the carry alone", "", |step, s| {
        let decay = decay(step, s);
        (s.gamma != 1.0).then(|| recursion(step, s, |of| (of.r + of.v_next) - of.v, |_| decay))?
    }),
    of_gae("GammaForgottenInCarry", "λ alone discounts what is carried back", "", |step, s| {
        let (gamma, lambda) = (step.p.setting(s.gamma), step.p.setting(s.lambda));
        (s.gamma != 1.0).then(|| recursion(step, s, |of| (of.r + gamma * of.v_next) - of.v, |_| lambda))?
    }),
    of_gae("NextValueForgotten", "δ is r − V: γ V' is missing", "", |step, s| {
        let decay = decay(step, s);
        recursion(step, s, |of| of.r - of.v, |_| decay)
    }),
    of_gae("ValuesNotSubtracted", "δ is r + γ V': − V is missing", "", |step, s| {
        let (gamma, decay) = (step.p.setting(s.gamma), decay(step, s));
        recursion(step, s, |of| of.r + gamma * of.v_next, |_| decay)
    }),
    of_gae(
        "AdvantagesAreReturns",
        "Â + V_old: the baseline was not taken off",
        "the post (S16)",
        |step, s| {
            let (adv, v) = (raw(step, s)?, step.read(step.inputs.old_values.as_ref())?);
            Some(Numbers::PerToken(budget::returns(step.p, &adv, &v, &step.inputs.value_mask)))
        },
    ),
    of_gae("AdvantagesTurned", "−Â: V and the return change places", "", |step, s| {
        Some(Numbers::PerToken(raw(step, s)?.map(|adv| -adv)))
    }),
    of_gae("ForwardRecursion", "the recursion runs from the first token to the last", "", forward),
    of_gae(
        "LastErrorDecayed",
        "(γλ)^l of the last token's r − V: the residuals before it are forgotten",
        "the post (S15)",
        last_error_decayed,
    ),
    of_gae(
        "ScoreForAdvantage",
        "every token of a row has the sum of the row's rewards: no critic",
        "the post (S17)",
        |step, s| {
            let (p, r, mask) = (step.p, step.rewards(s)?, &step.inputs.value_mask);
            let sum = |row: usize| p.sum(mask.tokens_of(row).into_iter().map(|t| r[(row, t)]));
            let sums: Vec<Approx> = (0..mask.shape().0).map(sum).collect();
            Some(Numbers::PerToken(p.each(mask, |(row, _)| sums[row])))
        },
    ),
    of_gae(
        "StridesIgnored",
        "rewards and values are read in the order of memory of their transposes",
        "Denys88/rl_games#358 (B35)",
        strides_ignored,
    ),
    of_gae(
        "ImportanceOfTheRewardAlone",
        "δ is ρ r + γ V' − V: the brackets of ρ (r + γ V' − V) are missing",
        "PufferAI/PufferLib#598 (B38)",
        |step, s| {
            let (weight, gamma, decay) = (importance(step)?, step.p.setting(s.gamma), decay(step, s));
            let delta = |of: &Token| (weight[of.slot] * of.r + gamma * of.v_next) - of.v;
            recursion(step, s, delta, |of| decay * weight[of.slot])
        },
    ),
];

const fn of_gae(
    name: &'static str,
    says: &'static str,
    seen: &'static str,
    make: fn(&Step, &Settings) -> Option<Numbers>,
) -> Bug {
    bug(name, "advantages_raw", says, seen, make)
}

/// V of the token before, and before the first of a row: 0, its own V, or V of the row's last, as a roll has it.
pub(super) fn late_values(step: &Step) -> Option<[Grid; 3]> {
    let (mask, v) = (&step.inputs.value_mask, step.read(step.inputs.old_values.as_ref())?);
    let late = before(step, mask, &v);
    let begun = |of: fn(&[usize]) -> Option<&usize>| {
        let mut late = late.clone();
        for row in 0..mask.shape().0 {
            let tokens = mask.tokens_of(row);
            if let (Some(first), Some(from)) = (tokens.first(), of(&tokens)) {
                late[(row, *first)] = v[(row, *from)];
            }
        }
        late
    };
    let (own, rolled) = (begun(<[usize]>::first), begun(<[usize]>::last));
    Some([late, own, rolled])
}

/// γλ.
pub(crate) fn decay(step: &Step, s: &Settings) -> Approx {
    step.p.setting(s.gamma) * step.p.setting(s.lambda)
}

/// The importance weights, cut at 1 as V-trace cuts them.
pub(crate) fn importance(step: &Step) -> Option<Grid> {
    let weights = step.read(step.inputs.rollout_is_weights.as_ref())?;
    Some(step.p.each(&step.inputs.mask, |slot| weights[slot].lesser(step.p.given(1.0))))
}

/// Our advantages.
fn raw(step: &Step, s: &Settings) -> Option<Grid> {
    per_token(step.output("advantages_raw", s)?)
}

fn with(step: &Step, s: &Settings, gamma: f64, lambda: f64) -> Option<Numbers> {
    let other = (gamma, lambda) != (s.gamma, s.lambda);
    other.then(|| step.output("advantages_raw", &Settings { gamma, lambda, ..*s }))?
}

/// GAE of other rewards, and of other values where they are given.
pub(super) fn gae(step: &Step, s: &Settings, r: &Grid, v: Option<&Grid>) -> Option<Numbers> {
    let own = step.read(step.inputs.old_values.as_ref())?;
    over(step, s, &step.inputs.value_mask, r, v.unwrap_or(&own))
}

/// GAE over other slots than the mask's, of which the mask's are kept.
pub(super) fn over(step: &Step, s: &Settings, slots: &Mask, r: &Grid, v: &Grid) -> Option<Numbers> {
    over_ending(step, s, slots, r, v, step.inputs.ends.as_ref()?)
}

/// The same of rows that end otherwise.
pub(super) fn over_ending(
    step: &Step,
    s: &Settings,
    slots: &Mask,
    r: &Grid,
    v: &Grid,
    ends: &Ends,
) -> Option<Numbers> {
    let adv = budget::gae(step.p, r, v, slots, ends, s.gap, s.gamma, s.lambda);
    Some(Numbers::PerToken(step.p.each(&step.inputs.value_mask, |slot| adv[slot])))
}

/// One token of the recursion: its slot, r, V after it, V.
pub(crate) struct Token {
    pub(crate) slot: (usize, usize),
    pub(crate) r: Approx,
    pub(crate) v_next: Approx,
    pub(crate) v: Approx,
}

/// The recursion with another δ and another decay of what is carried back.
pub(crate) fn recursion(
    step: &Step,
    s: &Settings,
    delta: impl Fn(&Token) -> Approx,
    decay: impl Fn(&Token) -> Approx,
) -> Option<Numbers> {
    let (p, mask, ends) = (step.p, &step.inputs.value_mask, step.inputs.ends.as_ref()?);
    let (r, v) = (step.rewards(s)?, step.read(step.inputs.old_values.as_ref())?);
    let rows = 0..mask.shape().0;
    if s.gap != Gap::Skip && rows.clone().any(|row| mask.tokens_of(row).len() < mask.end(row)) {
        return None;
    }
    let mut adv = p.each(mask, |_| p.given(0.0));
    for row in rows {
        let (mut v_next, mut carry) = (p.given(ends.v_last[row]), p.given(0.0));
        for t in mask.tokens_of(row).into_iter().rev() {
            let slot = (row, t);
            if ends.truncated[slot] {
                (v_next, carry) = (p.given(ends.v_boot[slot]), p.given(0.0));
            } else if ends.terminated[slot] {
                (v_next, carry) = (p.given(0.0), p.given(0.0));
            }
            let token = Token { slot, r: r[slot], v_next, v: v[slot] };
            carry = delta(&token) + decay(&token) * carry;
            (adv[slot], v_next) = (carry, v[slot]);
        }
    }
    Some(Numbers::PerToken(adv))
}

/// Â_t = δ_t + γλ Â_{t−1}.
fn forward(step: &Step, s: &Settings) -> Option<Numbers> {
    let mask = &step.inputs.value_mask;
    let mut delta = per_token(step.output("advantages_raw", &Settings { lambda: 0.0, ..*s })?)?;
    let decay = decay(step, s);
    for row in 0..mask.shape().0 {
        for pair in mask.tokens_of(row).windows(2) {
            delta[(row, pair[1])] = delta[(row, pair[1])] + decay * delta[(row, pair[0])];
        }
    }
    Some(Numbers::PerToken(delta))
}

fn last_error_decayed(step: &Step, s: &Settings) -> Option<Numbers> {
    let (p, mask) = (step.p, &step.inputs.value_mask);
    let (r, v) = (step.rewards(s)?, step.read(step.inputs.old_values.as_ref())?);
    let decay = decay(step, s);
    let mut adv = p.each(mask, |_| p.given(0.0));
    for row in 0..mask.shape().0 {
        let (tokens, mut power) = (mask.tokens_of(row), p.given(1.0));
        let Some(last) = tokens.last().map(|last| (row, *last)) else { continue };
        for t in tokens.into_iter().rev() {
            adv[(row, t)] = power * (r[last] - v[(row, t)]);
            power = power * decay;
        }
    }
    Some(Numbers::PerToken(adv))
}

/// Slot k of a (B, L) tensor in the memory of an (L, B) one is row k mod B, token k / B.
fn strides_ignored(step: &Step, s: &Settings) -> Option<Numbers> {
    let mask = &step.inputs.value_mask;
    let (b, t_len) = mask.shape();
    if mask.count() < b * t_len || b < 2 || t_len < 2 {
        return None;
    }
    let turned = |x: &Grid| {
        DMatrix::from_fn(b, t_len, |row, t| {
            let k = row * t_len + t;
            x[(k % b, k / b)]
        })
    };
    let v = step.read(step.inputs.old_values.as_ref())?;
    gae(step, s, &turned(&step.rewards(s)?), Some(&turned(&v)))
}
