//! G5: what the clip of the value loss does to four tokens, V_old = 0, ε_v = .2.

use crate::{
    fixtures::SUM,
    printed::{exactly, printed},
};
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Half, Mask, ValueClip,
    value_loss::{ValueLoss, value_loss, value_loss_grad},
};

/// V, R, plain, clipped, max, and the gradients of the max and of SB3's form.
const ROWS: [(f64, f64, &str, &str, &str, f64, f64); 4] = [
    (0.5, 1.0, ".25", ".64", ".64", 0.0, 0.0),
    (-0.5, 1.0, "2.25", "1.44", "2.25", -3.0, 0.0),
    (0.5, 0.2, ".09", "0.00", ".09", 0.6, 0.0),
    (0.1, 1.0, ".81", ".81", ".81", -1.8, -1.8),
];

fn loss(v: f64, ret: f64, form: ValueClip) -> ValueLoss {
    let (v, ret, mask) = (dmatrix![v], dmatrix![ret], Mask::full(1, 1));
    value_loss(&v, &DMatrix::zeros(1, 1), &ret, &mask, 0.2, form, SUM, Half::No)
}

fn gradient(v: f64, ret: f64, form: ValueClip) -> f64 {
    let (v, ret, mask) = (dmatrix![v], dmatrix![ret], Mask::full(1, 1));
    value_loss_grad(&v, &DMatrix::zeros(1, 1), &ret, &mask, 0.2, form, SUM, Half::No)[0]
}

#[test]
fn each_form_gives_its_own_error() {
    for (v, ret, plain, clipped, max, ..) in ROWS {
        for (form, figure) in
            [(ValueClip::Off, plain), (ValueClip::ClippedOnly, clipped), (ValueClip::Max, max)]
        {
            printed(loss(v, ret, form).loss, figure);
            exactly(loss(v, ret, form).loss, figure.parse().unwrap());
        }
    }
}

#[test]
fn the_clipped_error_wins_in_the_first_row_alone() {
    let wins = ROWS.map(|(v, ret, ..)| loss(v, ret, ValueClip::Max).clip_frac);
    assert_eq!(wins, [1.0, 0.0, 0.0, 0.0]);
}

#[test]
fn the_max_keeps_the_gradient_of_a_value_that_went_the_wrong_way() {
    for (v, ret, .., max, _) in ROWS {
        exactly(gradient(v, ret, ValueClip::Max), max);
    }
}

/// SB3's form has no max: rows 2 and 3 are stuck where they are.
#[test]
fn the_clipped_form_alone_leaves_a_value_stuck() {
    for (v, ret, .., sb3) in ROWS {
        exactly(gradient(v, ret, ValueClip::ClippedOnly), sb3);
    }
}

/// With `>=` in place of `>` every token inside the range counts: all of them at the first inner step.
#[test]
fn only_a_strict_comparison_makes_a_clip_fraction() {
    let (v, ret) = (dmatrix![0.1, -0.1, 0.05, 0.0], dmatrix![1.0, -3.0, 0.05, 7.0]);
    let mask = Mask::full(1, 4);
    let of = |form| value_loss(&v, &DMatrix::zeros(1, 4), &ret, &mask, 0.2, form, SUM, Half::No);
    let (plain, clipped) = (of(ValueClip::Off).per_token, of(ValueClip::ClippedOnly).per_token);
    let at_least = plain.iter().zip(&clipped).filter(|(plain, clipped)| clipped >= plain).count();
    assert_eq!(at_least, 4);
    assert_eq!(of(ValueClip::Max).clip_frac, 0.0);
}

/// Here a tie keeps the plain branch: V exactly at its bound has the whole gradient.
#[test]
fn at_the_bound_itself_the_gradient_is_that_of_the_plain_error() {
    for bound in [0.2, -0.2] {
        for form in [ValueClip::Max, ValueClip::ClippedOnly] {
            exactly(gradient(bound, 1.0, form), 2.0 * (bound - 1.0));
        }
    }
}

/// Torch's `max` and `min` of two tensors split a tie in halves. Its `clamp` is said to pass 1 at the bound; 2.15
/// passes 0. So the slope of verl's clip, a min and then a max, is ½ there, and V_old + clamp(V − V_old)'s is another.
#[test]
fn at_the_bound_itself_torch_s_gradient_depends_on_how_the_clip_is_written() {
    // The plain and the clipped error are both V − R, so their max is a tie too: half of each one's gradient.
    let torch = |v: f64, ret: f64, slope: f64| 0.5 * 2.0 * (v - ret) + 0.5 * 2.0 * (v - ret) * slope;
    for (bound, by_min_and_max, by_clamp, by_clamp_of_2_15) in
        [(0.2, -1.2, -1.6, -0.8), (-0.2, -1.8, -2.4, -1.2)]
    {
        exactly(torch(bound, 1.0, 0.5), by_min_and_max);
        exactly(torch(bound, 1.0, 1.0), by_clamp);
        exactly(torch(bound, 1.0, 0.0), by_clamp_of_2_15);
        exactly(gradient(bound, 1.0, ValueClip::Max), by_clamp);
    }
    // Inside the range, row 4, every clip has slope 1 and all of them agree.
    exactly(torch(0.1, 1.0, 1.0), gradient(0.1, 1.0, ValueClip::Max));
}
