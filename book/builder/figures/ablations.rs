//! The training with one thing changed at a time.

use super::{
    Curve, Figure,
    training::{axes, over},
};

pub(super) const FIGURE: Figure = Figure {
    name: "ablations",
    caption: "The toy policy as it is, and with one thing changed at a time: the mean score of a rollout, means of five \
              iterations, one seed. Two changes keep it from learning the task: $\\lambda = 0$, under which a token is credited \
              with nothing but what the critic says next, and the post's listing as printed, which has no mask. The others \
              end where it ends. A task this small forgives much: that a mistake does not show in the score is no proof \
              that it is none.",
    text: "Two panels of the mean score over 150 iterations. Left: as it is and with lambda 1 the score rises from 0.1 to about \
           1 within 40 iterations; with one inner epoch it gets there later; with lambda 0 it ends near a third. Right: as it \
           is, without the value clip and with two norms it rises to about 1 in much the same way; with the listing as printed \
           it ends near 0.4.",
    panels: || {
        let score = |(run, name): (&str, &str)| mean_of_five(over(run, name, "score"));
        let base = ("as it is", "as it is");
        let epochs = [base, ("λ = 0", "λ = 0"), ("λ = 1", "λ = 1"), ("1 inner epoch", "1 inner epoch")];
        let listing = [
            base,
            ("as-printed", "as printed"),
            ("no value clip", "no value clip"),
            ("separate norms", "two norms"),
        ];
        [("λ and inner epochs", epochs), ("The listing and its clips", listing)]
            .map(|(title, runs)| super::Chart {
                curves: runs.map(score).into(),
                ..axes(title, "mean score", (0.0, 1.05))
            })
            .into()
    },
};

/// Each point the mean of itself and of up to four before it.
fn mean_of_five(Curve { name, points }: Curve) -> Curve {
    let mean = |k: usize| {
        let window = &points[k.saturating_sub(4)..=k];
        window.iter().map(|(_, y)| y).sum::<f64>() / window.len() as f64
    };
    Curve { name, points: (0..points.len()).map(|k| (points[k].0, mean(k))).collect() }
}
