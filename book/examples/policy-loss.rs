//! What the chapter on the policy loss shows: `cargo run -p ppo-book --example policy-loss`.

use book::{Transcript, number};
use nalgebra::{DMatrix, dmatrix};
use optimized::{Backend, PolicyOut};
use reference::{
    Agg, ClipFrac, Mask, PolicyClip, Settings,
    log_prob::{log_prob_grad_row, log_prob_row},
    nan::{clamp, greater, lesser},
    policy_loss::{PolicyLoss, policy_loss, policy_loss_grad},
};

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    by_hand(&mut page);
    cases(&mut page);
    first(&mut page);
    one_step(&mut page);
    counted(&mut page);
    wrong(&mut page);
    outer(&mut page);
    fast(&mut page);
    page
}

/// The post's clip: 0.2 to both sides, no dual clip.
fn post() -> PolicyClip {
    Settings::default().clip
}

/// Tokens with these ratios: log π_old is 0, since only the difference counts.
fn loss(ratio: &DMatrix<f64>, adv: &DMatrix<f64>, clip: &PolicyClip) -> PolicyLoss {
    let (logp, old) = (ratio.map(f64::ln), ratio.map(|_| 0.0));
    policy_loss(&logp, &old, adv, &Mask::full(1, ratio.ncols()), None, clip, Agg::TokenMean)
}

/// ∂/∂log π of each token's own loss, not of the mean.
fn slope(ratio: &DMatrix<f64>, adv: &DMatrix<f64>, clip: &PolicyClip) -> DMatrix<f64> {
    let (logp, old) = (ratio.map(f64::ln), ratio.map(|_| 0.0));
    policy_loss_grad(&logp, &old, adv, &Mask::full(1, ratio.ncols()), None, clip, Agg::TokenSum)
}

// ANCHOR: by_hand
fn by_hand(page: &mut Transcript) {
    let (pi, pi_old) = (dmatrix![0.3, 0.3], dmatrix![0.2, 0.2]);
    let (adv, mask) = (dmatrix![2.0, -2.0], Mask::full(1, 2));
    let (logp, logp_old) = (pi.map(f64::ln), pi_old.map(f64::ln));
    let made = policy_loss(&logp, &logp_old, &adv, &mask, None, &post(), Agg::TokenMean);
    page.section("by-hand");
    page.row("π", &pi, 2);
    page.row("π_old", &pi_old, 2);
    page.row("Â", &adv, 2);
    page.row("ρ", &made.ratio, 2);
    page.row("loss", &made.per_token, 2);
    page.line(format!("L_policy = {:.2}", made.loss));
    page.line(format!("clip_frac = {}", made.clip_frac));
    page.row("slope", &policy_loss_grad(&logp, &logp_old, &adv, &mask, None, &post(), Agg::TokenSum), 2);
}
// ANCHOR_END: by_hand

/// Ratios below, in and above the range, for an advantage of either sign.
fn cases(page: &mut Transcript) {
    let ratio = dmatrix![0.5, 0.9, 1.0, 1.1, 1.5, 4.0];
    let dual = PolicyClip { c_dual: 3.0, ..post() };
    page.section("cases");
    page.row("ρ", &ratio, 2);
    for a in [1.0, -1.0] {
        let adv = ratio.map(|_| a);
        page.row(&format!("Â = {a}: loss"), &loss(&ratio, &adv, &post()).per_token, 2);
        page.row("slope", &slope(&ratio, &adv, &post()), 2);
    }
    let adv = ratio.map(|_| -1.0);
    page.row("c_dual 3: loss", &loss(&ratio, &adv, &dual).per_token, 2);
    page.row("slope", &slope(&ratio, &adv, &dual), 2);
}

/// Before the first update: every ratio is 1, and the whitened advantages sum to 0.
fn first(page: &mut Transcript) {
    let (ratio, adv) = (dmatrix![1.0, 1.0, 1.0], dmatrix![1.5, -0.5, -1.0]);
    let made = loss(&ratio, &adv, &post());
    page.section("first");
    page.row("Â", &adv, 2);
    page.line(format!(
        "L_policy = {}, clip_frac = {}, approx_kl = {}",
        made.loss, made.clip_frac, made.approx_kl
    ));
    page.row("slope", &slope(&ratio, &adv, &post()), 2);
}

/// Two tokens to choose from, equally likely; the first was sampled and has Â = 1. Plain gradient descent.
fn one_step(page: &mut Transcript) {
    page.section("one-step");
    for rate in [0.2, 1.0, 4.0] {
        let mut z = vec![0.0, 0.0];
        let old = dmatrix![log_prob_row(&z, 0, 1.0)];
        let mut path = Vec::new();
        for _ in 0..4 {
            let now = dmatrix![log_prob_row(&z, 0, 1.0)];
            let g = policy_loss_grad(
                &now,
                &old,
                &dmatrix![1.0],
                &Mask::full(1, 1),
                None,
                &post(),
                Agg::TokenMean,
            );
            let grad = log_prob_grad_row(&z, 0, 1.0, g[0]);
            z = z.iter().zip(grad).map(|(z, g)| z - rate * g).collect();
            path.push((log_prob_row(&z, 0, 1.0) - old[0]).exp());
        }
        page.row(&format!("ρ, steps of {rate}"), &path, 3);
    }
}

/// What three clip fractions count of the same six tokens.
fn counted(page: &mut Transcript) {
    let ratio = dmatrix![0.5, 1.0, 1.5, 0.5, 1.0, 1.5];
    let adv = dmatrix![1.0, 1.0, 1.0, -1.0, -1.0, -1.0];
    page.section("counted");
    page.row("ρ", &ratio, 2);
    page.row("Â", &adv, 2);
    for clip_frac in [ClipFrac::Effective, ClipFrac::SignBlind, ClipFrac::Signed] {
        let made = loss(&ratio, &adv, &PolicyClip { clip_frac, ..post() });
        page.line(format!("{:<14}{:.3}", format!("{clip_frac:?}"), made.clip_frac));
    }
}

/// Formulas that were meant to be this one.
fn wrong(page: &mut Transcript) {
    let tokens = [(0.5, 1.0), (1.5, 2.0), (0.5, -1.0), (1.5, -1.0), (5.0, 1.0)];
    let each = |f: &dyn Fn(f64, f64) -> f64| tokens.map(|(ratio, adv)| f(ratio, adv));
    let right = |ratio: f64, adv: f64| loss(&dmatrix![ratio], &dmatrix![adv], &post()).loss;
    page.section("wrong");
    page.row("ρ", &tokens.map(|(ratio, _)| ratio), 2);
    page.row("Â", &tokens.map(|(_, adv)| adv), 2);
    page.row("right", &each(&right), 2);
    page.row("max for min", &each(&|ratio, adv| -greater(ratio * adv, clamp(ratio, 0.8, 1.2) * adv)), 2);
    page.row("clip to ε, 1+ε", &each(&|ratio, adv| -lesser(ratio * adv, clamp(ratio, 0.2, 1.2) * adv)), 2);
    page.row("clip of ρ Â", &each(&|ratio, adv| -lesser(ratio * adv, clamp(ratio * adv, 0.8, 1.2))), 2);
    page.row("dual, any sign", &each(&|ratio, adv| -greater(-right(ratio, adv), 3.0 * adv)), 2);
}

/// Ratios as a row times advantages as a column.
fn outer(page: &mut Transcript) {
    let (ratio, adv) = (dmatrix![1.0, 1.2], dmatrix![1.0, -1.0]);
    let right = loss(&ratio, &adv, &post()).loss;
    let table = adv.transpose() * &ratio;
    page.section("outer");
    page.line(format!("token by token: {right:.2}"));
    page.line(format!("2 × 2 table:    {}", number(-table.mean(), 2)));
}

/// The first example in f32, by every backend of this machine.
fn fast(page: &mut Transcript) {
    let (logp, logp_old, adv) = ([0.3_f32.ln(); 2], [0.2_f32.ln(); 2], [2.0_f32, -2.0]);
    let mask = optimized::Mask::padded(&[true; 2], 1, 2).expect("one row of two");
    let on = |backend: Backend| {
        let mut grad = [0.0; 2];
        let room = optimized::Grad { c: 1.0, to: &mut grad };
        let out = PolicyOut { grad: Some(room), ..PolicyOut::default() };
        let agg = optimized::Agg::TokenMean;
        let made = optimized::policy_loss(backend, &logp, &logp_old, &adv, &mask, None, &post(), agg, out)
            .expect("the arguments fit");
        (made.loss, grad)
    };
    page.section("fast");
    let (loss, grad) = on(Backend::best());
    page.line(format!("L_policy = {loss:.6}"));
    page.row("gradient", &grad.map(f64::from), 6);
    let bits = |(loss, grad): (f32, [f32; 2])| (loss.to_bits(), grad.map(f32::to_bits));
    let other = Backend::available().into_iter().filter(|backend| bits(on(*backend)) != bits((loss, grad)));
    page.line(format!("backends of this machine with other bits: {}", other.count()));
}
