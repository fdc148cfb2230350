//! What the chapter on returns shows: `cargo run -p ppo-book --example returns`.

use book::Transcript;
use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use optimized::Backend;
use reference::{
    Agg, Ends, Gap, Half, Mask, Settings, ValueClip, gae::gae, returns::returns, value_loss::value_loss,
    whiten::whiten,
};

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    by_hand(&mut page);
    level(&mut page);
    scale(&mut page);
    perfect(&mut page);
    descent(&mut page);
    wrong(&mut page);
    fast(&mut page);
    page
}

/// Raw advantages at γ = 1, without padding and with V = 0 after the last token.
fn advantages(r: &DMatrix<f64>, v: &DMatrix<f64>, lambda: f64) -> DMatrix<f64> {
    let (b, t_len) = r.shape();
    let (mask, lambda) = (Mask::full(b, t_len), DVector::from_element(b, lambda));
    gae(r, v, &mask, &Ends::stop(b, t_len), Gap::Skip, 1.0, &lambda)
}

/// The post's whitening.
fn whitened(adv: &DMatrix<f64>) -> DMatrix<f64> {
    let how = Settings::default().whitening.expect("the post whitens");
    whiten(adv, &Mask::full(adv.nrows(), adv.ncols()), how).adv
}

// ANCHOR: by_hand
fn by_hand(page: &mut Transcript) {
    let (r, v) = (dmatrix![0.0, 1.0], dmatrix![0.5, 0.25]);
    let (mask, ends) = (Mask::full(1, 2), Ends::stop(1, 2));
    page.section("by-hand");
    page.row("r", &r, 3);
    page.row("V_old", &v, 3);
    for lambda in [0.0, 0.5, 1.0] {
        let adv_raw = gae(&r, &v, &mask, &ends, Gap::Skip, 1.0, &dvector![lambda]);
        page.row(&format!("λ = {lambda}: Â"), &adv_raw, 3);
        page.row("R", &returns(&adv_raw, &v, &mask), 3);
    }
}
// ANCHOR_END: by_hand

/// Two responses of three tokens, and a critic that expects too little of both.
fn batch() -> (DMatrix<f64>, DMatrix<f64>) {
    (dmatrix![0.0, 0.0, 1.0; 0.0, 0.0, 0.6], dmatrix![0.1, 0.2, 0.3; 0.0, 0.1, 0.2])
}

// ANCHOR: level
fn level(page: &mut Transcript) {
    let (r, v) = batch();
    let adv_raw = advantages(&r, &v, 1.0);
    let mask = Mask::full(2, 3);
    page.section("level");
    page.row("V_old", v.transpose().iter(), 3);
    page.row("R", returns(&adv_raw, &v, &mask).transpose().iter(), 3);
    page.row("R, whitened Â", returns(&whitened(&adv_raw), &v, &mask).transpose().iter(), 3);
    page.line(format!("mean V_old {:.3}", v.mean()));
    page.line(format!("mean R {:.3}", returns(&adv_raw, &v, &mask).mean()));
    page.line(format!("mean R, from the whitened Â: {:.3}", returns(&whitened(&adv_raw), &v, &mask).mean()));
}
// ANCHOR_END: level

/// L_V of the first inner epoch, where V is V_old, for rewards and values of another unit.
fn first_loss(k: f64, of_whitened: bool) -> f64 {
    let (r, v) = batch();
    let (r, v) = (k * r, k * v);
    let adv_raw = advantages(&r, &v, 1.0);
    let ret = if of_whitened { whitened(&adv_raw) + &v } else { adv_raw + &v };
    let (form, agg) = (ValueClip::Max, Agg::TokenMean);
    value_loss(&v, &v, &ret, &Mask::full(2, 3), 0.2, form, agg, Half::No).loss
}

fn scale(page: &mut Transcript) {
    page.section("scale");
    for k in [0.001, 1.0, 100.0] {
        let name = format!("rewards × {k}");
        page.line(format!(
            "{name:<16} L_V {:<13.7} from the whitened Â: {:.6}",
            first_loss(k, false),
            first_loss(k, true)
        ));
    }
}

/// A critic that is right to a millionth.
fn perfect(page: &mut Transcript) {
    let r = dmatrix![0.0, 0.0, 1.0];
    let v = dmatrix![1.0, 1.000001, 0.999999];
    let adv_raw = advantages(&r, &v, 1.0);
    let mask = Mask::full(1, 3);
    page.section("perfect");
    page.row("V_old", &v, 6);
    page.row("R", &returns(&adv_raw, &v, &mask), 6);
    page.row("R, whitened Â", &returns(&whitened(&adv_raw), &v, &mask), 6);
}

/// A critic of one number for every state, fitted rollout after rollout to rewards that stay the same.
fn descent(page: &mut Transcript) {
    let (r, _) = batch();
    page.section("descent");
    page.line("V of every token, after so many rollouts; each moves V half of the way to the mean of R");
    page.row("rollouts", &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0);
    for (name, of_whitened) in [("R", false), ("R, whitened Â", true)] {
        let mut v = 0.1;
        let mut path = vec![v];
        for _ in 0..6 {
            let v_old = DMatrix::from_element(2, 3, v);
            let adv_raw = advantages(&r, &v_old, 1.0);
            let adv = if of_whitened { whitened(&adv_raw) } else { adv_raw };
            v += 0.5 * (returns(&adv, &v_old, &Mask::full(2, 3)).mean() - v);
            path.push(v);
        }
        page.row(name, &path, 3);
    }
}

fn wrong(page: &mut Transcript) {
    let (r, v) = (dmatrix![0.0, 1.0], dmatrix![0.5, 0.25]);
    let mask = Mask::full(1, 2);
    let adv_raw = advantages(&r, &v, 0.5);
    page.section("wrong");
    page.row("R", &returns(&adv_raw, &v, &mask), 3);
    page.row("Â not there", &returns(&DMatrix::zeros(1, 2), &v, &mask), 3);
    page.row("R = r", &r, 3);
    // V after the first update instead of the one that Â was measured against.
    page.row("with V now", &returns(&adv_raw, &dmatrix![0.7, 0.45], &mask), 3);
}

/// In f32: in its own pass, and in the pass of GAE.
fn fast(page: &mut Transcript) {
    let (r, v) = ([0.0_f32, 1.0], [0.5_f32, 0.25]);
    let mask = optimized::Mask::padded(&[true; 2], 1, 2).expect("one row of two");
    let on = |backend: Backend| {
        let ([mut adv, mut in_gae], mut ret) = ([[0.0; 2]; 2], [0.0; 2]);
        let (ends, lambda) = (optimized::Ends::default(), optimized::Lambda::One(0.5));
        let out = optimized::GaeOut { adv: &mut adv, ret: Some(&mut in_gae) };
        optimized::gae(backend, &r, &v, &mask, &ends, optimized::Gap::Skip, 1.0, lambda, out)
            .and_then(|_| optimized::returns(backend, &adv, &v, &mask, &mut ret))
            .expect("the arguments fit");
        [ret, in_gae]
    };
    page.section("fast");
    let [ret, in_gae] = on(Backend::best());
    page.row("R in f32", &ret.map(f64::from), 3);
    page.row("in GAE's pass", &in_gae.map(f64::from), 3);
    let same = |x: [f32; 2]| x.map(f32::to_bits) == ret.map(f32::to_bits);
    let other = Backend::available().into_iter().filter(|backend| !on(*backend).into_iter().all(same));
    page.line(format!("backends of this machine with other bits: {}", other.count()));
}
