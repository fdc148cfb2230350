//! Mistakes of the total: `eq:total-loss`.

use super::{Bug, bug};
use crate::check::step::{Numbers, Step};
use reference::{Coefficients, Settings};

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    of_total(
        "EntropyAdded",
        "the entropy is added to a loss that is minimised, and falls",
        "the post (S10), DLR-RM/stable-baselines3#127, rlworkgroup/garage#628 (B79)",
        |step, s| with(step, s, |c| Coefficients { c_h: -c.c_h, ..c }),
    ),
    of_total("ValueLossTakenOff", "the value loss is taken off, and the critic moves away", "", |step, s| {
        with(step, s, |c| Coefficients { c_v: -c.c_v, ..c })
    }),
    of_total("KlLossTakenOff", "the KL loss is taken off: the policy is paid for leaving", "", |step, s| {
        with(step, s, |c| Coefficients { beta_loss: -c.beta_loss, ..c })
    }),
    of_total("CoefficientsSwapped", "c_V and c_H change places", "", |step, s| {
        with(step, s, |c| Coefficients { c_v: c.c_h, c_h: c.c_v, ..c })
    }),
    of_total("EntropyUnweighted", "the entropy is taken off whole: c_H is forgotten", "", |step, s| {
        with(step, s, |c| if c.c_h == 0.0 { c } else { Coefficients { c_h: 1.0, ..c } })
    }),
    of_total("KlLossForgotten", "the KL loss is not in the total", "", |step, s| {
        with(step, s, |c| Coefficients { beta_loss: 0.0, ..c })
    }),
];

const fn of_total(
    name: &'static str,
    says: &'static str,
    seen: &'static str,
    make: fn(&Step, &Settings) -> Option<Numbers>,
) -> Bug {
    bug(name, "total_loss", says, seen, make)
}

fn with(step: &Step, s: &Settings, other: impl Fn(Coefficients) -> Coefficients) -> Option<Numbers> {
    let coefficients = other(s.coefficients);
    (coefficients != s.coefficients).then(|| step.output("total_loss", &Settings { coefficients, ..*s }))?
}
