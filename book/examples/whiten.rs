//! What the chapter on whitening shows: `cargo run -p ppo-book --example whiten`.

use book::Transcript;
use nalgebra::{DMatrix, dmatrix};
use optimized::Backend;
use reference::{EpsAt, Mask, ShiftMean, Variance, Whitening, whiten::whiten};

/// The post's choices, without ε_w.
const PLAIN: Whitening =
    Whitening { variance: Variance::Sample, eps_at: EpsAt::Std, eps_w: 0.0, shift_mean: ShiftMean::Yes };

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    by_hand(&mut page);
    all_good(&mut page);
    scope(&mut page);
    padding(&mut page);
    few(&mut page);
    epsilon(&mut page);
    one_pass(&mut page);
    fast(&mut page);
    page
}

// ANCHOR: by_hand
fn by_hand(page: &mut Transcript) {
    let (adv, mask) = (dmatrix![1.0, 3.0, 5.0, f64::NAN], Mask::from_rows(&[[1, 1, 1, 0]]));
    page.section("by-hand");
    page.row("Â", &adv, 3);
    for variance in [Variance::Sample, Variance::Population] {
        let made = whiten(&adv, &mask, Whitening { variance, ..PLAIN });
        page.line(format!("{variance:?}: μ = {}, σ² = {:.3}", made.mean, made.var));
        page.row("Âʷ", &shown(&made.adv, &mask), 3);
    }
}
// ANCHOR_END: by_hand

/// NaN where the mask is 0, which is printed as a dot.
fn shown(x: &DMatrix<f64>, mask: &Mask) -> DMatrix<f64> {
    DMatrix::from_fn(x.nrows(), x.ncols(), |row, t| if mask.has((row, t)) { x[(row, t)] } else { f64::NAN })
}

/// Three tokens after which things went better than expected, and the same with rewards a hundredfold.
fn all_good(page: &mut Transcript) {
    let (adv, mask) = (dmatrix![1.0, 2.0, 6.0], Mask::full(1, 3));
    page.section("all-good");
    page.row("Â", &adv, 3);
    page.row("Âʷ", &whiten(&adv, &mask, PLAIN).adv, 3);
    page.row("Âʷ of 100 Â", &whiten(&(100.0 * &adv), &mask, PLAIN).adv, 3);
}

/// One batch of four, or two minibatches of two.
fn scope(page: &mut Transcript) {
    let (adv, mask) = (dmatrix![1.0, 2.0, 5.0, 6.0], Mask::full(1, 4));
    let half = |first: usize| whiten(&adv.columns(first, 2).into_owned(), &Mask::full(1, 2), PLAIN).adv;
    page.section("scope");
    page.row("Â", &adv, 3);
    page.row("as one batch", &whiten(&adv, &mask, PLAIN).adv, 3);
    page.row("as two", half(0).iter().chain(&half(2)), 3);
}

/// The first example at three widths of padding. The pads hold 0, as a masked tensor does.
fn padding(page: &mut Transcript) {
    page.section("padding");
    for pads in [0, 1, 5] {
        let adv = dmatrix![1.0, 3.0, 5.0].insert_columns(3, pads, 0.0);
        let mask = Mask::new(DMatrix::from_fn(1, 3 + pads, |_, t| t < 3));
        page.line(format!("{pads} pads"));
        for (name, of) in [("masked", &mask), ("unmasked", &Mask::full(1, 3 + pads))] {
            let made = whiten(&adv, of, PLAIN);
            page.row(name, made.adv.columns(0, 3).iter(), 3);
        }
    }
    page.section("pads-after");
    // Without a mask on the result every pad is pushed to −μ/σ.
    let (adv, mask) = (dmatrix![1.0, 3.0, 5.0, 0.0], Mask::from_rows(&[[1, 1, 1, 0]]));
    let made = whiten(&adv, &mask, PLAIN);
    page.row("masked", &made.adv, 3);
    page.row("not masked", &adv.map(|a| (a - made.mean) / made.var.sqrt()), 3);
}

fn few(page: &mut Transcript) {
    page.section("few");
    for n in [4.0_f64, 256.0, 65536.0] {
        page.line(format!("n = {n:<6} population σ of the whitened: {:.6}", ((n - 1.0) / n).sqrt()));
    }
    for variance in [Variance::Sample, Variance::Population] {
        let made = whiten(&dmatrix![2.0], &Mask::full(1, 1), Whitening { variance, eps_w: 1e-8, ..PLAIN });
        page.line(format!("one token of Â = 2, {variance:?}: {}", made.adv[0]));
    }
}

/// Two advantages that hardly differ.
fn epsilon(page: &mut Transcript) {
    let (adv, mask, eps_w) = (dmatrix![1.0, 1.00001], Mask::full(1, 2), 1e-6);
    page.section("epsilon");
    page.line(format!("Â = 1 and 1.00001, ε_w = {eps_w:e}"));
    for eps_at in [EpsAt::Std, EpsAt::UnderRoot, EpsAt::VarFloor] {
        page.row(&format!("{eps_at:?}"), &whiten(&adv, &mask, Whitening { eps_at, eps_w, ..PLAIN }).adv, 4);
    }
}

/// Large advantages that are close together, in f32.
fn one_pass(page: &mut Transcript) {
    let adv: [f32; 8] = std::array::from_fn(|i| 1e4 + 0.01 * i as f32);
    let mean_of = |f: fn(f32) -> f32| adv.iter().map(|a| f(*a)).sum::<f32>() / 8.0;
    let one = mean_of(|a| a * a) - mean_of(|a| a) * mean_of(|a| a);
    let mask = optimized::Mask::padded(&[true; 8], 1, 8).expect("one row of eight");
    let how = Whitening { variance: Variance::Population, ..PLAIN };
    let two =
        optimized::whiten(Backend::best(), &adv, &mask, how, &mut [0.0; 8]).expect("the arguments fit").var;
    let exact = whiten(&DMatrix::from_row_slice(1, 8, &adv.map(f64::from)), &Mask::full(1, 8), how).var;
    page.section("one-pass");
    page.line("Â = 10000, 10000.01, …, 10000.07");
    page.line(format!("mean of squares − square of mean, f32: {one}"));
    page.line(format!("two passes, f32:                       {two:.7}"));
    page.line(format!("two passes, f64:                       {exact:.7}"));
}

/// The first example in f32: on every backend, and as two batches that were cut and merged.
fn fast(page: &mut Transcript) {
    let (adv, valid) = ([1.0_f32, 3.0, 5.0, 0.0], [true, true, true, false]);
    let mask = optimized::Mask::padded(&valid, 2, 2).expect("two rows of two");
    let on = |backend: Backend| {
        let mut out = [0.0; 4];
        optimized::whiten(backend, &adv, &mask, PLAIN, &mut out).expect("the arguments fit");
        out
    };
    page.section("fast");
    let made = on(Backend::best());
    page.row("Âʷ in f32", &made.map(f64::from), 3);
    let bits = |x: [f32; 4]| x.map(f32::to_bits);
    let other = Backend::available().into_iter().filter(|backend| bits(on(*backend)) != bits(made));
    page.line(format!("backends of this machine with other bits: {}", other.count()));
    page.line(format!(
        "in two parts, merged, with other bits: {}",
        usize::from(bits(in_parts(&adv, &valid)) != bits(made))
    ));
}

/// Two machines with one row each: they exchange the sum, then the sum of squares.
fn in_parts(adv: &[f32; 4], valid: &[bool; 4]) -> [f32; 4] {
    let (on, agg) = (Backend::best(), optimized::Agg::TokenMean);
    let whole = optimized::Mask::padded(valid, 2, 2).expect("two rows of two").counts();
    let part = |row: usize| {
        let of_row = optimized::Mask::padded(&valid[2 * row..2 * row + 2], 1, 2).expect("one row of two");
        (&adv[2 * row..2 * row + 2], of_row.part_of(row as u64, whole))
    };
    let sums =
        |row| optimized::aggregate_sums(on, part(row).0, &part(row).1, agg).expect("the arguments fit");
    let mean = sums(0).merge(sums(1)).expect("they follow").finish(agg).expect("there are tokens");
    let squares =
        |row| optimized::square_sum(on, part(row).0, &part(row).1, mean).expect("the arguments fit");
    let var =
        squares(0).merge(squares(1)).expect("they follow").var(PLAIN.variance).expect("there are tokens");
    let mut out = [0.0; 4];
    for (row, out) in out.chunks_mut(2).enumerate() {
        let by = optimized::Whitened { mean, var };
        optimized::whiten_by(on, part(row).0, &part(row).1, by, PLAIN, out).expect("the arguments fit");
    }
    out
}
