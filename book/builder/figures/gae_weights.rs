//! How much a residual l steps ahead counts.

use super::{Chart, Curve, Figure};

pub(super) const FIGURE: Figure = Figure {
    name: "gae-weights",
    caption: "The weight of the residual $l$ tokens ahead, at $\\gamma = 1$. Look at the right edge: at $\\lambda = 1$ a score \
              at the end of a response counts in full at its first token; at $\\lambda = 0.95$ nearly nothing of it is left \
              after a hundred.",
    text: "Four curves of the weight gamma lambda to the power l over l from 0 to 100, with gamma 1. For lambda 1 the weight \
           stays at 1. For lambda 0.99 it falls slowly, to about a third at 100. For lambda 0.95 it is near a third at 20 and \
           near zero at 100. For lambda 0.8 it is near zero after 20.",
    panels: || {
        let weight =
            |lambda: f64| move |l: f64| reference::written::powers(lambda, l as usize + 1)[l as usize];
        let curve = |lambda: f64| Curve::of(format!("λ = {lambda}"), (0.0, 100.0), 100, weight(lambda));
        vec![Chart {
            title: "How much a residual counts",
            x_label: "l, tokens ahead",
            y_label: "(γλ)^l",
            x: (0.0, 100.0),
            y: (0.0, 1.05),
            curves: [1.0, 0.99, 0.95, 0.8].map(curve).into(),
            ..Chart::default()
        }]
    },
};
