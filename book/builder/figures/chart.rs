//! Curves over two axes: axes and curves by kuva, title and legend as text of the page, so that they keep their size
//! where the drawing shrinks. Every colour is a variable of the style sheet, and every curve has a dash of its own.

use super::dots::{self, Dot};
use crate::terms::escape;
use kuva::prelude::{Layout, LinePlot, LineStyle, Plot, ReferenceLine, ShadedRegion, Theme, render_to_svg};

/// Width and height of a drawing in its own units; the page scales it.
pub(super) const SIZE: (f64, f64) = (400.0, 255.0);

/// The dashes of the curves, in their order; `book.css` repeats them in the legend.
const DASHES: [&str; 4] = ["", "7 3", "2 3", "9 3 2 3"];

/// One panel.
#[derive(Default)]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    pub(crate) x_label: &'static str,
    pub(crate) y_label: &'static str,
    /// Least and largest x, and y.
    pub(crate) x: (f64, f64),
    pub(crate) y: (f64, f64),
    /// At most four: more are no longer told apart.
    pub(crate) curves: Vec<Curve>,
    /// A stretch of x that is shaded.
    pub(crate) shaded: Option<(f64, f64)>,
    /// Values of x with a line across and a name at it.
    pub(crate) marked: Vec<(f64, &'static str)>,
    /// Points with a name each. Where there are any, both axes count by factors.
    pub(crate) dots: Vec<Dot>,
}

/// One curve.
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

impl Curve {
    /// A function on a grid of so many steps.
    pub(crate) fn of(
        name: impl Into<String>,
        (from, to): (f64, f64),
        steps: u32,
        f: impl Fn(f64) -> f64,
    ) -> Curve {
        let at = |k: u32| from + (to - from) * f64::from(k) / f64::from(steps);
        Curve { name: name.into(), points: (0..=steps).map(at).map(|x| (x, f(x))).collect() }
    }
}

impl Chart {
    /// The panel as HTML. `id` keeps its ids apart from those of other panels.
    pub(crate) fn html(&self, id: &str) -> String {
        let entry = |(k, curve): (usize, &Curve)| {
            format!("<li class=\"curve-{}\">{}</li>", k + 1, escape(&curve.name))
        };
        let legend: String = self.curves.iter().enumerate().map(entry).collect();
        format!(
            "<div class=\"panel\">\n<p class=\"title\">{}</p>\n{}\n<ul class=\"legend\">{legend}</ul>\n</div>\n",
            escape(self.title),
            self.svg(id)
        )
    }

    fn svg(&self, id: &str) -> String {
        let mut plots: Vec<Plot> = self.curves.iter().enumerate().map(|(k, curve)| line(k, curve)).collect();
        plots.extend(dots::plot(&self.dots));
        let mut layout = Layout::auto_from_plots(&plots)
            .with_theme(theme())
            .with_width(SIZE.0)
            .with_height(SIZE.1)
            .with_x_label(self.x_label)
            .with_y_label(self.y_label)
            .with_label_size(15)
            .with_tick_size(13)
            .with_x_axis_min(self.x.0)
            .with_x_axis_max(self.x.1)
            .with_y_axis_min(self.y.0)
            .with_y_axis_max(self.y.1);
        if let Some((from, to)) = self.shaded {
            layout = layout.with_shaded_region(
                ShadedRegion::vertical(from, to).with_color("var(--shade)").with_opacity(1.0),
            );
        }
        for (x, name) in &self.marked {
            let mark =
                ReferenceLine::vertical(*x).with_color("var(--mark)").with_dasharray("2 3").with_label(*name);
            layout = layout.with_reference_line(mark);
        }
        if !self.dots.is_empty() {
            layout = dots::named(layout, self);
        }
        let svg = render_to_svg(plots, layout).replace("kuva-", &format!("{id}-"));
        let (width, height) = SIZE;
        let fixed = format!("width=\"{width}\" height=\"{height}\"");
        let free = format!("viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\"");
        svg.replacen(&fixed, &free, 1)
            .lines()
            .filter(|line| !line.trim().is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn line(k: usize, curve: &Curve) -> Plot {
    let dash = DASHES[k % DASHES.len()];
    let style = if dash.is_empty() { LineStyle::Solid } else { LineStyle::Custom(dash.into()) };
    LinePlot::new()
        .with_data(curve.points.clone())
        .with_color(format!("var(--curve-{})", k + 1))
        .with_stroke_width(2.2)
        .with_line_style(style)
        .into()
}

fn theme() -> Theme {
    let (text, line) = ("var(--fg)", "var(--grid)");
    Theme {
        background: "none".into(),
        axis_color: text.into(),
        grid_color: line.into(),
        tick_color: text.into(),
        text_color: text.into(),
        font_family: Some("inherit".into()),
        ..Theme::light()
    }
}
