//! Mistakes of GAE at the ends of episodes and rows: what V after them is, and whether credit passes them.

use super::{Bug, bug, gae::over_ending, mask_of, nearest, next, per_token};
use crate::{
    budget::{self, Grid},
    check::step::{Numbers, Step},
};
use nalgebra::DMatrix;
use reference::{Ends, Gap, Settings};

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    of_gae(
        "NoBootstrap",
        "V after a truncated row is 0: a response that was cut off counts as one that ended",
        "huggingface/trl#1536, pytorch/rl#2773 and others (B21, B39), the post (S3)",
        |step, s| {
            let ends = step.inputs.ends.as_ref()?;
            let none = ends.v_last.iter().chain(&ends.v_boot).all(|v| *v == 0.0);
            let mut without = ends.clone();
            without.v_last.fill(0.0);
            without.v_boot.fill(0.0);
            (!none).then(|| with(step, s, &without))?
        },
    ),
    of_gae(
        "EveryRowBootstrapped",
        "V after a row is read where the row ended: whether it was cut off is taken from its width, or not asked",
        "areal-project/AReaL#1637 (B11)",
        every_row_bootstrapped,
    ),
    of_gae(
        "BootstrapTwice",
        "V after the last token is in its δ and once more in what is carried back",
        "simonsays1980/rl-triton#4, #5 (B34)",
        bootstrap_twice,
    ),
    of_gae(
        "LastValueRepeated",
        "V of the last token stands for V after it",
        "vwxyzjn/cleanrl#16, DLR-RM/stable-baselines3#183 (B25, B27)",
        |step, s| {
            let (mask, v) = (&step.inputs.value_mask, step.inputs.old_values.as_ref()?);
            let mut other = step.inputs.ends.clone()?;
            for row in 0..mask.shape().0 {
                let last = mask.end(row).checked_sub(1).filter(|_| other.v_last[row] != 0.0);
                other.v_last[row] = last.map_or(0.0, |last| v[(row, last)]);
            }
            changed(step, other).and_then(|ends| with(step, s, &ends))
        },
    ),
    of_gae(
        "LastFlagOneEarly",
        "whether a row ends with its last token is taken from the token before it",
        "DLR-RM/stable-baselines3#105, #185 (B25)",
        |step, s| {
            let (mask, mut other) = (&step.inputs.value_mask, step.inputs.ends.clone()?);
            for row in 0..mask.shape().0 {
                if let [.., before, last] = mask.tokens_of(row)[..] {
                    other.terminated[(row, last)] = other.terminated[(row, before)];
                }
            }
            changed(step, other).and_then(|ends| with(step, s, &ends))
        },
    ),
    of_gae(
        "LastAlwaysZero",
        "the last token's advantage is 0 and the recursion begins before it",
        "PufferAI/PufferLib#363, ray-project/ray#57895 (B33, B36)",
        |step, s| before_the_last(step, s, &step.rewards(s)?),
    ),
    of_gae(
        "TransitionsOneShort",
        "a token is paid at the slot after it, and the last slot, which has none, is 0",
        "PufferLib 3.0 (B36)",
        |step, s| {
            let r = next(step, &step.inputs.value_mask, &step.rewards(s)?);
            before_the_last(step, s, &r)
        },
    ),
    of_gae(
        "CarryNotReset",
        "credit goes on past the end of an episode inside a row",
        "vietnh1009/Super-mario-bros-PPO-pytorch#21 (B30)",
        |step, s| {
            let mut other = step.inputs.ends.clone()?;
            other.terminated.fill(false);
            other.truncated.fill(false);
            changed(step, other).and_then(|ends| with(step, s, &ends))
        },
    ),
    of_gae(
        "NextEpisodesValue",
        "V of the next episode's first token stands for V after the one that ended",
        "pytorch/rl#4209, Toni-SM/skrl#224 (B24, B32, B39)",
        |step, s| {
            let (p, mask) = (step.p, &step.inputs.value_mask);
            let v = next(step, mask, &p.read(step.inputs.old_values.as_ref()?)).map(|v| v.value);
            let mut other = step.inputs.ends.clone()?;
            let ended = |slot: (usize, usize)| other.terminated[slot] || other.truncated[slot];
            let inside = mask_of(mask, |slot| ended(slot) && slot.1 + 1 < mask.end(slot.0));
            for row in 0..mask.shape().0 {
                for t in inside.tokens_of(row) {
                    (other.terminated[(row, t)], other.truncated[(row, t)]) = (false, true);
                    other.v_boot[(row, t)] = v[(row, t)];
                }
            }
            changed(step, other).and_then(|ends| with(step, s, &ends))
        },
    ),
    of_gae(
        "DoneOneLate",
        "an episode ends one token later than its flag says",
        "RoboVerseOrg/RoboVerse#814, anthonytorlucci/rlevo#342 (B24, B31)",
        |step, s| {
            let (mask, mut other) = (&step.inputs.value_mask, step.inputs.ends.clone()?);
            let own = other.terminated.clone();
            let late = |(row, t): (usize, usize)| t > 0 && mask.has((row, t)) && own[(row, t - 1)];
            other.terminated = DMatrix::from_fn(own.nrows(), own.ncols(), |row, t| late((row, t)));
            changed(step, other).and_then(|ends| with(step, s, &ends))
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

/// Ends that are others than the file's.
fn changed(step: &Step, ends: Ends) -> Option<Ends> {
    (Some(&ends) != step.inputs.ends.as_ref()).then_some(ends)
}

/// GAE of rows that end otherwise.
fn with(step: &Step, s: &Settings, ends: &Ends) -> Option<Numbers> {
    let inputs = &step.inputs;
    let (r, v) = (step.rewards(s)?, step.read(inputs.old_values.as_ref())?);
    over_ending(step, s, &inputs.value_mask, &r, &v, ends)
}

/// V after a row is read of every row, of those that fill the width, or of those that do not.
fn every_row_bootstrapped(step: &Step, s: &Settings) -> Option<Numbers> {
    let (mask, v_last) = (&step.inputs.value_mask, step.beneath("last_values")?);
    let (b, t_len) = mask.shape();
    let fills = |row: usize| mask.end(row) == t_len;
    let rules: [&dyn Fn(usize) -> bool; 3] = [&|_| true, &fills, &|row| !fills(row)];
    let forms = rules.map(|reads| {
        let mut other = step.inputs.ends.clone()?;
        for row in 0..b {
            other.v_last[row] = if reads(row) { v_last[(row, 0)] } else { 0.0 };
        }
        changed(step, other).and_then(|ends| with(step, s, &ends))
    });
    nearest(step, "advantages_raw", forms)
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
fn before_the_last(step: &Step, s: &Settings, r: &Grid) -> Option<Numbers> {
    let (p, inputs) = (step.p, &step.inputs);
    let (mask, mut ends) = (&inputs.value_mask, inputs.ends.clone()?);
    let v = step.read(inputs.old_values.as_ref())?;
    let is_last = |(row, t): (usize, usize)| t + 1 == mask.end(row);
    let before = mask_of(mask, |slot| mask.has(slot) && !is_last(slot));
    for row in 0..mask.shape().0 {
        ends.v_last[row] = mask.end(row).checked_sub(1).map_or(0.0, |last| v[(row, last)].value);
    }
    let adv = budget::gae(p, r, &v, &before, &ends, s.gap, s.gamma, s.lambda);
    Some(Numbers::PerToken(p.each(mask, |slot| if is_last(slot) { p.given(0.0) } else { adv[slot] })))
}
