//! What the chapter on the shaped reward shows: `cargo run -p ppo-book --example reward`.

use book::Transcript;
use nalgebra::{DMatrix, DVector, dmatrix};
use optimized::Backend;
use reference::{
    Ends, Gap, Kl, KlEstimate, Mask, ScoreAt,
    gae::gae,
    kl::kl,
    reward::{broadcast_scores, place_scores, reward},
};

/// No clip on the score.
const OFF: f64 = f64::INFINITY;

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    by_hand(&mut page);
    one_token(&mut page);
    far(&mut page);
    slots(&mut page);
    tool(&mut page);
    broadcast(&mut page);
    clip(&mut page);
    fast(&mut page);
    page
}

// ANCHOR: by_hand
fn by_hand(page: &mut Transcript) {
    let mask = Mask::from_rows(&[[1, 1, 1, 1, 0]]);
    let (logp, logp_ref) = (dmatrix![-0.9, -1.2, -0.7, -0.95, 7.0], dmatrix![-1.0, -1.0, -1.0, -1.0, 7.0]);
    let (beta_kl, estimate) = (0.1, KlEstimate::plain(Kl::K1));
    let k = kl(&logp, &logp_ref, &mask, estimate);
    let placed = place_scores(&dmatrix![1.0], ScoreAt::LastValid, OFF, &mask, None);
    page.section("by-hand");
    page.row("log π", &shown(&logp, &mask), 3);
    page.row("log π_ref", &shown(&logp_ref, &mask), 3);
    page.row("k1", &shown(&k, &mask), 3);
    page.row("s", &shown(&placed, &mask), 3);
    page.row("r, β = 0.1", &shown(&reward(&placed, Some(&k), beta_kl, &mask), &mask), 3);
}
// ANCHOR_END: by_hand

/// NaN where the mask is 0, which is printed as a dot.
fn shown(x: &DMatrix<f64>, mask: &Mask) -> DMatrix<f64> {
    DMatrix::from_fn(x.nrows(), x.ncols(), |row, t| if mask.has((row, t)) { x[(row, t)] } else { f64::NAN })
}

/// Two tokens to choose from: ½ and ½, where the reference says 0.8 and 0.2.
fn one_token(page: &mut Transcript) {
    let (pi, pi_ref) = ([0.5, 0.5], [0.8, 0.2]);
    let k1 = [0, 1].map(|v: usize| f64::ln(pi[v] / pi_ref[v]));
    page.section("one-token");
    page.row("token", &[0.0, 1.0], 0);
    page.row("π", &pi, 4);
    page.row("π_ref", &pi_ref, 4);
    for kind in [Kl::K1, Kl::Abs, Kl::K2, Kl::K3] {
        let k = k1.map(|k1| KlEstimate::plain(kind).of(k1));
        let mean = pi[0] * k[0] + pi[1] * k[1];
        page.row(&format!("{kind:?}"), &k, 4);
        page.row("  its mean", &[mean], 4);
    }
}

/// A token that the reference likes and the policy does not.
fn far(page: &mut Transcript) {
    page.section("far");
    let verl = KlEstimate { kind: Kl::K3, clamp_in: 20.0, clamp_out: 10.0 };
    for k1 in [-0.2, -2.0, -25.0] {
        let plain = KlEstimate::plain(Kl::K3).of(k1);
        let shown = if plain < 1e6 { format!("{plain:.4}") } else { format!("{plain:.1e}") };
        page.line(format!(
            "k1 = {k1:<6}  k2 {:<9.3} k3 {shown:<9} k3 clamped at ±20 and ±10: {:.4}",
            KlEstimate::plain(Kl::K2).of(k1),
            verl.of(k1)
        ));
    }
}

/// Â at γ = 0.9, λ = 0.8 and V = 0 everywhere.
fn advantages(r: &DMatrix<f64>, mask: &Mask) -> DMatrix<f64> {
    let (b, t_len) = r.shape();
    let lambda = DVector::from_element(b, 0.8);
    gae(r, &DMatrix::zeros(b, t_len), mask, &Ends::stop(b, t_len), Gap::Skip, 0.9, &lambda)
}

// ANCHOR: slots
fn slots(page: &mut Transcript) {
    let (mask, attended) = (Mask::from_rows(&[[1, 1, 1, 0, 0]]), Mask::from_rows(&[[1, 1, 1, 1, 0]]));
    page.section("slots");
    for at in [ScoreAt::LastValid, ScoreAt::LastAttended, ScoreAt::FirstPad] {
        let placed = place_scores(&dmatrix![1.0], at, OFF, &mask, Some(&attended));
        let read = if at == ScoreAt::FirstPad { mask.with_first_pad() } else { mask.clone() };
        let adv = advantages(&reward(&placed, None, 0.0, &read), &read);
        page.row(&format!("{at:?}"), &placed, 4);
        page.row("Â", &shown(&adv, &mask), 4);
    }
}
// ANCHOR_END: slots

/// A row with a tool's output in it: KL of the tool's tokens is nobody's doing.
fn tool(page: &mut Transcript) {
    let mask = Mask::from_rows(&[[1, 0, 0, 1]]);
    let (k, placed) = (DMatrix::from_element(1, 4, 1.0), DMatrix::zeros(1, 4));
    // Monte Carlo at γ = 0.9: every slot is a step, the tool's too.
    let total = |r: &DMatrix<f64>| r[0] + 0.9 * r[1] + 0.81 * r[2] + 0.729 * r[3];
    page.section("tool");
    page.line(format!(
        "masked KL:     return of the first token {:.3}",
        total(&reward(&placed, Some(&k), 1.0, &mask))
    ));
    page.line(format!(
        "KL everywhere: return of the first token {:.3}",
        total(&reward(&placed, Some(&k), 1.0, &Mask::full(1, 4)))
    ));
}

/// Two responses of two tokens, scores 1 and 2.
fn broadcast(page: &mut Transcript) {
    let (scores, mask) = (dmatrix![1.0; 2.0], Mask::full(2, 2));
    let sums = |r: &DMatrix<f64>| {
        let (lambda, ends) = (DVector::from_element(2, 1.0), Ends::stop(2, 2));
        gae(r, &DMatrix::zeros(2, 2), &mask, &ends, Gap::Skip, 1.0, &lambda)
    };
    let placed = place_scores(&scores, ScoreAt::LastValid, OFF, &mask, None);
    let wrong = broadcast_scores(&scores, OFF, (2, 2));
    page.section("broadcast");
    for (name, r) in [("at the end", placed), ("broadcast", wrong)] {
        for row in 0..2 {
            page.row(&format!("{name}, Â"), sums(&r).row(row).iter(), 1);
        }
    }
}

fn clip(page: &mut Transcript) {
    page.section("clip");
    for score_clip in [OFF, 10.0, 5.0] {
        let placed = place_scores(&dmatrix![12.0], ScoreAt::LastValid, score_clip, &Mask::full(1, 1), None);
        page.line(format!("a score of 12, clipped at ±{score_clip}: {}", placed[0]));
    }
}

/// The first example in f32, by every backend of this machine.
fn fast(page: &mut Transcript) {
    let (logp, logp_ref) = ([-0.9_f32, -1.2, -0.7, -0.95], [-1.0_f32; 4]);
    let mask = optimized::Mask::padded(&[true; 4], 1, 4).expect("one row of four");
    let on = |backend: Backend| {
        let ([mut placed, mut k], mut r) = ([[0.0; 4]; 2], [0.0; 4]);
        let estimate = KlEstimate::plain(Kl::K1);
        optimized::place_scores(
            backend,
            &[1.0],
            optimized::ScoreAt::LastValid,
            OFF,
            &mask,
            None,
            &mut placed,
        )
        .and_then(|()| optimized::kl(backend, &logp, &logp_ref, &mask, estimate, &mut k))
        .and_then(|()| optimized::reward(backend, &placed, Some(&k), 0.1, &mask, &mut r))
        .expect("the arguments fit");
        r
    };
    page.section("fast");
    let r = on(Backend::best());
    page.row("r in f32", &r.map(f64::from), 5);
    let other = Backend::available()
        .into_iter()
        .filter(|backend| on(*backend).map(f32::to_bits) != r.map(f32::to_bits));
    page.line(format!("backends of this machine with other bits: {}", other.count()));
}
