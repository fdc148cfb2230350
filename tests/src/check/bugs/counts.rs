//! Mistakes of what is logged beside the losses: shares of clipped tokens, the KL to the old policy.

use super::{Bug, bug, form, number};
use crate::check::{
    compare::slots,
    step::{Numbers, Step},
};
use reference::{ClipFrac, Kl, Mask, PolicyClip, Settings};

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    bug(
        "TheOthersCounted",
        "pg_clipfrac",
        "> turned: tokens beyond the range that the clip leaves as they are",
        "huggingface/trl#3032 (B71)",
        |step, s| {
            let blind = PolicyClip { clip_frac: ClipFrac::SignBlind, ..s.clip };
            let effective = PolicyClip { clip_frac: ClipFrac::Effective, ..s.clip };
            let [all, taken] = [blind, effective]
                .map(|clip| step.output("pg_clipfrac", &Settings { clip, ..*s }).and_then(number));
            Some(Numbers::Scalar(all? - taken?))
        },
    ),
    bug(
        "TiesCounted",
        "pg_clipfrac",
        "≥ for >: every token inside the clip range counts",
        "",
        |step, s| {
            let effective = PolicyClip { clip_frac: ClipFrac::Effective, ..s.clip };
            let blind = PolicyClip { clip_frac: ClipFrac::SignBlind, ..s.clip };
            let [taken, all] = [effective, blind]
                .map(|clip| step.output("pg_clipfrac", &Settings { clip, ..*s }).and_then(number));
            Some(Numbers::Scalar(step.p.given(1.0) - all? + taken?))
        },
    ),
    bug(
        "DualClipNeverCounted",
        "pg_clipfrac_lower",
        "always 0: the bound is compared with a loss that it has already cut",
        "volcengine/verl#972 (B63)",
        |step, s| s.clip.c_dual.is_finite().then(|| zero(step)),
    ),
    bug(
        "KlUpsideDown",
        "ppo_kl",
        "of log π − log π_old: the log-probs are subtracted the wrong way",
        "",
        |step, s| {
            let (p, mask) = (step.p, &step.inputs.mask);
            let (logp, old) = (step.logp(s)?, step.read(step.inputs.old_log_probs.as_ref())?);
            let estimate = reference::KlEstimate::plain(s.clip.kl_kind);
            let kl = crate::budget::kl(p, &logp, &old, mask, estimate);
            Some(Numbers::Scalar(p.sum(slots(mask).map(|slot| kl[slot])) / p.given(mask.count() as f64)))
        },
    ),
    bug(
        "KlSummed",
        "ppo_kl",
        "the sum over the tokens, or over those of a row",
        "RLinf/RLinf#1471 (B72)",
        |step, s| {
            let mask = &step.inputs.mask;
            let rows = (0..mask.shape().0).filter(|row| mask.end(*row) > 0).count();
            let mean = number(step.output("ppo_kl", s)?)?;
            let of_rows = [1, rows, mask.shape().0].map(|rows| {
                let times = step.p.given(mask.count() as f64) / step.p.given(rows as f64);
                Some(Numbers::Scalar(mean * times))
            });
            super::nearest(step, "ppo_kl", of_rows)
        },
    ),
    bug("HalfForgotten", "ppo_kl", "the mean of (log ρ)²: the ½ of k2 is missing", "", |step, s| {
        let clip = PolicyClip { kl_kind: Kl::K2, ..s.clip };
        let mean = number(step.output("ppo_kl", &Settings { clip, ..*s })?)?;
        Some(Numbers::Scalar(step.p.given(2.0) * mean))
    }),
    bug(
        "TiesCounted",
        "vf_clipfrac",
        "≥ for >: every token inside the clip range counts",
        "",
        |step, s| {
            share(step, s, |[v, v_old, ret], eps_v| {
                let clipped = v_old + (v - v_old).clamp(-eps_v, eps_v);
                let [plain, clipped] = [v, clipped].map(|v| (v - ret) * (v - ret));
                clipped >= plain
            })
        },
    ),
    bug(
        "NothingCounted",
        "vf_clipfrac",
        "always 0: the metric compares a tensor with itself",
        "RLinf/RLinf#1529 (B57)",
        |step, _| Some(zero(step)),
    ),
    form(bug(
        "moved-beyond-the-radius",
        "vf_clipfrac",
        "tokens whose value moved by more than the radius, whichever error is the larger",
        "torchrl",
        |step, s| share(step, s, |[v, v_old, _], eps_v| (v - v_old).abs() > eps_v),
    )),
    over_padding("pg_clipfrac", |step, s| over_all_slots(step, s, "pg_clipfrac")),
    over_padding("pg_clipfrac_lower", |step, s| over_all_slots(step, s, "pg_clipfrac_lower")),
    over_padding("vf_clipfrac", |step, s| over_all_slots(step, s, "vf_clipfrac")),
];

const fn over_padding(of: &'static str, make: fn(&Step, &Settings) -> Option<Numbers>) -> Bug {
    let says = "the count is divided by all B · L slots";
    bug("MeanOverPadding", of, says, "the post (S8), areal-project/AReaL#1346 (B12)", make)
}

fn over_all_slots(step: &Step, s: &Settings, name: &str) -> Option<Numbers> {
    let mask: &Mask = step.mask_of(name);
    let (full, p) = (super::all_slots(mask)?, step.p);
    let share = number(step.output(name, s)?)?;
    Some(Numbers::Scalar(share * p.given(mask.count() as f64) / p.given(full.count() as f64)))
}

fn zero(step: &Step) -> Numbers {
    Numbers::Scalar(step.p.given(0.0))
}

/// The share of tokens that count by V, V_old and R.
fn share(step: &Step, s: &Settings, counts: impl Fn([f64; 3], f64) -> bool) -> Option<Numbers> {
    let [v, v_old, ret] = step.value_operands(s)?;
    let mask = &step.inputs.value_mask;
    let taken =
        slots(mask).filter(|slot| counts([&v, &v_old, &ret].map(|x| x[*slot].value), s.eps_v)).count();
    Some(Numbers::Scalar(step.p.given(taken as f64 / mask.count() as f64).once()))
}
