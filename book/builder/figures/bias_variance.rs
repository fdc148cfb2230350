//! What λ trades, measured; `builder/record/bias.rs` says how.

use super::{Chart, Curve, Figure, recorded::curve};

const BIAS: &str = include_str!("../../listings/bias.jsonl");

pub(super) const FIGURE: Figure = Figure {
    name: "bias-variance",
    caption: "Measured on the toy policy of this repository: a thousand answers to each of sixteen prompts, and by how much \
              the first token's advantage is off. Bias is what no number of answers averages away; deviation is how far one \
              answer is from that average. Early in training, left, the critic knows little, and from $\\lambda = 0$ to \
              $\\lambda = 1$ nearly all of the error changes from the one kind into the other. Later, right, there is less of \
              both.",
    text: "Two panels over lambda from 0 to 1. After 10 iterations of training the bias falls from 0.2 at lambda 0 to zero at \
           lambda 1, slowly at first, and the deviation rises from zero to 0.18; they cross just below 0.8. After 60 \
           iterations the bias is 0.06 at lambda 0, rises to 0.09 at 0.4 and falls to zero, and the deviation rises from zero \
           to 0.06.",
    panels: || {
        let over_lambda =
            |after: u64, what: &str| curve(BIAS, ("after", &after.into()), ("lambda", what), what);
        let axes = |title, curves: Vec<Curve>| Chart {
            title,
            x_label: "λ",
            y_label: "error of Â",
            x: (0.0, 1.0),
            y: (0.0, 0.22),
            curves,
            ..Chart::default()
        };
        let both = |after| vec![over_lambda(after, "bias"), over_lambda(after, "deviation")];
        vec![axes("After 10 iterations", both(10)), axes("After 60 iterations", both(60))]
    },
};
