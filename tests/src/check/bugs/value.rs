//! Mistakes of the value loss: `eq:value-clip`, `eq:value-loss`.

use super::{Bug, bug, everywhere, form, mask_of, nearest, number};
use crate::{
    budget::{self, Approx, Grid},
    check::step::{Numbers, Step},
};
use reference::{Half, Mask, Settings, ValueClip};

/// Each of them.
pub(super) const BUGS: &[Bug] = &[
    of_loss(
        "OldValuesRecomputed",
        "V itself stands for V_old, or the clip is off: it never bites",
        "tensorflow/agents#352, PufferLib, which writes V over V_old after each minibatch (B56)",
        |step, s| step.output("vf_loss", &Settings { value_clip: ValueClip::Off, ..*s }),
    ),
    of_loss(
        "SmallerError",
        "the smaller of the two squared errors",
        "ray-project/ray#2233, openai/baselines#91 and others (B54)",
        |step, s| loss(step, s, |v, clipped, ret| (v - ret).square().lesser((clipped - ret).square())),
    ),
    of_loss(
        "LossClamped",
        "the squared error is cut at ε_v, and the values are not clipped",
        "ray-project/ray#22171 (B55)",
        |step, s| {
            let most = step.p.setting(s.eps_v);
            loss(step, s, |v, _, ret| (v - ret).square().lesser(most))
        },
    ),
    of_loss("ErrorClipped", "V − R is clipped to ± ε_v, and then squared", "", |step, s| {
        let most = step.p.setting(s.eps_v);
        loss(step, s, |v, _, ret| (v - ret).clamp(-most, most).square())
    }),
    of_loss("AbsoluteError", "|V − R|: the square is missing", "", |step, s| {
        loss(step, s, |v, clipped, ret| (v - ret).abs().greater((clipped - ret).abs()))
    }),
    of_loss(
        "HalfTwice",
        "½ stands before the loss twice: inside and outside",
        "ikostrikov/pytorch-a2c-ppo-acktr-gail#135, google/brax#596 (B60)",
        |step, s| {
            let loss = number(step.output("vf_loss", &Settings { half: Half::No, ..*s })?)?;
            Some(Numbers::Scalar(step.p.given(0.25) * loss))
        },
    ),
    form(of_loss("scaled", "0.4 times the loss", "NeMo-RL by its recipe", |step, s| {
        number(step.output("vf_loss", s)?).map(|loss| Numbers::Scalar(step.p.setting(0.4) * loss))
    })),
    of_loss(
        "ReturnsAndValuesSwapped",
        "returns and old values change places, as positional arguments do",
        "",
        |step, s| {
            let [v, v_old, ret] = step.value_operands(s)?;
            Some(with(step, s, &step.inputs.value_mask, [&v, &ret, &v_old]))
        },
    ),
    of_loss(
        "ClipAroundTheReturns",
        "the clip is built around the returns and not around the old values",
        "",
        |step, s| {
            let [v, _, ret] = step.value_operands(s)?;
            Some(with(step, s, &step.inputs.value_mask, [&v, &ret, &ret]))
        },
    ),
    of_loss("OldValuesFitted", "the loss of V_old: what the critic says now is not in it", "", |step, s| {
        let [_, v_old, ret] = step.value_operands(s)?;
        Some(with(step, s, &step.inputs.value_mask, [&v_old, &v_old, &ret]))
    }),
    of_loss("ErrorToOldValues", "V − V_old is squared: the returns are not in it", "", |step, s| {
        let [v, v_old, _] = step.value_operands(s)?;
        Some(with(step, s, &step.inputs.value_mask, [&v, &v_old, &v_old]))
    }),
    of_loss(
        "ErrorToAdvantages",
        "V − Â is squared: the advantages stand for the returns",
        "",
        |step, s| {
            let [v, v_old, _] = step.value_operands(s)?;
            let adv = step.raw(s)?;
            Some(with(step, s, &step.inputs.value_mask, [&v, &v_old, &adv]))
        },
    ),
    of_loss(
        "MaskInAnotherOrder",
        "the rows of the mask are sorted by length, and those of the values are not",
        "volcengine/verl#1440 (B3)",
        mask_in_another_order,
    ),
];

const fn of_loss(
    name: &'static str,
    says: &'static str,
    seen: &'static str,
    make: fn(&Step, &Settings) -> Option<Numbers>,
) -> Bug {
    bug(name, "vf_loss", says, seen, make)
}

/// The loss of other operands, V, V_old and R, over some slots.
fn with(step: &Step, s: &Settings, mask: &Mask, [v, v_old, ret]: [&Grid; 3]) -> Numbers {
    let Settings { eps_v, value_clip, agg, half, .. } = *s;
    Numbers::Scalar(budget::value_loss(step.p, v, v_old, ret, mask, eps_v, value_clip, agg, half).loss)
}

/// The value loss with another formula for a token, of V, of V brought back to V_old, and of R.
pub(crate) fn loss(
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
    Some(Numbers::Scalar(if s.half == Half::Yes { p.given(0.5) * mean } else { mean }))
}

/// Sorted up or down, as a sampler of batches of one size of tokens has them.
fn mask_in_another_order(step: &Step, s: &Settings) -> Option<Numbers> {
    let mask = &step.inputs.value_mask;
    let [v, v_old, ret] = ["values", "old_values", "returns"].map(|name| everywhere(step, name));
    let (v, v_old, ret) = (v?, v_old?, ret?);
    let mut rows: Vec<usize> = (0..mask.shape().0).collect();
    rows.sort_by_key(|row| mask.tokens_of(*row).len());
    let down: Vec<usize> = rows.iter().rev().copied().collect();
    let forms = [rows, down].map(|rows| {
        let other = mask_of(mask, |(row, t)| mask.has((rows[row], t)));
        (other != *mask).then(|| with(step, s, &other, [&v, &v_old, &ret]))
    });
    nearest(step, "vf_loss", forms)
}
