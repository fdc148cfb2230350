//! The advantages of a batch before whitening and after it, from the least to the largest.

use super::{Chart, Curve, Figure};
use nalgebra::DMatrix;
use reference::{Mask, Settings, rng::Rng, whiten::whiten};

/// Tokens of the batch, and slots of padding beside them.
const TOKENS: usize = 60;
const PADS: usize = 60;

pub(super) const FIGURE: Figure = Figure {
    name: "whiten",
    caption: "Sixty advantages of one batch, sorted, with rewards in one unit and in one five times as large. After whitening the two \
              are one curve, which crosses $0$ in its middle. With as many slots of padding counted in its mean and deviation, \
              it does so elsewhere: tokens that were below the average of the batch count as good.",
    text: "Two panels over the rank of a token, from the least advantage to the largest. Left, before whitening: two curves \
           of one shape, one five times as steep as the other, both mostly above zero. Right, after whitening: both units \
           give one curve from about minus 2 to nearly 3 that crosses zero in the middle. The curve with padding counted lies \
           above it and crosses zero further left.",
    panels: || {
        let adv = sorted();
        let ranked = |name: &str, x: &DMatrix<f64>| {
            let points = (0..TOKENS).map(|t| (t as f64, x[(0, t)])).collect();
            Curve { name: name.into(), points }
        };
        let axes = |title, y_label, y| Chart {
            title,
            x_label: "rank of the token",
            y_label,
            x: (0.0, TOKENS as f64),
            y,
            ..Chart::default()
        };
        let five = 5.0 * &adv;
        let before = vec![ranked("rewards × 1", &adv), ranked("rewards × 5", &five)];
        let after = vec![
            ranked("rewards × 1", &whitened(&adv, TOKENS)),
            ranked("rewards × 5", &whitened(&five, TOKENS)),
            ranked("padding counted", &whitened(&adv, TOKENS + PADS)),
        ];
        vec![
            Chart { curves: before, ..axes("Before", "advantage", (-2.0, 6.0)) },
            Chart { curves: after, ..axes("After", "whitened advantage", (-3.0, 4.0)) },
        ]
    },
};

/// Normal variates around 0.4, and 0 in the padding.
fn sorted() -> DMatrix<f64> {
    let mut rng = Rng::new(1);
    let mut adv: Vec<f64> = (0..TOKENS).map(|_| 0.4 + 0.3 * rng.normal()).collect();
    adv.sort_by(f64::total_cmp);
    DMatrix::from_fn(1, TOKENS + PADS, |_, t| adv.get(t).copied().unwrap_or(0.0))
}

/// By the statistics of the first so many slots.
fn whitened(adv: &DMatrix<f64>, counted: usize) -> DMatrix<f64> {
    let how = Settings::default().whitening.expect("the post whitens");
    whiten(adv, &Mask::new(DMatrix::from_fn(1, TOKENS + PADS, |_, t| t < counted)), how).adv
}
