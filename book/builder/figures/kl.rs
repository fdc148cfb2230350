//! The four estimators of the KL of one token and their slopes, over the log-ratio to the reference model.

use super::{Chart, Curve, Figure};
use reference::{Kl, KlEstimate};

/// Where log π − log π_ref runs.
const K1: (f64, f64) = (-2.0, 2.0);

pub(super) const FIGURE: Figure = Figure {
    name: "kl",
    caption: "What one token pays, over how much likelier the policy finds it than the reference. Left, only $k_1$ goes below \
              $0$; $k_2$ and $k_3$ agree near $0$, and $k_3$ takes off where the policy has lost a token that the reference \
              likes. Right, the slope in $\\log\\pi$, which counts where the KL is a loss: that of $k_1$ is the same for every \
              token.",
    text: "Two panels over log pi minus log pi of the reference, from minus 2 to 2. Left, the estimates: k1 is a straight line \
           through zero, its absolute value a corner at zero, k2 a parabola with its lowest point at zero, and k3 a curve \
           that lies on k2 near zero, below it on the right, 1.1 at 2, and far above it on the left, 4.4 at minus 2. Right, \
           their slopes: 1 everywhere for k1, minus 1 and then 1 for its absolute value, a straight line for k2, and for k3 a \
           curve that rises from minus 6.4 through zero towards 1.",
    panels: || {
        let kinds = [("k1", Kl::K1), ("|k1|", Kl::Abs), ("k2", Kl::K2), ("k3", Kl::K3)];
        let axes = |title, y_label, y| Chart {
            title,
            x_label: "log π − log π_ref",
            y_label,
            x: K1,
            y,
            ..Chart::default()
        };
        let of = |f: fn(&KlEstimate, f64) -> f64| {
            let curve = |(name, kind)| Curve::of(name, K1, 400, |k1| f(&KlEstimate::plain(kind), k1));
            kinds.map(curve).into()
        };
        vec![
            Chart { curves: of(KlEstimate::of), ..axes("The estimate", "nats", (-2.0, 4.5)) },
            Chart { curves: of(KlEstimate::slope), ..axes("Its slope in log π", "slope", (-6.5, 2.5)) },
        ]
    },
};
