//! What the chapter on generalized advantage estimation shows: `cargo run -p ppo-book --example gae`.

use book::Transcript;
use nalgebra::{DMatrix, DVector, RowDVector, dmatrix, dvector};
use optimized::{Backend, GaeOut, Lambda};
use reference::{
    Ends, Gap, Mask,
    gae::{gae, gae_recursion, td_residual},
    written::powers,
};

const GAMMA: f64 = 0.9;
const LAMBDA: f64 = 0.8;

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    by_hand(&mut page);
    lambdas(&mut page);
    ends(&mut page);
    gaps(&mut page);
    episodes(&mut page);
    wrong(&mut page);
    fast(&mut page);
    page
}

/// Four tokens of a response. The score of 1 came with the last one; β KL has been taken off each.
fn response() -> (DMatrix<f64>, DMatrix<f64>) {
    (dmatrix![-0.01, 0.02, -0.03, 0.995], dmatrix![0.2, 0.1, 0.4, 0.3])
}

/// The advantages of rows without gaps.
fn advantages(r: &DMatrix<f64>, v: &DMatrix<f64>, v_last: f64, lambda: f64) -> DMatrix<f64> {
    let (b, t_len) = r.shape();
    let ends = Ends::after(DVector::from_element(b, v_last), t_len);
    gae(r, v, &Mask::full(b, t_len), &ends, Gap::Skip, GAMMA, &DVector::from_element(b, lambda))
}

// ANCHOR: by_hand
fn by_hand(page: &mut Transcript) {
    let (r, v) = response();
    let (mask, ends, lambda) = (Mask::full(1, 4), Ends::stop(1, 4), dvector![LAMBDA]);

    page.section("inputs");
    page.line(format!("γ = {GAMMA}, λ = {LAMBDA}, V after the last token = 0"));
    page.row("r", &r, 3);
    page.row("V", &v, 3);

    page.section("deltas");
    let delta = td_residual(&r, &v, &mask, &ends, Gap::Skip, GAMMA);
    page.row("δ", &delta, 3);

    page.section("sum");
    let weights = powers(GAMMA * LAMBDA, 4);
    page.row("(γλ)^l", &weights, 4);
    for t in 0..4 {
        let terms: Vec<f64> = (0..4 - t).map(|l| weights[l] * delta[t + l]).collect();
        page.row(&format!("terms of Â_{t}"), &terms, 4);
    }
    let adv = gae(&r, &v, &mask, &ends, Gap::Skip, GAMMA, &lambda);
    page.row("Â", &adv, 4);

    page.section("recursion");
    let again = gae_recursion(&r, &v, &mask, &ends, Gap::Skip, GAMMA, &lambda);
    page.row("Â", &again, 4);
    page.line(format!("furthest from the sum: {:.0e}", (again - adv).amax()));
}
// ANCHOR_END: by_hand

fn lambdas(page: &mut Transcript) {
    let (r, v) = response();
    page.section("lambda");
    for lambda in [0.0, LAMBDA, 1.0] {
        page.row(&format!("Â at λ = {lambda}"), &advantages(&r, &v, 0.0, lambda), 4);
    }
    page.row("Â + V at λ = 1", &(advantages(&r, &v, 0.0, 1.0) + &v), 4);
    let discounted = |t: usize| (t..4).map(|k| powers(GAMMA, 4)[k - t] * r[k]).sum::<f64>();
    page.row("Σ γ^l r", &[0, 1, 2, 3].map(discounted), 4);

    page.section("far");
    for lambda in [0.95, 0.99, 1.0] {
        page.line(format!("λ = {lambda:<4}  weight 999 tokens later: {:.1e}", powers(lambda, 1000)[999]));
    }
}

fn ends(page: &mut Transcript) {
    let (r, v) = response();
    page.section("ends");
    page.row("V_T = 0", &advantages(&r, &v, 0.0, LAMBDA), 4);
    page.row("V_T = 0.5", &advantages(&r, &v, 0.5, LAMBDA), 4);
}

/// Two tokens, two of a tool, two tokens. What stands in the tool's slots is nobody's value.
fn with_a_tool() -> (DMatrix<f64>, DMatrix<f64>, Mask) {
    let (r, v) = (dmatrix![-0.02, -0.01, 0.0, 0.0, 0.01, -0.54], dmatrix![0.0, 0.5, 3.3, -2.2, 0.25, 0.75]);
    (r, v, Mask::from_rows(&[[1, 1, 0, 0, 1, 1]]))
}

fn gaps(page: &mut Transcript) {
    let (r, v, mask) = with_a_tool();
    page.section("gaps");
    page.row("m", &RowDVector::from_row_slice(&[1.0, 1.0, 0.0, 0.0, 1.0, 1.0]), 0);
    page.row("r", &shown(&r, &mask), 3);
    page.row("V", &shown(&v, &mask), 3);
    for gap in [Gap::Skip, Gap::Decay, Gap::Cut] {
        let adv = gae(&r, &v, &mask, &Ends::stop(1, 6), gap, GAMMA, &dvector![LAMBDA]);
        page.row(&format!("Â, {gap:?}"), &shown(&adv, &mask), 4);
    }

    page.section("agree");
    let mut v = v;
    v[(0, 4)] = 0.975;
    for gap in [Gap::Skip, Gap::Decay] {
        let adv = gae(&r, &v, &mask, &Ends::stop(1, 6), gap, GAMMA, &dvector![LAMBDA]);
        page.row(&format!("Â, {gap:?}"), &shown(&adv, &mask), 4);
    }
    page.line(format!("V after the gap: {:.3}", v[(0, 4)]));
}

/// NaN where the mask is 0, which is printed as a dot.
fn shown(x: &DMatrix<f64>, mask: &Mask) -> DMatrix<f64> {
    DMatrix::from_fn(x.nrows(), x.ncols(), |row, t| if mask.has((row, t)) { x[(row, t)] } else { f64::NAN })
}

/// Two episodes in one buffer: the first ends with its second step.
fn episodes(page: &mut Transcript) {
    let (r, v) = (dmatrix![0.0, 1.0, 0.0, -1.0], dmatrix![0.6, 0.8, 0.5, -0.4]);
    let mask = Mask::full(1, 4);
    let mut ends = Ends::stop(1, 4);
    let of = |ends: &Ends| gae(&r, &v, &mask, ends, Gap::Skip, GAMMA, &dvector![LAMBDA]);
    page.section("episodes");
    page.row("r", &r, 1);
    page.row("V", &v, 1);
    let as_one = of(&ends);
    ends.terminated[(0, 1)] = true;
    page.row("Â, two", &of(&ends), 4);
    page.row("Â, as one", &as_one, 4);
    ends.terminated[(0, 1)] = false;
    ends.terminated[(0, 2)] = true;
    page.row("Â, one late", &of(&ends), 4);
}

fn wrong(page: &mut Transcript) {
    let (r, v) = response();
    page.section("padding");
    let (r, v) =
        (r.insert_columns(4, 2, 0.0), v.insert_columns(4, 2, 0.0) + dmatrix![0.0, 0.0, 0.0, 0.0, 9.9, -7.7]);
    page.row("V", &v, 1);
    let padded = Mask::from_rows(&[[1, 1, 1, 1, 0, 0]]);
    for (name, mask) in [("Â, masked", padded.clone()), ("Â, not masked", Mask::full(1, 6))] {
        let adv = gae(&r, &v, &mask, &Ends::stop(1, 6), Gap::Skip, GAMMA, &dvector![LAMBDA]);
        page.row(name, &shown(&adv, &padded), 4);
    }

    page.section("twice");
    let (r, v, v_last) = (dmatrix![0.1, -0.2, 0.3], dmatrix![0.5, 0.4, -0.1], 2.0);
    page.line(format!("λ = 1, V_T = {v_last:.1}"));
    page.row("r", &r, 1);
    page.row("V", &v, 1);
    let right = advantages(&r, &v, v_last, 1.0);
    page.row("Â", &right, 3);
    // V_T is in the last δ already; here the recursion starts from it once more.
    let twice = RowDVector::from_fn(3, |_, t| right[t] + powers(GAMMA, 4)[3 - t] * v_last);
    page.row("Â, V_T twice", &twice, 3);

    page.section("shifted");
    let (r, v) = response();
    let shifted = RowDVector::from_fn(4, |_, t| if t < 3 { v[t + 1] } else { 0.0 });
    page.row("Â", &advantages(&r, &v, 0.0, LAMBDA), 4);
    page.row(
        "Â, V one early",
        &advantages(&r, &DMatrix::from_row_slice(1, 4, shifted.as_slice()), 0.0, LAMBDA),
        4,
    );
}

/// The first response once more, in f32, by every backend of this machine.
fn fast(page: &mut Transcript) {
    let (r, v) = ([-0.01_f32, 0.02, -0.03, 0.995], [0.2_f32, 0.1, 0.4, 0.3]);
    let mask = optimized::Mask::padded(&[true; 4], 1, 4).expect("one row of four");
    let on = |backend: Backend| {
        let mut adv = [0.0; 4];
        let out = GaeOut { adv: &mut adv, ret: None };
        let ends = optimized::Ends::default();
        optimized::gae(backend, &r, &v, &mask, &ends, optimized::Gap::Skip, GAMMA, Lambda::One(LAMBDA), out)
            .expect("the arguments fit");
        adv
    };
    page.section("fast");
    let adv = on(Backend::best());
    page.row("Â in f32", &adv.map(f64::from), 7);
    page.line(format!("{:<18}{}", "its bits", adv.map(|a| format!("{:>10x}", a.to_bits())).concat()));
    let other = Backend::available()
        .into_iter()
        .filter(|backend| on(*backend).map(f32::to_bits) != adv.map(f32::to_bits));
    page.line(format!("backends of this machine with other bits: {}", other.count()));
}
