//! What the chapter on notation shows: `cargo run -p ppo-book --example notation`.

use book::Transcript;
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Mask,
    log_prob::{log_prob, log_softmax_row},
};

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    page.section("batch");
    let (actions, mask) = (dmatrix![2, 0, 1; 1, 0, 0], Mask::from_rows(&[[1, 1, 1], [1, 1, 0]]));
    let (b, t_len) = mask.shape();
    page.line(format!("B = {b}, T = {t_len}, vocabulary of 3, n = {}", mask.count()));
    for row in 0..b {
        page.row(&format!("y, row {row}"), actions.map(|y| y as f64).row(row).iter(), 0);
        page.row("m", DMatrix::from_fn(b, t_len, |b, t| f64::from(mask.has((b, t)))).row(row).iter(), 0);
    }

    // One matrix of T × vocab a sequence; its row t produced token t.
    page.section("logits");
    let z = [dmatrix![0.0, 0.0, 2.0; 1.0, 0.0, 0.0; 0.0, 3.0, 0.0], DMatrix::zeros(3, 3)];
    for t in 0..t_len {
        let row: Vec<f64> = z[0].row(t).iter().copied().collect();
        page.row(&format!("z, row 0, t = {t}"), &row, 1);
        page.row("log π", &log_softmax_row(&row, 1.0), 3);
    }
    page.section("chosen");
    let logp = log_prob(&z, &actions, &mask, 1.0);
    for row in 0..b {
        page.row(&format!("log π(y), row {row}"), logp.row(row).iter(), 3);
    }
    page
}
