//! The policy loss of one token and its slope, over the ratio, for an advantage of either sign.

use super::{Chart, Curve, Figure};
use nalgebra::dmatrix;
use reference::{
    Agg, Mask, PolicyClip, Settings,
    policy_loss::{policy_loss, policy_loss_grad},
};

/// Where the ratio runs.
const RATIO: (f64, f64) = (0.02, 2.0);

pub(super) const FIGURE: Figure = Figure {
    name: "policy-clip",
    caption: "One token with $\\epsilon = 0.2$ on both sides. Where the advantage is $1$ the loss is flat from $\\rho = 1.2$ on; \
              where it is $-1$, below $0.8$. The other way nothing holds it: the loss of the dashed curve grows with $\\rho$ \
              without end. Right, the slope in $\\log\\pi$: it is $0$ at once where the clip acts, and elsewhere as large as \
              $\\rho$.",
    text: "Two panels over the ratio from 0 to 2. Left, the loss: for an advantage of 1 it falls from 0 along a straight line \
           to minus 1.2 at a ratio of 1.2 and is flat from there; for an advantage of minus 1 it is flat at 0.8 up to a ratio \
           of 0.8 and rises along a straight line after, to 2 at a ratio of 2. Right, the slope in the log-probability: for an \
           advantage of 1 it is minus the ratio up to 1.2 and then zero; for minus 1 it is zero up to 0.8 and then the ratio.",
    panels: || {
        let axes = |title, y_label| Chart {
            title,
            x_label: "ρ, the ratio",
            y_label,
            x: (0.0, RATIO.1),
            y: (-2.0, 2.0),
            shaded: Some((0.8, 1.2)),
            marked: vec![(1.0, "π = π_old")],
            ..Chart::default()
        };
        let signs = [("Â = 1", 1.0), ("Â = −1", -1.0)];
        let losses = signs.map(|(name, adv)| Curve::of(name, RATIO, 396, |ratio| loss(ratio, adv)));
        let slopes = signs.map(|(name, adv)| Curve::of(name, RATIO, 396, |ratio| slope(ratio, adv)));
        vec![
            Chart { curves: losses.into(), ..axes("The loss of the token", "loss") },
            Chart { curves: slopes.into(), ..axes("Its slope in log π", "slope") },
        ]
    },
};

/// The post's clip.
fn clip() -> PolicyClip {
    Settings::default().clip
}

fn loss(ratio: f64, adv: f64) -> f64 {
    let (logp, old, adv, mask) = (dmatrix![ratio.ln()], dmatrix![0.0], dmatrix![adv], Mask::full(1, 1));
    policy_loss(&logp, &old, &adv, &mask, None, &clip(), Agg::TokenMean).loss
}

fn slope(ratio: f64, adv: f64) -> f64 {
    let (logp, old, adv, mask) = (dmatrix![ratio.ln()], dmatrix![0.0], dmatrix![adv], Mask::full(1, 1));
    policy_loss_grad(&logp, &old, &adv, &mask, None, &clip(), Agg::TokenMean)[0]
}
