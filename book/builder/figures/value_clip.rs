//! The value loss of one token and its slope, over V.

use super::{Chart, Curve, Figure};
use nalgebra::dmatrix;
use reference::{
    Agg, Half, Mask, ValueClip,
    value_loss::{value_loss, value_loss_grad},
};

/// V_old, R and ε_v of the token.
const TOKEN: (f64, f64, f64) = (0.0, 1.0, 0.2);

/// Where V runs.
const V: (f64, f64) = (-0.8, 2.0);

pub(super) const FIGURE: Figure = Figure {
    name: "value-clip",
    caption: "One token with $V^{\\text{old}} = 0$, $R = 1$ and $\\epsilon_v = 0.2$, over what the critic says now. In the shaded \
              stretch, from $V^{\\text{old}} + \\epsilon_v$ on, the max is flat and the slope $0$: the dead zone. On the other \
              side of $V^{\\text{old}}$, away from $R$, the max keeps its slope; the clipped square alone has none there, and \
              a value that strayed has nothing to bring it back.",
    text: "Two panels over V from minus 0.8 to 2. Left, three losses: the plain square is a parabola with its lowest point at \
           V equal to R, 1. The clipped square alone follows it between minus 0.2 and 0.2 and is flat outside. The max follows \
           the parabola up to 0.2, is flat at 0.64 from 0.2 to 1.8, and follows the parabola again after. Right, their slopes: \
           that of the max is zero from 0.2 to 1.8; that of the clipped square alone is zero everywhere outside minus 0.2 to \
           0.2; that of the plain square is a straight line through zero at V equal to 1.",
    panels: || {
        let forms =
            [("max", ValueClip::Max), ("clipped alone", ValueClip::ClippedOnly), ("plain", ValueClip::Off)];
        let axes = |title, y_label, y| Chart {
            title,
            x_label: "V, what the critic says now",
            y_label,
            x: V,
            y,
            shaded: Some((0.2, 1.8)),
            marked: vec![(0.0, "V_old"), (1.0, "R")],
            ..Chart::default()
        };
        let loss = forms.map(|(name, form)| Curve::of(name, V, 280, |v| loss(v, form)));
        let slope = forms.map(|(name, form)| Curve::of(name, V, 280, |v| slope(v, form)));
        vec![
            Chart { curves: loss.into(), ..axes("The loss of the token", "loss", (0.0, 2.0)) },
            Chart { curves: slope.into(), ..axes("Its slope in V", "slope", (-3.0, 2.0)) },
        ]
    },
};

fn loss(v: f64, form: ValueClip) -> f64 {
    let (v_old, ret, eps_v) = TOKEN;
    let (v, v_old, ret, mask) = (dmatrix![v], dmatrix![v_old], dmatrix![ret], Mask::full(1, 1));
    value_loss(&v, &v_old, &ret, &mask, eps_v, form, Agg::TokenMean, Half::No).loss
}

fn slope(v: f64, form: ValueClip) -> f64 {
    let (v_old, ret, eps_v) = TOKEN;
    let (v, v_old, ret, mask) = (dmatrix![v], dmatrix![v_old], dmatrix![ret], Mask::full(1, 1));
    value_loss_grad(&v, &v_old, &ret, &mask, eps_v, form, Agg::TokenMean, Half::No)[0]
}
