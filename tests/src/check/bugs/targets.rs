//! Mistakes of the rollout phase: rewards, advantages, whitening, returns.

use super::{Bug, all_slots, bug, form, next, per_token};
use crate::{
    budget::{self, Grid},
    check::step::{Numbers, Step},
};
use reference::{Gap, Mask, ScoreAt, Settings};

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    bug(
        "KlAdded",
        "token_rewards",
        "β_kl KL is added to the reward and not taken off",
        "qiancheng0/ToolRL#52",
        |step, s| step.output("token_rewards", &Settings { beta_kl: -s.beta_kl, ..*s }),
    ),
    bug(
        "ScoreBroadcast",
        "token_rewards",
        "a (B) score was added to (B, L): token t of every row is paid score t",
        "the post (S6), RITCHIEHuang/DeepRL_Algorithms#13",
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
        "RewardOneEarly",
        "advantages_raw",
        "token t is paid the reward of token t + 1",
        "openai/spinningup#50, PufferLib 1.0",
        |step, s| gae(step, s, |mask, r, _| (next(step, mask, &r), None)),
    ),
    bug(
        "ValueOneEarly",
        "advantages_raw",
        "V after token t stands for V before it: values[:, 1:] for values[:, :-1]",
        "alibaba/ROLL#3, huggingface/trl#44",
        |step, s| gae(step, s, |mask, r, v| (r, Some(next(step, mask, &v)))),
    ),
    bug(
        "NoBootstrap",
        "advantages_raw",
        "V after a truncated row is 0: a response that was cut off counts as one that ended",
        "huggingface/trl#1536",
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
        "simonsays1980/rl-triton#4",
        bootstrap_twice,
    ),
    bug(
        "LastAlwaysZero",
        "advantages_raw",
        "the last token's advantage is 0 and the recursion begins before it",
        "PufferAI/PufferLib#363",
        last_always_zero,
    ),
    bug(
        "CarryNotReset",
        "advantages_raw",
        "credit goes on past the end of an episode inside a row",
        "vietnh1009/Super-mario-bros-PPO-pytorch#21",
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
        "DoneOneLate",
        "advantages_raw",
        "an episode ends one token later than its flag says",
        "RoboVerseOrg/RoboVerse#814, anthonytorlucci/rlevo#342",
        |step, s| {
            let (ends, mask) = (step.inputs.ends.as_ref()?, &step.inputs.value_mask);
            let mut late = ends.clone();
            late.terminated = nalgebra::DMatrix::from_fn(mask.shape().0, mask.shape().1, |row, t| {
                t > 0 && mask.has((row, t)) && ends.terminated[(row, t - 1)]
            });
            (late.terminated != ends.terminated).then(|| gae_with(step, s, &late))?
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
    form(bug(
        "cut-after-first-gap-token",
        "advantages_raw",
        "a gap cuts credit, and the token before it reads V of its first slot, in δ and carried back",
        "open-instruct",
        cut_after_first_gap_token,
    )),
    bug(
        "PaddingInTheStatistics",
        "whitened",
        "mean and deviation run over padded slots too, which hold 0",
        "NovaSky-AI/SkyRL#1305, MarcoMeter/recurrent-ppo-truncated-bptt#10",
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
        "the post (S1)",
        |step, s| added(step, step.adv(s)?),
    ),
    bug(
        "ReturnsAreValues",
        "returns",
        "the old values themselves: the advantages that were added were still 0",
        "vwxyzjn/cleanrl#337",
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
];

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

/// δ_t = r_t + m_t γ V_{t+1} − V_t and m_t γλ Â_{t+1} at every slot, so that a masked one is the end of what is before
/// it, and is −V itself.
fn cut_after_first_gap_token(step: &Step, s: &Settings) -> Option<Numbers> {
    let (p, inputs, mask) = (step.p, &step.inputs, &step.inputs.value_mask);
    let (r, v, ends) = (step.rewards(s)?, p.read(step.beneath("old_values")?), inputs.ends.as_ref()?);
    let (b, t_len) = mask.shape();
    if (0..b).all(|row| mask.tokens_of(row).len() == mask.end(row)) {
        return None; // no gap
    }
    let mut reached = nalgebra::DMatrix::from_element(b, t_len, false);
    for row in 0..b {
        (0..mask.end(row)).for_each(|t| reached[(row, t)] = true);
    }
    let mut ends = ends.clone();
    ends.terminated = nalgebra::DMatrix::from_fn(b, t_len, |row, t| {
        ends.terminated[(row, t)] || !mask.has((row, t)) && reached[(row, t)]
    });
    let adv = budget::gae(p, &r, &v, &Mask::new(reached), &ends, s.gap, s.gamma, s.lambda);
    Some(Numbers::PerToken(p.each(mask, |slot| adv[slot])))
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
