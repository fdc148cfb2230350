//! Mistakes of the returns: `eq:return`.

use super::{Bug, bug, gae::late_values, nearest, next, per_token};
use crate::{
    budget::{self, Grid},
    check::step::{Numbers, Step},
};
use reference::Settings;

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    of_returns(
        "ReturnsFromWhitened",
        "whitened advantages + old values: the mean of the critic's target is its own mean",
        "the post (S1, B62)",
        |step, s| added(step, &step.adv(s)?),
    ),
    of_returns(
        "ReturnsAreValues",
        "the old values themselves: the advantages that were added were still 0",
        "vwxyzjn/cleanrl#337 (B28, B62)",
        |step, s| {
            let zero = step.raw(s)?.map(|_| step.p.given(0.0));
            added(step, &zero)
        },
    ),
    of_returns(
        "ReturnsAreAdvantages",
        "the advantages alone: the old values were not added",
        "",
        |step, s| {
            let raw = step.raw(s)?;
            Some(Numbers::PerToken(step.p.each(&step.inputs.value_mask, |slot| raw[slot])))
        },
    ),
    of_returns(
        "ReturnsAreRewards",
        "the rewards of the tokens: nothing after them is in the target",
        "natolambert/rlhf-book#216 (B16)",
        |step, s| {
            let r = step.rewards(s)?;
            Some(Numbers::PerToken(step.p.each(&step.inputs.value_mask, |slot| r[slot])))
        },
    ),
    of_returns("ValuesTakenOff", "Â − V_old: the values are taken off once more", "", |step, s| {
        let (raw, v_old) = (step.raw(s)?, step.read(step.inputs.old_values.as_ref())?);
        Some(Numbers::PerToken(step.p.each(&step.inputs.value_mask, |slot| raw[slot] - v_old[slot])))
    }),
    of_returns(
        "NewValuesAdded",
        "V now is added, and not V_old: the target moves with the critic",
        "",
        |step, s| {
            let (raw, v) = (step.raw(s)?, step.read(step.inputs.values.as_ref())?);
            onto(step, &raw, &v)
        },
    ),
    of_returns(
        "ValueOneEarly",
        "Â + V of the next token: values[:, 1:] for values[:, :-1]",
        "",
        |step, s| {
            let v = step.read(step.inputs.old_values.as_ref())?;
            onto(step, &step.raw(s)?, &next(step, &step.inputs.value_mask, &v))
        },
    ),
    of_returns(
        "ValueOneLate",
        "Â + V of the token before: the values are shifted to the right once too often",
        "",
        |step, s| {
            let raw = step.raw(s)?;
            nearest(step, "returns", late_values(step)?.map(|v| onto(step, &raw, &v)))
        },
    ),
    of_returns(
        "ReturnsWithoutBootstrap",
        "the discounted rewards alone, and 0 after a row that was cut off",
        "huggingface/trl#1536 (B21)",
        |step, s| {
            let mut ends = step.inputs.ends.clone()?;
            if ends.v_last.iter().chain(&ends.v_boot).all(|v| *v == 0.0) {
                return None;
            }
            ends.v_last.fill(0.0);
            ends.v_boot.fill(0.0);
            let (r, v) = (step.rewards(s)?, step.read(step.inputs.old_values.as_ref())?);
            let adv = budget::gae(step.p, &r, &v, &step.inputs.value_mask, &ends, s.gap, s.gamma, 1.0);
            added(step, &adv)
        },
    ),
    of_returns("ReturnsWhitened", "the returns are whitened as the advantages are", "", |step, s| {
        let ret = per_token(step.output("returns", s)?)?;
        Some(Numbers::PerToken(budget::whiten(step.p, &ret, &step.inputs.value_mask, s.whitening?)))
    }),
];

const fn of_returns(
    name: &'static str,
    says: &'static str,
    seen: &'static str,
    make: fn(&Step, &Settings) -> Option<Numbers>,
) -> Bug {
    bug(name, "returns", says, seen, make)
}

/// Something + the old values.
fn added(step: &Step, adv: &Grid) -> Option<Numbers> {
    onto(step, adv, &step.read(step.inputs.old_values.as_ref())?)
}

/// Something + values.
fn onto(step: &Step, adv: &Grid, v: &Grid) -> Option<Numbers> {
    Some(Numbers::PerToken(budget::returns(step.p, adv, v, &step.inputs.value_mask)))
}
