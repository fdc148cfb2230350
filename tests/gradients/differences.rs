//! The numeric side: difference quotients whose error is split into truncation and rounding.
//!
//! # Central differences
//!
//! D(h) = (f(x + h) − f(x − h)) / 2h = f′ + a h² + b h⁴ + …, a = f‴/6 and b = f⁗′/120. So
//!
//! - truncation of D(h/2) is a h²/4, and T = (D(h) − D(h/2)) / 3 is that up to b h⁴/4;
//! - what T misses is measured in turn: E(h) = D(h/2) − T is off by b h⁴/4, E(2h) by sixteen times as
//!   much, so it is (E(2h) − E(h)) / 15;
//! - rounding: where one value of f is off by at most `err`, D(h) is by err/h and E(h) by
//!   (4 · 2 + 1)/3 = 3 err/h; the measurement of b adds (3 + 1.5)/15. Together under 4 err/h. The closed
//!   form's own roundings have no 1/h; they are allowed 8 err (it is made of the same intermediate
//!   results) and sixteen roundings of the gradient itself.
//!
//! D(h/2) − T must meet the closed form within the second and third. That is stronger than to allow D(h/2)
//! the whole of T: a wrong gradient has no T to hide in. x ± h is exact, since inputs are on a grid.
//!
//! At most a twenty-fourth of the bound is used (819 checks), and where f is linear nothing: `err` is the
//! worst case of every rounding of f at once, while one entry moves and the others round as before, which
//! cancels in f(x + h) − f(x − h). No bound made of the size of f can know that.
//!
//! # One-sided differences
//!
//! F(s) = (f(x + s) − f(x)) / s = f′ + a s + b s² + c s³ + …. G(h) = (8 F(h/4) − 6 F(h/2) + F(h)) / 3
//! loses a and b and is off by c h³/8; G(2h) by eight times as much, so c h³/8 = (G(2h) − G(h)) / 7.
//! Rounding of G(h) is (8·8 + 6·4 + 2)/3 = 30 err/h, of the measurement (30 + 15)/7: under 40 err/h.

use nalgebra::DMatrix;

/// The step h. Inputs keep 10 h away from every kink, and 2h is the farthest that f is evaluated.
pub(crate) const H: f64 = 1.0 / 1024.0;

/// Half a unit in the last place of 1: the relative error of one rounding.
pub(crate) const U: f64 = f64::EPSILON / 2.0;

/// The worst slope of one check, in its share of what was allowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Worst {
    truncation: f64,
    rounding: f64,
    allowed: f64,
    slopes: usize,
}

/// Holds the gradient of f in every entry of a matrix. Entries that are not finite (NaN in masked slots,
/// forbidden logits at −∞) are not moved, and their gradient must be 0.
pub(crate) fn hold(
    name: &str,
    at: &DMatrix<f64>,
    grad: &DMatrix<f64>,
    err: f64,
    f: impl Fn(&DMatrix<f64>) -> f64,
) {
    let only = |x: &[DMatrix<f64>]| f(&x[0]);
    hold_each(name, std::slice::from_ref(at), std::slice::from_ref(grad), err, only);
}

/// [`hold`] for a list of matrices.
pub(crate) fn hold_each(
    name: &str,
    at: &[DMatrix<f64>],
    grad: &[DMatrix<f64>],
    err: f64,
    f: impl Fn(&[DMatrix<f64>]) -> f64,
) {
    assert!(err > 0.0 && err.is_finite(), "{name}: the error of one evaluation is {err}");
    let mut worst = Worst { truncation: 0.0, rounding: 0.0, allowed: 1.0, slopes: 0 };
    let mut moved = at.to_vec();
    for which in 0..at.len() {
        assert_eq!(at[which].shape(), grad[which].shape(), "{name}: shape of the gradient");
        for slot in 0..at[which].len() {
            let (x, g) = (at[which][slot], grad[which][slot]);
            if !x.is_finite() {
                assert_eq!(g, 0.0, "{name}: [{which}] entry {slot} is {x}, so nothing depends on it");
                continue;
            }
            let mut value = |step: f64| {
                assert_eq!((x + step) - x, step, "{name}: {x} is not on the grid");
                moved[which][slot] = x + step;
                f(&moved)
            };
            let one = central(&mut value, g, err);
            moved[which][slot] = x;
            assert!(
                one.rounding <= one.allowed,
                "{name}: [{which}] entry {slot} is {x}: the closed form says {g:e} and differences say \
                 {:e}, off {:e} where {:e} is allowed (truncation of {:e} taken off)",
                g + one.rounding,
                one.rounding,
                one.allowed,
                one.truncation
            );
            let slopes = worst.slopes + 1;
            if one.rounding / one.allowed >= worst.rounding / worst.allowed {
                worst = one;
            }
            worst.slopes = slopes;
        }
    }
    assert!(worst.slopes > 0, "{name}: nothing was moved");
    let Worst { truncation, rounding, allowed, slopes } = worst;
    println!(
        "{name}: {slopes} slopes, truncation {truncation:.1e}, rounding {rounding:.1e} of {allowed:.1e}, \
         used {:.3}",
        rounding / allowed
    );
}

/// One slope: what is left of D(h/2) − g when its truncation is taken off.
fn central(value: &mut impl FnMut(f64) -> f64, g: f64, err: f64) -> Worst {
    let mut d = |h: f64| (value(h) - value(-h)) / (2.0 * h);
    let (twice, full, half) = (d(2.0 * H), d(H), d(H / 2.0));
    let truncation = (full - half) / 3.0;
    let (extrapolated, wider) = (half - truncation, full - (twice - full) / 3.0);
    let left = (wider - extrapolated).abs() / 15.0;
    Worst {
        truncation: truncation.abs(),
        rounding: (extrapolated - g).abs(),
        allowed: left + 4.0 * err / H + 8.0 * err + 16.0 * U * g.abs(),
        slopes: 1,
    }
}

/// Which side of a kink a tie keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// The slope to the left.
    Left,
    /// The slope to the right.
    Right,
    /// Neither, but 0 between them: |x| at 0.
    Zero,
}

/// Holds the closed form at a kink: the one-sided slopes there differ, the closed form is the kept one, and
/// the other one is `other`.
pub(crate) fn hold_kink(
    name: &str,
    at: f64,
    grad: f64,
    keeps: Keeps,
    other: f64,
    err: f64,
    f: impl Fn(f64) -> f64,
) {
    let (left, left_allowed) = one_sided(at, -1.0, err, &f);
    let (right, right_allowed) = one_sided(at, 1.0, err, &f);
    let allowed = left_allowed.max(right_allowed);
    let told = format!("{name} at {at}: left {left:e}, right {right:e}, closed form {grad:e}");
    println!("{told}, allowed {allowed:.1e}");
    assert!((left - right).abs() > 4.0 * allowed, "{told}: this is no kink");
    let (kept, left_over) = match keeps {
        Keeps::Left => (left, right),
        Keeps::Right => (right, left),
        Keeps::Zero => (0.0, right),
    };
    assert!((kept - grad).abs() <= allowed, "{told}: a tie keeps {keeps:?}");
    assert!((left_over - other).abs() <= allowed, "{told}: the other side is {other:e}");
}

/// G(h) towards one side and what it may be off by.
fn one_sided(at: f64, side: f64, err: f64, f: &impl Fn(f64) -> f64) -> (f64, f64) {
    let quotient = |s: f64| {
        assert_eq!((at + side * s) - at, side * s, "{at} is not on the grid");
        (f(at + side * s) - f(at)) / (side * s)
    };
    let g = |h: f64| (8.0 * quotient(h / 4.0) - 6.0 * quotient(h / 2.0) + quotient(h)) / 3.0;
    let (near, far) = (g(H), g(2.0 * H));
    (near, (far - near).abs() / 7.0 + 40.0 * err / H + 8.0 * err)
}

/// The helper earns its keep: a right slope passes, a slope wrong in its ninth digit does not.
#[test]
fn a_slope_wrong_by_a_millionth_of_a_percent_is_seen() {
    let (at, f) = (DMatrix::from_element(1, 1, 0.5), |x: &DMatrix<f64>| x[0] * x[0] * x[0]);
    let check = |slope: f64| {
        let grad = DMatrix::from_element(1, 1, slope);
        std::panic::catch_unwind(|| hold("x³", &at, &grad, 3.0 * U * 0.2, f)).is_ok()
    };
    assert!(check(0.75));
    assert!(!check(0.75 * (1.0 + 1e-8)));
}
