//! What holds the numbers: `cargo run -p ppo-book --example proof`.

use book::{Transcript, number};
use conformance::budget::{self, Precision};
use nalgebra::{DMatrix, DVector, dmatrix};
use optimized::{Agg, Backend, Half, ValueClip, ValueOut};
use reference::{
    Ends, Gap, Mask,
    gae::{gae, gae_recursion},
    nan::greater,
    rng::Rng,
    value_loss::{value_loss, value_loss_grad},
};

type Wrong = Box<dyn std::error::Error>;

fn main() -> Result<(), Wrong> {
    print!("{}", listing()?);
    Ok(())
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Result<Transcript, Wrong> {
    let mut text = Transcript::new();
    two_ways(&mut text);
    slopes(&mut text);
    cancels(&mut text)?;
    dropped(&mut text);
    Ok(text)
}

/// The sum of the post and the recursion that every trainer runs.
fn two_ways(text: &mut Transcript) {
    text.section("two_ways");
    let mut rng = Rng::of(&[3]);
    let mut draw = || DMatrix::from_fn(4, 200, |_, _| rng.normal());
    let (r, v) = (draw(), draw());
    let (mask, ends) = (Mask::full(4, 200), Ends::after(dvec(0.5), 200));
    let made = [gae, gae_recursion].map(|gae| gae(&r, &v, &mask, &ends, Gap::Skip, 0.9, &dvec(0.8)));
    let off = made[0].zip_map(&made[1], |a, b| (a - b).abs());
    let (largest, size) =
        (off.iter().copied().fold(0.0, greater), made[0].abs().iter().copied().fold(0.0, greater));
    text.line("4 rows of 200 tokens, γ = 0.9, λ = 0.8, V after the end 0.5");
    text.line(format!("largest advantage {}, largest difference {largest:.0e}", number(size, 2)));
}

fn dvec(x: f64) -> DVector<f64> {
    DVector::from_element(4, x)
}

/// A gradient against differences of its loss.
fn slopes(text: &mut Transcript) {
    text.section("slopes");
    let (v_old, ret, mask) = (dmatrix![0.25, 0.0], dmatrix![1.0, -0.5], Mask::full(1, 2));
    let loss = |v: f64| {
        let v = dmatrix![v, 0.125];
        value_loss(&v, &v_old, &ret, &mask, 0.25, ValueClip::Max, Agg::TokenMean, Half::Yes).loss
    };
    text.line("V      derived   by differences");
    for v in [0.375, 0.75, -0.5] {
        let at = dmatrix![v, 0.125];
        let form = ValueClip::Max;
        let grad = value_loss_grad(&at, &v_old, &ret, &mask, 0.25, form, Agg::TokenMean, Half::Yes)[0];
        let h = 1e-6;
        let difference = (loss(v + h) - loss(v - h)) / (2.0 * h);
        text.line(format!("{v:<7}{:<10}{}", number(grad, 6), number(difference, 6)));
    }
}

/// A return close to the bound of the clip: the bound was rounded, and what is left of it is squared.
fn cancels(text: &mut Transcript) -> Result<(), Wrong> {
    text.section("cancels");
    text.line("R − bound   L_V in f64   f32 is off by   budget   3 roundings of L_V");
    let unit = f64::from(f32::EPSILON) / 2.0;
    for gap in [0.5f32, 1e-2, 1e-4] {
        let (v, v_old, ret, eps_v) = ([3.5 + gap / 2.0], [3.3f32], [3.5 + gap], 0.2);
        let (form, agg, half) = (ValueClip::Max, Agg::TokenMean, Half::Yes);
        let flat = optimized::Mask::padded(&[true], 1, 1)?;
        let on = Backend::best();
        let out = ValueOut::default();
        let got = optimized::value_loss(on, &v, &v_old, &ret, &flat, eps_v, form, agg, half, out)?.loss;

        let [v, v_old, ret] = [&v, &v_old, &ret].map(|x| dmatrix![f64::from(x[0])]);
        let mask = Mask::full(1, 1);
        let want = value_loss(&v, &v_old, &ret, &mask, eps_v, form, agg, half).loss;
        let p = Precision::F32;
        let [v, v_old, ret] = [&v, &v_old, &ret].map(|x| p.read(x));
        let allowed = budget::value_loss(p, &v, &v_old, &ret, &mask, eps_v, form, agg, half).loss.off;
        let off = (f64::from(got) - want).abs();
        text.line(format!("{gap:<12e}{want:<13.3e}{off:<16.1e}{allowed:<9.1e}{:.1e}", 3.0 * unit * want));
    }
    Ok(())
}

/// The maximum of a library drops a NaN.
fn dropped(text: &mut Transcript) {
    text.section("dropped");
    text.line(format!("f64::max(NaN, 0.04)  {}", f64::NAN.max(0.04)));
    text.line(format!("greater(NaN, 0.04)   {}", greater(f64::NAN, 0.04)));
}
