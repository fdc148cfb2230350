//! What the chapter on the value loss shows: `cargo run -p ppo-book --example value-loss`.

use book::Transcript;
use nalgebra::{DMatrix, dmatrix};
use optimized::{Backend, ValueOut};
use reference::{
    Agg, Half, Mask, ValueClip,
    value_loss::{ValueLoss, value_loss, value_loss_grad},
};

/// ε_v of the four tokens.
const EPS_V: f64 = 0.2;

const FORMS: [ValueClip; 3] = [ValueClip::Max, ValueClip::ClippedOnly, ValueClip::Off];

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    by_hand(&mut page);
    four(&mut page);
    doubled(&mut page);
    descent(&mut page);
    wrong(&mut page);
    fast(&mut page);
    page
}

fn loss(
    v: &DMatrix<f64>,
    v_old: &DMatrix<f64>,
    ret: &DMatrix<f64>,
    eps_v: f64,
    form: ValueClip,
) -> ValueLoss {
    value_loss(v, v_old, ret, &Mask::full(1, v.ncols()), eps_v, form, Agg::TokenMean, Half::No)
}

/// ∂L_V/∂V of each token by itself: of its own squared error and not of the mean.
fn slope(
    v: &DMatrix<f64>,
    v_old: &DMatrix<f64>,
    ret: &DMatrix<f64>,
    eps_v: f64,
    form: ValueClip,
) -> DMatrix<f64> {
    let n = v.ncols() as f64;
    n * value_loss_grad(v, v_old, ret, &Mask::full(1, v.ncols()), eps_v, form, Agg::TokenMean, Half::No)
}

// ANCHOR: by_hand
fn by_hand(page: &mut Transcript) {
    let (v, v_old, ret) = (dmatrix![0.75, 0.5], dmatrix![0.25, 0.5], dmatrix![1.0, 0.25]);
    let eps_v = 0.25;
    page.section("inputs");
    page.line(format!("ε_v = {eps_v}"));
    page.row("V", &v, 2);
    page.row("V_old", &v_old, 2);
    page.row("R", &ret, 2);

    page.section("by-hand");
    let of = |form| loss(&v, &v_old, &ret, eps_v, form);
    page.row("(V − R)²", &of(ValueClip::Off).per_token, 4);
    page.row("(V_clip − R)²", &of(ValueClip::ClippedOnly).per_token, 4);
    page.row("the larger", &of(ValueClip::Max).per_token, 4);
    page.line(format!("L_V = {}", of(ValueClip::Max).loss));
    page.line(format!("clip_frac = {}", of(ValueClip::Max).clip_frac));
    page.row("slope", &slope(&v, &v_old, &ret, eps_v, ValueClip::Max), 2);
}
// ANCHOR_END: by_hand

/// Four tokens that show each case: V_old = 0 for all.
fn cases() -> (DMatrix<f64>, DMatrix<f64>, DMatrix<f64>) {
    (dmatrix![0.5, -0.5, 0.5, 0.1], dmatrix![0.0, 0.0, 0.0, 0.0], dmatrix![1.0, 1.0, 0.2, 1.0])
}

fn four(page: &mut Transcript) {
    let (v, v_old, ret) = cases();
    page.section("four");
    page.line(format!("V_old = 0, ε_v = {EPS_V}"));
    page.row("V", &v, 2);
    page.row("R", &ret, 2);
    for form in FORMS {
        page.row(&format!("{form:?}"), &loss(&v, &v_old, &ret, EPS_V, form).per_token, 2);
    }
    for form in FORMS {
        page.row(&format!("slope, {form:?}"), &slope(&v, &v_old, &ret, EPS_V, form), 2);
    }
}

/// The first exercise, and a return inside the range.
fn doubled(page: &mut Transcript) {
    let (v, v_old, ret) = cases();
    page.section("doubled");
    for eps_v in [EPS_V, 2.0 * EPS_V] {
        page.row(
            &format!("loss, ε_v = {eps_v}"),
            &loss(&v, &v_old, &ret, eps_v, ValueClip::Max).per_token,
            2,
        );
        page.row(&format!("slope, ε_v = {eps_v}"), &slope(&v, &v_old, &ret, eps_v, ValueClip::Max), 2);
    }
    page.section("inside");
    let (v, v_old, ret) = (dmatrix![0.15, 0.3, -0.5], DMatrix::zeros(1, 3), DMatrix::from_element(1, 3, 0.1));
    page.row("V, with R = 0.1", &v, 2);
    page.row("clipped", &loss(&v, &v_old, &ret, EPS_V, ValueClip::ClippedOnly).per_token, 4);
    page.row("plain", &loss(&v, &v_old, &ret, EPS_V, ValueClip::Off).per_token, 4);
}

/// One token, descended by its own slope: the clip decides when its pull ends, not where V ends.
fn descent(page: &mut Transcript) {
    let (v_old, ret, rate) = (dmatrix![0.0], dmatrix![1.0], 0.3);
    page.section("descent");
    page.line(format!("V_old = 0, R = 1, ε_v = {EPS_V}, V ← V − {rate} · slope"));
    for (start, form) in [(0.0, ValueClip::Max), (-0.5, ValueClip::Max), (-0.5, ValueClip::ClippedOnly)] {
        let mut v = dmatrix![start];
        let mut path = vec![start];
        for _ in 0..6 {
            v -= rate * slope(&v, &v_old, &ret, EPS_V, form);
            path.push(v[0]);
        }
        page.row(&format!("V, {form:?}"), &path, 4);
    }
}

fn wrong(page: &mut Transcript) {
    let (v, v_old, ret) = cases();
    let all = |form, eps_v| loss(&v, &v_old, &ret, eps_v, form);

    page.section("min");
    let smaller = |t: usize| {
        if all(ValueClip::ClippedOnly, EPS_V).per_token[t] < all(ValueClip::Off, EPS_V).per_token[t] {
            all(ValueClip::ClippedOnly, EPS_V).per_token[t]
        } else {
            all(ValueClip::Off, EPS_V).per_token[t]
        }
    };
    page.row("the larger", &all(ValueClip::Max, EPS_V).per_token, 2);
    page.row("the smaller", &[0, 1, 2, 3].map(smaller), 2);

    page.section("units");
    let scaled = |k: f64, eps_v: f64| loss(&(k * &v), &(k * &v_old), &(k * &ret), eps_v, ValueClip::Max);
    for (k, eps_v) in [(1.0, EPS_V), (100.0, 100.0 * EPS_V), (100.0, EPS_V)] {
        let made = scaled(k, eps_v);
        let name = format!("rewards × {k}, ε_v = {eps_v}");
        page.line(format!(
            "{name:<28} L_V / {:<7} {:.4}   clip_frac {:.2}",
            format!("{}:", k * k),
            made.loss / (k * k),
            made.clip_frac
        ));
    }

    page.section("at-least");
    let inside = dmatrix![0.1, -0.1, 0.05, 0.0];
    let target = dmatrix![1.0, -3.0, 0.05, 7.0];
    let of = |form| loss(&inside, &v_old, &target, EPS_V, form);
    let ties = of(ValueClip::ClippedOnly)
        .per_token
        .iter()
        .zip(&of(ValueClip::Off).per_token)
        .filter(|(c, p)| c >= p)
        .count();
    page.row("V", &inside, 2);
    page.line(format!("share with clipped > plain:  {:.1}", of(ValueClip::Max).clip_frac));
    page.line(format!("share with clipped >= plain: {:.1}", ties as f64 / 4.0));

    page.section("half");
    let mask = Mask::full(1, 4);
    for half in [Half::No, Half::Yes] {
        let made = value_loss(&v, &v_old, &ret, &mask, EPS_V, ValueClip::Max, Agg::TokenMean, half);
        page.line(format!("Half::{half:?}: L_V = {:.4}, times c_V = 0.5: {:.4}", made.loss, 0.5 * made.loss));
    }

    page.section("moving");
    // V_old overwritten by what the critic said a moment ago: nothing is ever clipped.
    for (name, old) in [("V_old kept", &v_old), ("V_old = V", &v)] {
        let made = loss(&v, old, &ret, EPS_V, ValueClip::Max);
        page.line(format!("{name:<12} L_V = {:.4}   clip_frac {:.2}", made.loss, made.clip_frac));
    }
}

/// The first two tokens once more, in f32, by every backend of this machine.
fn fast(page: &mut Transcript) {
    let (v, v_old, ret) = ([0.75_f32, 0.5], [0.25_f32, 0.5], [1.0_f32, 0.25]);
    let mask = optimized::Mask::padded(&[true; 2], 1, 2).expect("one row of two");
    let on = |backend: Backend| {
        let (form, agg, half) = (optimized::ValueClip::Max, optimized::Agg::TokenMean, optimized::Half::No);
        optimized::value_loss(backend, &v, &v_old, &ret, &mask, 0.25, form, agg, half, ValueOut::default())
            .expect("the arguments fit")
    };
    page.section("fast");
    let made = on(Backend::best());
    page.line(format!("L_V = {}, clip_frac = {}", made.loss, made.clip_frac));
    let other =
        Backend::available().into_iter().filter(|backend| on(*backend).loss.to_bits() != made.loss.to_bits());
    page.line(format!("backends of this machine with other bits: {}", other.count()));
}
