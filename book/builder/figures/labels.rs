//! Names beside dots, placed so that none covers another, a dot, or more of a line than it must. Everything is in units of
//! the drawing, with y downwards.

use reference::nan::{greater, lesser};

/// How high a name is, of a text of size 1, and how wide each of its letters on average.
const HEIGHT: f64 = 1.1;
const LETTER: f64 = 0.54;

/// How near to its dot a name may come, nearest first, and in how many directions it may stand.
const GAPS: [f64; 4] = [7.0, 11.0, 17.0, 24.0];
const DIRECTIONS: u32 = 24;

/// How often each name looks again for a better place, once the others have theirs.
const SWEEPS: usize = 12;

/// A rectangle by its middle and half of its sides.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) middle: (f64, f64),
    pub(super) half: (f64, f64),
}

impl Frame {
    /// Around a text of this size.
    fn of(text: &str, size: f64) -> Frame {
        let letters = text.chars().count() as f64;
        Frame { middle: (0.0, 0.0), half: (letters * LETTER * size / 2.0, HEIGHT * size / 2.0) }
    }

    fn at(self, middle: (f64, f64)) -> Frame {
        Frame { middle, ..self }
    }

    /// The area that two have in common.
    pub(super) fn shared(&self, other: &Frame) -> f64 {
        let side = |a: f64, half_a: f64, b: f64, half_b: f64| {
            ((a + half_a).min(b + half_b) - (a - half_a).max(b - half_b)).max(0.0)
        };
        side(self.middle.0, self.half.0, other.middle.0, other.half.0)
            * side(self.middle.1, self.half.1, other.middle.1, other.half.1)
    }

    fn area(&self) -> f64 {
        4.0 * self.half.0 * self.half.1
    }
}

/// Where a dot is drawn, and its name.
pub(super) type Named<'a> = ((f64, f64), &'a str);

/// What names are placed among.
pub(super) struct Ground {
    /// The panel: no name leaves it.
    pub(super) panel: Frame,
    /// Points of the lines, close together.
    pub(super) lines: Vec<(f64, f64)>,
    /// Half of the side of a dot.
    pub(super) dot: f64,
    /// Of the letters.
    pub(super) size: f64,
}

impl Ground {
    /// A place for the name of each dot.
    pub(super) fn place(&self, dots: &[Named<'_>]) -> Vec<Frame> {
        let own: Vec<Frame> = dots.iter().map(|(_, name)| Frame::of(name, self.size)).collect();
        let mut placed: Vec<Frame> =
            own.iter().zip(dots).map(|(own, (dot, _))| own.at(beside(*own, *dot, GAPS[0], 0))).collect();
        for _ in 0..SWEEPS {
            for k in 0..dots.len() {
                let (frame, dot) = (own[k], dots[k].0);
                let ways = |gap| (0..DIRECTIONS).map(move |way| frame.at(beside(frame, dot, gap, way)));
                let choices = GAPS.into_iter().flat_map(ways);
                let costs = choices.map(|frame| (self.cost(frame, k, dots, &placed), frame));
                let best = costs.reduce(|a, b| if b.0 < a.0 { b } else { a });
                placed[k] = best.map_or(placed[k], |(_, frame)| frame);
            }
        }
        placed
    }

    /// What is bad about a place for name k, while the others are where they are.
    fn cost(&self, frame: Frame, k: usize, dots: &[Named<'_>], placed: &[Frame]) -> f64 {
        let outside = frame.area() - frame.shared(&self.panel);
        let others = placed.iter().enumerate().filter(|(other, _)| *other != k);
        let covered: f64 = others.map(|(_, other)| frame.shared(other)).sum();
        let spot = |at: (f64, f64), half: f64| Frame { middle: at, half: (half, half) };
        let on_dots: f64 = dots.iter().map(|(dot, _)| frame.shared(&spot(*dot, self.dot))).sum();
        let crossed = self.lines.iter().filter(|point| frame.shared(&spot(**point, 0.5)) > 0.0).count();
        let (dx, dy) = (frame.middle.0 - dots[k].0.0, frame.middle.1 - dots[k].0.1);
        let away = ((dx.abs() - frame.half.0).max(0.0)).hypot((dy.abs() - frame.half.1).max(0.0));
        let apart = if self.is_cut_off(dots[k].0, &frame) { 60.0 } else { 0.0 };
        100.0 * (outside + covered + on_dots) + 4.0 * crossed as f64 + apart + away
    }

    /// Whether a line runs between a dot and its name; one that runs through the dot does not.
    fn is_cut_off(&self, dot: (f64, f64), frame: &Frame) -> bool {
        const STEPS: u32 = 12;
        let near = |a: (f64, f64), b: (f64, f64), within: f64| (a.0 - b.0).hypot(a.1 - b.1) < within;
        let edge = |dot: f64, middle: f64, half: f64| lesser(greater(dot, middle - half), middle + half);
        let to = (edge(dot.0, frame.middle.0, frame.half.0), edge(dot.1, frame.middle.1, frame.half.1));
        let on = |k: u32| {
            let part = f64::from(k) / f64::from(STEPS);
            (dot.0 + part * (to.0 - dot.0), dot.1 + part * (to.1 - dot.1))
        };
        let between = self.lines.iter().filter(|point| !near(**point, dot, self.dot));
        between.into_iter().any(|point| (0..=STEPS).any(|k| near(on(k), *point, 2.5)))
    }
}

/// The middle of a frame that stands so far from a dot, in one of the directions: the first is to the right of it.
fn beside(frame: Frame, dot: (f64, f64), gap: f64, way: u32) -> (f64, f64) {
    let angle = std::f64::consts::TAU * f64::from(way) / f64::from(DIRECTIONS);
    (dot.0 + angle.cos() * (frame.half.0 + gap), dot.1 + angle.sin() * (frame.half.1 + gap))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const SIZE: f64 = 12.0;

    /// That no name covers another or a dot, or leaves the panel.
    pub(in crate::figures) fn are_apart(ground: &Ground, dots: &[Named<'_>]) {
        let placed = ground.place(dots);
        for (k, frame) in placed.iter().enumerate() {
            let name = dots[k].1;
            assert!(frame.shared(&ground.panel) > frame.area() - 1e-6, "{name} leaves the panel: {frame:?}");
            for (other, (dot, second)) in placed.iter().zip(dots).take(k) {
                assert_eq!(frame.shared(other), 0.0, "{name} covers {second} at {dot:?}");
            }
            for (dot, second) in dots {
                let dot = Frame { middle: *dot, half: (ground.dot, ground.dot) };
                assert_eq!(frame.shared(&dot), 0.0, "{name} covers the dot of {second}");
            }
        }
    }

    fn ground(lines: Vec<(f64, f64)>) -> Ground {
        let panel = Frame { middle: (150.0, 100.0), half: (150.0, 100.0) };
        Ground { panel, lines, dot: 4.0, size: SIZE }
    }

    #[test]
    fn names_of_a_crowd_and_at_the_edges_are_apart() {
        let crowd =
            [(150.0, 100.0), (156.0, 104.0), (150.0, 112.0), (290.0, 8.0), (8.0, 190.0), (295.0, 195.0)];
        let dots: Vec<_> =
            crowd.into_iter().zip(["forward", "gradient", "in place", "kl", "whiten", "reward"]).collect();
        are_apart(&ground(Vec::new()), &dots);
    }

    #[test]
    fn a_name_stays_on_the_side_of_its_dot() {
        let line: Vec<_> = (0..300).map(|x| (f64::from(x), 92.0)).collect();
        let ground = ground(line);
        // Above there is the more room: below stands another name.
        let dots = [((150.0, 97.0), "kl"), ((150.0, 122.0), "policy_loss")];
        let placed = ground.place(&dots);
        assert!(placed[0].middle.1 > 92.0, "{placed:?}");
        are_apart(&ground, &dots);
    }

    #[test]
    fn a_name_goes_out_of_the_way_of_a_line() {
        let ground = ground((0..300).map(|x| (f64::from(x), 20.0)).collect());
        // At the upper edge, where the nearest places are below the dot and on the line.
        let [frame] = ground.place(&[((150.0, 8.0), "kl")])[..] else { panic!("one name") };
        assert!((frame.middle.1 - 20.0).abs() >= frame.half.1, "{frame:?}");
    }
}
