//! The advantages of one response under several λ.

use super::{Chart, Curve, Figure};
use nalgebra::{DMatrix, DVector};
use reference::{Ends, Gap, Mask, gae::gae};

/// Tokens of the response.
const T: usize = 40;

pub(super) const FIGURE: Figure = Figure {
    name: "gae-lambda",
    caption: "Forty tokens, a score of $1$ at the last, and a critic that says $0.2$ until it sees at token $20$ that things go \
              well, and $0.7$ from there. At $\\lambda = 0$ credit goes to the one token before the jump and to the last; at \
              $\\lambda = 1$ every token is told how the whole response ended, whatever the critic says later on.",
    text: "Two panels. Left: the critic's value over 40 tokens, 0.2 up to token 20 and 0.7 after it. Right: the advantage of \
           each token. For lambda 0 it is zero but at token 20, where it is 0.5, and at the last, 0.3. For lambda 0.9 it rises \
           towards token 20, drops, and rises again towards the end. For lambda 1 it is 0.8 up to token 20 and 0.3 after it.",
    panels: || {
        let v = |t: usize| if t <= T / 2 { 0.2 } else { 0.7 };
        let over = |f: &dyn Fn(usize) -> f64| (0..T).map(|t| (t as f64, f(t))).collect::<Vec<_>>();
        let advantages = |lambda: f64| {
            let r = DMatrix::from_fn(1, T, |_, t| if t + 1 == T { 1.0 } else { 0.0 });
            let v = DMatrix::from_fn(1, T, |_, t| v(t));
            let lambda = DVector::from_element(1, lambda);
            gae(&r, &v, &Mask::full(1, T), &Ends::stop(1, T), Gap::Skip, 1.0, &lambda)
        };
        let curve = |lambda: f64| {
            let adv = advantages(lambda);
            Curve { name: format!("λ = {lambda}"), points: over(&|t| adv[(0, t)]) }
        };
        let axes = |title, y_label| Chart {
            title,
            x_label: "token",
            y_label,
            x: (0.0, T as f64),
            y: (0.0, 1.0),
            ..Chart::default()
        };
        let critic = Curve { name: "V".into(), points: over(&v) };
        vec![
            Chart { curves: vec![critic], ..axes("What the critic says", "value") },
            Chart {
                curves: [1.0, 0.9, 0.0].map(curve).into(),
                ..axes("What each token is credited with", "advantage")
            },
        ]
    },
};
