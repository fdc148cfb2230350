//! Mistakes of GAE beneath the mask: what stands in padding and in gaps reaches valid tokens.

use super::{
    Bug, all_slots, bug, everywhere, form,
    gae::{gae, over, over_ending},
    mask_of,
};
use crate::{
    budget::Grid,
    check::step::{Numbers, Step},
};
use nalgebra::DMatrix;
use reference::{EpsAt, Mask, ScoreAt, Settings, ShiftMean, Variance, Whitening, reward::score_slot};

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    of_gae(
        "GapValuesRead",
        "V in a gap is read as that of a token: the recursion runs over masked slots",
        "volcengine/verl#2337 (B5)",
        |step, s| {
            let mask = reached(&step.inputs.value_mask)?;
            over(step, s, &mask, &step.rewards(s).map(|r| kept(step, &r))?, &values(step)?)
        },
    ),
    of_gae(
        "PadValuesRead",
        "V in padding is read as that of a token: the recursion begins at the end of the tensor",
        "volcengine/verl#50, alibaba/ROLL#447 (B1, B2)",
        |step, s| {
            let mask = padded(step)?;
            over(step, s, &mask, &step.rewards(s).map(|r| kept(step, &r))?, &values(step)?)
        },
    ),
    of_gae(
        "FirstPadValueRead",
        "V of the slot after the last token survives: the mask is cut one slot off the values",
        "volcengine/verl#1758, #1850 (B4), the post (S2)",
        |step, s| {
            let mask = step.inputs.mask.with_first_pad();
            (mask != step.inputs.value_mask)
                .then(|| over(step, s, &mask, &step.rewards(s).map(|r| kept(step, &r))?, &values(step)?))?
        },
    ),
    of_gae(
        "SlotPastTheEnd",
        "the slot after the last token keeps its V and its reward, the score and a KL of its own",
        "DeepSpeed-Chat, CarperAI/trlx#401 (B18)",
        |step, s| {
            let mask = step.inputs.mask.with_first_pad();
            (mask != step.inputs.value_mask)
                .then(|| over(step, s, &mask, &past_the_end(step, s)?, &values(step)?))?
        },
    ),
    of_gae(
        "GapRewardsRead",
        "the rewards of a gap are counted: the KL of tool tokens, which is no reward of the policy's",
        "THUDM/slime#1370, radixark/miles#1383 (B9)",
        |step, s| {
            let mask = reached(&step.inputs.value_mask)?;
            over(step, s, &mask, &rewards(step, s)?, &kept(step, &values(step)?))
        },
    ),
    of_gae(
        "PadRewardsRead",
        "rewards of masked slots are counted, in padding too",
        "volcengine/verl#6362 (B14)",
        |step, s| over(step, s, &padded(step)?, &rewards(step, s)?, &kept(step, &values(step)?)),
    ),
    of_gae(
        "ScoreDecaysThroughTail",
        "the score stands on a masked observation at the end, and decays by γλ with each masked slot before the last token",
        "radixark/miles#1827 (B6)",
        score_through_tail,
    ),
    of_gae(
        "NanBeneathTheMask",
        "0 times a NaN or an infinity in a masked slot is NaN, and is carried back to every token before it",
        "areal-project/AReaL#1347, NVIDIA-NeMo/RL#4120 and others (B13)",
        nan_carried_back,
    ),
    form(of_gae(
        "cut-after-first-gap-token",
        "a gap cuts credit, and the token before it reads V of its first slot, in δ and carried back",
        "open-instruct",
        cut_after_first_gap_token,
    )),
    form(of_gae(
        "whitened-rewards",
        "rewards are whitened, their mean kept, before GAE reads them",
        "TRL and TRL 0.11 on demand",
        |step, s| {
            let r = whitened_rewards(step, s, &step.inputs.value_mask)?;
            gae(step, s, &r, None)
        },
    )),
    of_gae(
        "WhitenedPadsLeak",
        "whitened rewards are not masked again: a masked slot pays what whitening made of its 0",
        "TRL 0.11 (B50)",
        |step, s| {
            let full = all_slots(&step.inputs.value_mask)?;
            let (r, v) = (whitened_rewards(step, s, &full)?, step.read(step.inputs.old_values.as_ref())?);
            over(step, s, &full, &r, &v)
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

/// The slots up to the last token of each row, where a gap is among them.
fn reached(mask: &Mask) -> Option<Mask> {
    let reached = mask_of(mask, |(row, t)| t < mask.end(row));
    (reached.count() > mask.count()).then_some(reached)
}

/// Every slot, where a row ends before the tensor does.
fn padded(step: &Step) -> Option<Mask> {
    let mask = &step.inputs.value_mask;
    let (b, t_len) = mask.shape();
    (0..b).any(|row| mask.end(row) < t_len && mask.end(row) > 0).then(|| Mask::full(b, t_len))
}

fn values(step: &Step) -> Option<Grid> {
    step.read(step.beneath("old_values"))
}

/// Rewards as they stand in the file, in masked slots too; those of a gap are −β_kl KL where only the log-probs are
/// there.
fn rewards(step: &Step, s: &Settings) -> Option<Grid> {
    if let Some(own) = everywhere(step, "token_rewards").or_else(|| everywhere(step, "rewards")) {
        return Some(own);
    }
    let (r, mask, kl) = (step.rewards(s)?, &step.inputs.value_mask, kl(step, s)?);
    let penalty = step.p.setting(-s.beta_kl);
    Some(DMatrix::from_fn(r.nrows(), r.ncols(), |row, t| {
        let slot = (row, t);
        if mask.has(slot) { r[slot] } else { penalty * kl[slot] }
    }))
}

/// k of every slot.
fn kl(step: &Step, s: &Settings) -> Option<Grid> {
    let [old, logp_ref] = [step.beneath("old_log_probs")?, step.beneath("ref_log_probs")?];
    let full = Mask::full(old.nrows(), old.ncols());
    let [old, logp_ref] = [old, logp_ref].map(|x| step.p.read(x));
    Some(crate::budget::kl(step.p, &old, &logp_ref, &full, s.kl))
}

/// Without what stands in masked slots.
fn kept(step: &Step, x: &Grid) -> Grid {
    step.p.each(&step.inputs.value_mask, |slot| x[slot])
}

/// Rewards with the score at the slot after the last token, or at the last where there is none after it; the KL of
/// that slot is its own.
pub(super) fn past_the_end(step: &Step, s: &Settings) -> Option<Grid> {
    let (inputs, penalty, kl) = (&step.inputs, step.p.setting(-s.beta_kl), kl(step, s)?);
    let scores = inputs.scores.as_ref().filter(|scores| scores.ncols() == 1)?;
    let with = inputs.mask.with_first_pad();
    let bound = s.score_clip;
    let score = |row: usize| reference::nan::greater(-bound, reference::nan::lesser(scores[row], bound));
    Some(step.p.each(&with, |(row, t)| {
        let shaped = penalty * kl[(row, t)];
        if t + 1 == with.end(row) { shaped + step.p.given(score(row)) } else { shaped }
    }))
}

/// The score at the last attended slot, which the mask leaves out, and V there 0.
fn score_through_tail(step: &Step, s: &Settings) -> Option<Numbers> {
    let (inputs, mask) = (&step.inputs, &step.inputs.value_mask);
    let (attended, scores) = (inputs.attended.as_ref()?, inputs.scores.as_ref()?);
    let slot = |row| score_slot(ScoreAt::LastAttended, row, &inputs.mask, Some(attended));
    let masked = |row: usize| slot(row).is_some_and(|t| !mask.has((row, t)));
    let b = mask.shape().0;
    if scores.ncols() != 1 || !(0..b).any(masked) {
        return None;
    }
    let mut r = kept(step, &step.rewards(s)?);
    for row in (0..b).filter(|row| masked(*row)) {
        let last = mask.end(row).checked_sub(1);
        let score = step.p.given(scores[row]);
        last.into_iter().for_each(|last| r[(row, last)] = r[(row, last)] - score);
        slot(row).into_iter().for_each(|t| r[(row, t)] = score);
    }
    let walked = mask_of(mask, |(row, t)| t < mask.end(row).max(slot(row).map_or(0, |t| t + 1)));
    over(step, s, &walked, &r, &kept(step, &values(step)?))
}

fn nan_carried_back(step: &Step, s: &Settings) -> Option<Numbers> {
    let (p, mask) = (step.p, &step.inputs.value_mask);
    let adv = super::per_token(step.output("advantages_raw", s)?)?;
    let read =
        [everywhere(step, "old_values"), everywhere(step, "token_rewards"), everywhere(step, "rewards")];
    let bad = |slot: (usize, usize)| read.iter().flatten().any(|x| !x[slot].value.is_finite());
    let (b, t_len) = mask.shape();
    let last = |row: usize| (0..t_len).rfind(|t| !mask.has((row, *t)) && bad((row, *t)));
    let last: Vec<Option<usize>> = (0..b).map(last).collect();
    let nan = |(row, t): (usize, usize)| last[row].is_some_and(|last| t < last);
    let any =
        all_slots(mask).is_some() && (0..b).any(|row| mask.tokens_of(row).iter().any(|t| nan((row, *t))));
    any.then(|| Numbers::PerToken(p.each(mask, |slot| if nan(slot) { p.given(f64::NAN) } else { adv[slot] })))
}

/// δ_t = r_t + m_t γ V_{t+1} − V_t and m_t γλ Â_{t+1} at every slot, so that a masked one is the end of what is before
/// it, and is −V itself.
fn cut_after_first_gap_token(step: &Step, s: &Settings) -> Option<Numbers> {
    let (inputs, mask) = (&step.inputs, &step.inputs.value_mask);
    let (reached, mut ends) = (reached(mask)?, inputs.ends.clone()?);
    for row in 0..mask.shape().0 {
        for t in reached.tokens_of(row) {
            ends.terminated[(row, t)] |= !mask.has((row, t));
        }
    }
    over_ending(step, s, &reached, &step.rewards(s)?, &values(step)?, &ends)
}

/// r whitened as TRL does it, over slots of which masked ones hold 0.
fn whitened_rewards(step: &Step, s: &Settings, slots: &Mask) -> Option<Grid> {
    let (eps_at, variance) = (EpsAt::UnderRoot, Variance::Sample);
    let how = Whitening { variance, eps_at, eps_w: 1e-8, shift_mean: ShiftMean::No };
    let (r, mask) = (step.rewards(s)?, &step.inputs.value_mask);
    let (mean, scale) = super::whiten::statistics(step.p, &r, mask, how);
    let r = step.p.each(mask, |slot| r[slot]);
    Some(step.p.each(slots, |slot| (r[slot] - mean) / scale + mean))
}
