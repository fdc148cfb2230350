//! Mistakes of the reward: `eq:kl`, `eq:score-at`, `eq:shaped-reward`.

use super::{Bug, bug, form, gaps::past_the_end, mask_of, nearest, per_token};
use crate::{
    budget::{self, Approx, Grid},
    check::{
        compare::slots,
        step::{Numbers, Step},
    },
    evaluate::reward_operands,
};
use nalgebra::DMatrix;
use reference::{EpsAt, Kl, ScoreAt, Settings, ShiftMean, Variance, Whitening, reward::score_slot};

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    bug(
        "KlUpsideDown",
        "kl",
        "of log π_ref − log π_old: the log-probs are subtracted the wrong way",
        "",
        |step, s| {
            let (old, logp_ref) = log_probs(step)?;
            let kl = budget::kl(step.p, &logp_ref, &old, &step.inputs.mask, s.kl);
            Some(Numbers::PerToken(kl))
        },
    ),
    bug("KlOfNewPolicy", "kl", "of log π now, and not of the policy that sampled", "", |step, s| {
        let (_, logp_ref) = log_probs(step)?;
        Some(Numbers::PerToken(budget::kl(step.p, &step.logp(s)?, &logp_ref, &step.inputs.mask, s.kl)))
    }),
    bug(
        "KlToOldPolicy",
        "kl",
        "of log π now and log π_old: the reference model is not in it",
        "",
        |step, s| {
            let (old, _) = log_probs(step)?;
            Some(Numbers::PerToken(budget::kl(step.p, &step.logp(s)?, &old, &step.inputs.mask, s.kl)))
        },
    ),
    bug("HalfForgotten", "kl", "k1², the ½ of k2 is missing", "", |step, s| {
        let kl = per_token(step.output("kl", s)?)?;
        (s.kl.kind == Kl::K2).then(|| Numbers::PerToken(kl.map(|kl| step.p.given(2.0) * kl)))
    }),
    of_rewards(
        "KlAdded",
        "β_kl KL is added to the reward and not taken off",
        "qiancheng0/ToolRL#52 (B74)",
        |step, s| match s.beta_kl {
            0.0 => kl_added_by(step, s),
            beta_kl => step.output("token_rewards", &Settings { beta_kl: -beta_kl, ..*s }),
        },
    ),
    of_rewards("KlUnweighted", "the KL is taken off whole: β_kl is forgotten", "", |step, s| {
        let other = s.beta_kl != 0.0 && s.beta_kl != 1.0;
        other.then(|| step.output("token_rewards", &Settings { beta_kl: 1.0, ..*s }))?
    }),
    form(of_rewards(
        "kl-at-the-score",
        "β_kl times the sum of the row's KL is taken off at the score, and nothing elsewhere",
        "the KL of a sequence, as in the papers on RLHF",
        |step, s| {
            let (p, mask, kl) = (step.p, &step.inputs.mask, step.grid("kl", s).filter(|_| s.beta_kl != 0.0)?);
            let sum = |row: usize| p.sum(mask.tokens_of(row).into_iter().map(|t| kl[(row, t)]));
            let placed = placed(step, s)?;
            let slot = |row| score_slot(s.score_at, row, mask, step.inputs.attended.as_ref());
            let penalty = p.setting(-s.beta_kl);
            one_per_row(step, s).then(|| {
                Numbers::PerToken(p.each(&step.inputs.value_mask, |(row, t)| {
                    let score = p.given(placed[(row, t)]);
                    if slot(row) == Some(t) { score + penalty * sum(row) } else { score }
                }))
            })
        },
    )),
    of_rewards(
        "ScoreBroadcast",
        "a (B) score was added to (B, L): token t of every row is paid score t",
        "the post (S6), RITCHIEHuang/DeepRL_Algorithms#13 (B22)",
        |step, s| {
            let (b, t_len) = step.inputs.mask.shape();
            let listing = reference::Listing { score_broadcast: true, ..s.listing };
            let broadcasts = b == t_len && one_per_row(step, s);
            broadcasts.then(|| step.output("token_rewards", &Settings { listing, ..*s }))?
        },
    ),
    of_rewards(
        "ScoreOnEveryToken",
        "every token of a row is paid the row's score",
        "deepspeedai/DeepSpeedExamples#751 (B19)",
        |step, s| {
            let scores = step.inputs.scores.as_ref().filter(|_| one_per_row(step, s))?;
            Some(rewards(step, s, &step.inputs.value_mask.each(|(row, _)| scores[row])))
        },
    ),
    of_rewards("ScoreAtFirst", "the score is paid to the first token of the row", "", |step, s| {
        let scores = step.inputs.scores.as_ref().filter(|_| one_per_row(step, s))?;
        let mask = &step.inputs.value_mask;
        let first = |row: usize| mask.tokens_of(row).first().copied();
        Some(rewards(step, s, &mask.each(|(row, t)| if first(row) == Some(t) { scores[row] } else { 0.0 })))
    }),
    of_rewards("ScoreDropped", "no row is paid its score: the penalty alone", "", |step, s| {
        let placed = placed(step, s)?;
        Some(rewards(step, s, &placed.map(|_| 0.0)))
    }),
    of_rewards(
        "ScoreUnderTheMask",
        "the score stands on the last attended token, which is masked: nobody is paid",
        "verl, open-tinker/OpenTinker#31, AgentR1/Agent-R1#65 (B7)",
        |step, s| {
            step.inputs.attended.as_ref().filter(|_| one_per_row(step, s))?;
            let mask = &step.inputs.mask;
            let slot = |row| score_slot(ScoreAt::LastAttended, row, mask, step.inputs.attended.as_ref());
            let lost = |row: usize| slot(row).is_some_and(|t| !mask.has((row, t)));
            let any = (0..mask.shape().0).any(lost);
            any.then(|| step.output("token_rewards", &Settings { score_at: ScoreAt::LastAttended, ..*s }))?
        },
    ),
    of_rewards(
        "ScoreInTheLastColumn",
        "the score stands in the last column, which is padding of a shorter row, and the mask takes it away: only rows that \
         fill the width are paid",
        "",
        |step, s| {
            let mask = &step.inputs.mask;
            let is_short = |row: usize| mask.end(row) > 0 && mask.end(row) < mask.shape().1;
            let any = (0..mask.shape().0).any(is_short);
            let lost = any && one_per_row(step, s) && pays_the_pad(step) != Some(true);
            let placed = placed(step, s).filter(|_| lost)?;
            let kept = DMatrix::from_fn(placed.nrows(), placed.ncols(), |row, t| {
                if is_short(row) { 0.0 } else { placed[(row, t)] }
            });
            Some(rewards(step, s, &kept))
        },
    ),
    form(of_rewards(
        "scaled-score",
        "every score is paid times one number: over a running deviation, or by a constant",
        "TRL 0.11 and NeMo-RL on demand",
        scaled_score,
    )),
    of_rewards(
        "ScorePastTheEnd",
        "the score stands on the slot after the last token, beside a KL of its own, and no token is paid it",
        "DeepSpeed-Chat, CarperAI/trlx#401 (B18)",
        score_past_the_end,
    ),
    of_rewards(
        "ScoreNormalised",
        "the scores are whitened over the batch before they are paid",
        "",
        |step, s| {
            let scores = step.inputs.scores.as_ref().filter(|_| one_per_row(step, s))?;
            let mask = &step.inputs.mask;
            let paid = mask_of(mask, |(row, t)| t == 0 && mask.end(row) > 0);
            let column = DMatrix::from_fn(mask.shape().0, mask.shape().1, |row, _| scores[row]);
            let forms = [Variance::Sample, Variance::Population].map(|variance| {
                let how = Whitening { variance, eps_at: EpsAt::Std, eps_w: 1e-8, shift_mean: ShiftMean::Yes };
                if paid.count() < 2 {
                    return None;
                }
                let whitened = budget::whiten(step.p, &step.p.read(&column), &paid, how);
                let slot = |row| score_slot(s.score_at, row, mask, step.inputs.attended.as_ref());
                let zero = step.p.given(0.0);
                let penalty = per_token(rewards(step, s, &placed(step, s)?.map(|_| 0.0)))?;
                Some(Numbers::PerToken(step.p.each(&step.inputs.value_mask, |(row, t)| {
                    penalty[(row, t)] + if slot(row) == Some(t) { whitened[(row, 0)] } else { zero }
                })))
            });
            nearest(step, "token_rewards", forms)
        },
    ),
    form(of_rewards(
        "whitened-rewards",
        "the rewards are whitened over the valid tokens, their mean kept",
        "TRL and TRL 0.11 on demand",
        |step, s| {
            let how = Whitening {
                variance: Variance::Sample,
                eps_at: EpsAt::UnderRoot,
                eps_w: 1e-8,
                shift_mean: ShiftMean::No,
            };
            let r = per_token(step.output("token_rewards", s)?)?;
            (slots(&step.inputs.value_mask).count() > 1)
                .then(|| Numbers::PerToken(budget::whiten(step.p, &r, &step.inputs.value_mask, how)))
        },
    )),
];

const fn of_rewards(
    name: &'static str,
    says: &'static str,
    seen: &'static str,
    make: fn(&Step, &Settings) -> Option<Numbers>,
) -> Bug {
    bug(name, "token_rewards", says, seen, make)
}

/// log π_old and log π_ref.
fn log_probs(step: &Step) -> Option<(Grid, Grid)> {
    let inputs = &step.inputs;
    Some((step.read(inputs.old_log_probs.as_ref())?, step.read(inputs.ref_log_probs.as_ref())?))
}

/// Whether a row has one score, which is placed.
fn one_per_row(step: &Step, s: &Settings) -> bool {
    s.score_at != ScoreAt::PerToken && step.inputs.scores.as_ref().is_some_and(|scores| scores.ncols() == 1)
}

/// The scores at their slots.
fn placed(step: &Step, s: &Settings) -> Option<DMatrix<f64>> {
    Some(reward_operands(step.inputs.scores.as_ref()?, None, &step.inputs).placed(s))
}

/// Rewards of these scores.
fn rewards(step: &Step, s: &Settings, placed: &DMatrix<f64>) -> Numbers {
    let (kl, mask) = (step.grid("kl", s), &step.inputs.value_mask);
    Numbers::PerToken(budget::reward(step.p, placed, kl.as_ref(), s.beta_kl, mask))
}

/// Whether something else than 0 stands in the slot after the last token of a row; none where the file lacks the rewards.
fn pays_the_pad(step: &Step) -> Option<bool> {
    let own = step.own_grid("token_rewards")?;
    let mask = &step.inputs.mask;
    let short = (0..mask.shape().0).filter(|row| mask.end(*row) > 0 && mask.end(*row) < mask.shape().1);
    Some(short.into_iter().any(|row| own[(row, mask.end(row))] != 0.0))
}

/// What the file's own number says of a factor, at the token where it weighs most: (r − rest) / factor.
fn fitted(step: &Step, rest: &Grid, factor: &Grid) -> Option<Approx> {
    let own = step.own_grid("token_rewards")?;
    let mask = &step.inputs.value_mask;
    // One number alone is met by some factor.
    let weighs = |slot: &(usize, usize)| factor[*slot].value != 0.0 && own[*slot].is_finite();
    let at: Vec<_> = slots(mask).filter(weighs).collect();
    let size = |slot: &(usize, usize)| factor[*slot].value.abs();
    let most = *at.iter().filter(|_| at.len() > 1).max_by(|a, b| size(a).total_cmp(&size(b)))?;
    Some((step.p.given(own[most]).once() - rest[most]) / factor[most])
}

/// β_kl KL added where no β_kl is stated: by the one that the file's own numbers have.
fn kl_added_by(step: &Step, s: &Settings) -> Option<Numbers> {
    let (kl, placed) = (step.grid("kl", s)?, step.p.read(&placed(step, s)?));
    let beta = fitted(step, &placed, &kl).filter(|beta| beta.value > beta.off)?;
    Some(Numbers::PerToken(step.p.each(&step.inputs.value_mask, |slot| placed[slot] + beta * kl[slot])))
}

/// By the factor that the file's own numbers have; ½ where they have none.
fn scaled_score(step: &Step, s: &Settings) -> Option<Numbers> {
    let placed = placed(step, s).filter(|_| one_per_row(step, s))?;
    let penalty = per_token(rewards(step, s, &placed.map(|_| 0.0)))?;
    let score = step.p.read(&placed);
    let own = fitted(step, &penalty, &score).filter(|by| by.value > by.off)?;
    let by = if (own.value - 1.0).abs() <= own.off { step.p.setting(0.5) } else { own };
    Some(Numbers::PerToken(step.p.each(&step.inputs.value_mask, |slot| penalty[slot] + by * score[slot])))
}

/// As where the first pad is scored, which is told from it by the KL of that slot: there it is 0.
fn score_past_the_end(step: &Step, s: &Settings) -> Option<Numbers> {
    let mask = &step.inputs.mask;
    let with = mask.with_first_pad();
    let pad = |slot: (usize, usize)| with.has(slot) && !mask.has(slot);
    let [old, logp_ref] = [step.beneath("old_log_probs")?, step.beneath("ref_log_probs")?];
    let own_kl = slots(&with).any(|slot| pad(slot) && old[slot] != logp_ref[slot]);
    let is_paid = pays_the_pad(step) != Some(false) && one_per_row(step, s);
    if s.beta_kl == 0.0 || !own_kl || s.score_at == ScoreAt::FirstPad || !is_paid {
        return None;
    }
    past_the_end(step, s).map(Numbers::PerToken)
}
