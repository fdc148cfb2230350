//! Dots with names, on axes that count by factors: a step along them is a product and not a sum.

use super::{
    chart::{Chart, SIZE},
    labels::{Frame, Ground, Named},
};
use kuva::prelude::{Layout, Plot, ScatterPlot, TextAnnotation, TickFormat};
use std::sync::Arc;

/// One point.
pub(crate) struct Dot {
    pub(crate) name: String,
    pub(crate) at: (f64, f64),
}

/// Of a dot, in units of the drawing, and the size of a name.
const RADIUS: f64 = 4.0;
const TEXT: u32 = 13;

/// Between the drawing and its axes: left, right, above, below.
const MARGINS: [f64; 4] = [56.0, 12.0, 8.0, 50.0];

/// The dots, if there are any.
pub(super) fn plot(dots: &[Dot]) -> Option<Plot> {
    let points: Vec<(f64, f64)> = dots.iter().map(|dot| dot.at).collect();
    let plot = || ScatterPlot::new().with_data(points).with_color("var(--fg)").with_size(RADIUS).into();
    (!dots.is_empty()).then(plot)
}

/// The layout with axes that count by factors, and the name of each dot where there is room for it.
pub(super) fn named(layout: Layout, chart: &Chart) -> Layout {
    let [left, right, above, below] = MARGINS;
    let plain = || TickFormat::Custom(Arc::new(|tick: f64| format!("{}", (tick * 1e6).round() / 1e6)));
    let mut layout = layout
        .with_log_scale()
        .with_x_tick_format(plain())
        .with_y_tick_format(plain())
        .with_force_margins(left, right)
        .with_force_margins_y(above, below);
    let (ground, dots) = ground(chart);
    for (frame, dot) in ground.place(&dots).iter().zip(&chart.dots) {
        // kuva sets a name in the middle over its place, with its foot 6 above it; a letter rises by some 0.7 of its size.
        let foot = frame.middle.1 + 0.35 * f64::from(TEXT) + 6.0;
        let (x, y) = (of(chart.x, across(frame.middle.0)), of(chart.y, up(foot)));
        layout = layout.with_annotation(TextAnnotation::new(dot.name.as_str(), x, y).with_font_size(TEXT));
    }
    layout
}

/// What the names stand among, and the dots where they are drawn.
pub(super) fn ground(chart: &Chart) -> (Ground, Vec<Named<'_>>) {
    let [left, right, above, below] = MARGINS;
    let (width, height) = (SIZE.0 - left - right, SIZE.1 - above - below);
    let drawn =
        |(x, y): (f64, f64)| (left + width * part(chart.x, x), above + height * (1.0 - part(chart.y, y)));
    let panel =
        Frame { middle: (left + width / 2.0, above + height / 2.0), half: (width / 2.0, height / 2.0) };
    let lines = chart.curves.iter().flat_map(|curve| {
        curve.points.windows(2).flat_map(move |ends| {
            let (from, to) = (drawn(ends[0]), drawn(ends[1]));
            let at = move |from: f64, to: f64, k: u32| from + (to - from) * f64::from(k) / 100.0;
            (0..=100).map(move |k| (at(from.0, to.0, k), at(from.1, to.1, k)))
        })
    });
    let ground = Ground { panel, lines: lines.collect(), dot: RADIUS, size: f64::from(TEXT) };
    (ground, chart.dots.iter().map(|dot| (drawn(dot.at), dot.name.as_str())).collect())
}

/// How far along its axis a number lies, from 0 to 1; and the number that lies so far.
fn part((from, to): (f64, f64), x: f64) -> f64 {
    (x / from).ln() / (to / from).ln()
}
fn of((from, to): (f64, f64), part: f64) -> f64 {
    from * (to / from).powf(part)
}

/// How far along the axes a place of the drawing lies.
fn across(x: f64) -> f64 {
    (x - MARGINS[0]) / (SIZE.0 - MARGINS[0] - MARGINS[1])
}
fn up(y: f64) -> f64 {
    1.0 - (y - MARGINS[2]) / (SIZE.1 - MARGINS[2] - MARGINS[3])
}

/// An axis around some numbers with room at both ends, from one of 1, 2, 5, 10, … to another.
pub(super) fn around(numbers: impl IntoIterator<Item = f64>) -> (f64, f64) {
    const ROOM: f64 = 1.3;
    let (least, most) = numbers
        .into_iter()
        .fold((f64::INFINITY, 0.0), |(least, most), x| (f64::min(least, x), f64::max(most, x)));
    let ticks = |x: f64| {
        let ten = 10f64.powf(x.log10().floor());
        [1.0, 2.0, 5.0, 10.0].map(|tick| tick * ten)
    };
    let (from, to) = (least / ROOM, most * ROOM);
    let below = ticks(from).into_iter().rev().find(|tick| *tick <= from);
    let above = ticks(to).into_iter().find(|tick| *tick >= to);
    (below.unwrap_or(from), above.unwrap_or(to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_room_and_ends_at_ticks() {
        let near = |(a, b): (f64, f64), (c, d): (f64, f64)| (a - c).abs() < 1e-9 && (b - d).abs() < 1e-9;
        assert!(near(around([0.083, 2.75]), (0.05, 5.0)));
        assert!(near(around([66.0, 128.0, 90.0]), (50.0, 200.0)));
    }

    #[test]
    fn a_name_is_drawn_at_its_place() {
        let dots = vec![Dot { name: "kl".into(), at: (2.0, 20.0) }];
        let chart = Chart { x: (1.0, 10.0), y: (10.0, 100.0), dots, ..Chart::default() };
        let (ground, dots) = ground(&chart);
        let [frame] = ground.place(&dots)[..] else { panic!("one name") };
        let html = chart.html("tiny");
        let text = html.split("<text ").find(|text| text.contains(">kl<")).unwrap();
        let number = |key: &str| -> f64 {
            text.split(&format!("{key}=\"")).nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
        };
        assert!((number("x") - frame.middle.0).abs() < 0.6, "{text}: {frame:?}");
        assert!((number("y") - frame.middle.1 - 0.35 * f64::from(TEXT)).abs() < 0.6, "{text}: {frame:?}");
        let dot = html.split("<circle ").nth(1).unwrap_or_else(|| panic!("no dot in {html}"));
        assert!(dot.contains(&format!("cx=\"{}", dots[0].0.0.floor())), "{dot}: {dots:?}");
    }
}
