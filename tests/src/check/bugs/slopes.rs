//! Mistakes of the gradients.

use super::{Bug, bug, nearest, per_token};
use crate::{
    budget::Grid,
    check::step::{Numbers, Step},
};
use reference::{PolicyClip, Settings, ValueClip};

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    bug(
        "NoGradient",
        "grad_values",
        "0 everywhere: V is detached",
        "jsboige/CoursIA#15256 (B61)",
        |step, s| zero(step, s, "grad_values"),
    ),
    bug("NoGradient", "grad_log_probs", "0 everywhere: the ratio is detached", "", |step, s| {
        zero(step, s, "grad_log_probs")
    }),
    bug("Ascent", "grad_values", "the sign is turned", "", |step, s| turned(step, s, "grad_values")),
    bug("Ascent", "grad_log_probs", "the sign is turned", "", |step, s| turned(step, s, "grad_log_probs")),
    bug("OverSquaredRanks", "grad_values", OVER_RANKS, RANKS_SEEN, |step, s| {
        over_ranks(step, s, "grad_values")
    }),
    bug("OverSquaredRanks", "grad_log_probs", OVER_RANKS, RANKS_SEEN, |step, s| {
        over_ranks(step, s, "grad_log_probs")
    }),
    bug(
        "ClippedBranchDetached",
        "grad_values",
        "half inside the clip range, where both errors are equal and the clipped one has no gradient",
        "ray-project/ray#22171 (B55)",
        |step, s| {
            let [v, v_old, _] = step.value_operands(s)?;
            let grad = per_token(step.output("grad_values", s)?)?;
            let (half, eps_v) = (step.p.given(0.5), step.p.setting(s.eps_v));
            (s.value_clip == ValueClip::Max).then(|| {
                Numbers::PerToken(step.p.each(&step.inputs.value_mask, |slot| {
                    let inside = (v[slot] - v_old[slot]).abs().value <= eps_v.value;
                    if inside { half * grad[slot] } else { grad[slot] }
                }))
            })
        },
    ),
    bug(
        "GradientThroughTheClip",
        "grad_log_probs",
        "−ρ A where the clip has no slope too",
        "",
        |step, s| {
            let clip =
                PolicyClip { eps_lo: f64::INFINITY, eps_hi: f64::INFINITY, c_dual: f64::INFINITY, ..s.clip };
            step.output("grad_log_probs", &Settings { clip, ..*s })
        },
    ),
    bug(
        "RatioForgotten",
        "grad_log_probs",
        "−A: the ratio is detached, and log π carries the gradient",
        "",
        |step, s| {
            let ratio = step.grid("ratio", s)?;
            let grad = per_token(step.output("grad_log_probs", s)?)?;
            Some(Numbers::PerToken(step.p.each(&step.inputs.mask, |slot| grad[slot] / ratio[slot])))
        },
    ),
];

const OVER_RANKS: &str =
    "the gradient over the square of a whole number: divided by the ranks where it is multiplied";
const RANKS_SEEN: &str = "volcengine/verl#5798 (B69)";

fn made(step: &Step, s: &Settings, name: &str) -> Option<Grid> {
    per_token(step.output(name, s)?)
}

fn zero(step: &Step, s: &Settings, name: &str) -> Option<Numbers> {
    Some(Numbers::PerToken(made(step, s, name)?.map(|_| step.p.given(0.0))))
}

fn turned(step: &Step, s: &Settings, name: &str) -> Option<Numbers> {
    Some(Numbers::PerToken(made(step, s, name)?.map(|x| -x)))
}

fn over_ranks(step: &Step, s: &Settings, name: &str) -> Option<Numbers> {
    let grad = made(step, s, name)?;
    let forms = (2..=64).map(|ranks| {
        let squared = step.p.given(f64::from(ranks * ranks));
        Some(Numbers::PerToken(grad.map(|x| x / squared)))
    });
    nearest(step, name, forms)
}
