//! What the chapter on the total loss shows: `cargo run -p ppo-book --example total-loss`.

use book::Transcript;
use conformance::train::{Iterated, Recipe, Trainer};
use nalgebra::DMatrix;
use optimized::Coefficients;
use reference::{
    Ends, Kl, KlEstimate,
    grad_norm::grad_norm,
    iteration::ActorCritic,
    log_prob::log_softmax_row,
    nan::greater,
    step::{Losses, Now, Rollout, Targets, logits_grad, losses, rollout_phase},
    total_loss::total_loss,
    transformer::{On, Size},
    written::sum,
};

fn main() {
    print!("{}", listing());
}

/// Everything that the chapter quotes.
pub(crate) fn listing() -> Transcript {
    let mut page = Transcript::new();
    by_hand(&mut page);
    kl_pull(&mut page);
    two_heads(&mut page);
    fast(&mut page);
    page
}

// ANCHOR: by_hand
fn by_hand(page: &mut Transcript) {
    let post = Coefficients { c_v: 0.5, c_h: 0.01, beta_loss: 0.0 };
    let (l_policy, l_v, ent) = (0.02, 0.3, 1.5);
    page.section("by-hand");
    page.line(format!("L_policy = {l_policy}, L_V = {l_v}, H = {ent}"));
    page.line(format!("L_total = {:.4}", total_loss(l_policy, l_v, ent, 0.0, post)));
    let added = Coefficients { c_h: -0.01, ..post };
    page.line(format!("with + c_H H: {:.4}", total_loss(l_policy, l_v, ent, 0.0, added)));
    let halved = total_loss(l_policy, 0.5 * l_v, ent, 0.0, post);
    page.line(format!("with ½ in L_V too: {halved:.4}"));
    let no_critic = Coefficients { c_v: 0.0, ..post };
    page.line(format!("L_V a NaN and c_V = 0: {:.4}", total_loss(l_policy, f64::NAN, ent, 0.0, no_critic)));
}
// ANCHOR_END: by_hand

/// The mean gradient in the logits that each estimator gives as a loss, over every token that could be sampled.
/// Two tokens: π is ½ and ½, the reference says 0.8 and 0.2.
fn kl_pull(page: &mut Transcript) {
    let (pi, pi_ref) = ([0.5, 0.5], [0.8_f64, 0.2]);
    let logp = log_softmax_row(&[0.0, 0.0], 1.0);
    page.section("kl-pull");
    page.row("token", &[0.0, 1.0], 0);
    page.row("k1", &[0, 1].map(|v| logp[v] - pi_ref[v].ln()), 4);
    for kind in [Kl::K1, Kl::Abs, Kl::K2, Kl::K3] {
        // Σ_a π(a) · ∂k/∂log π(a) · ([v = a] − π(v))
        let slope = [0, 1].map(|a| KlEstimate::plain(kind).slope(logp[a] - pi_ref[a].ln()));
        let mean =
            [0, 1].map(|v| (0..2).map(|a| pi[a] * slope[a] * (f64::from(v == a) - pi[v])).sum::<f64>());
        page.row(&format!("{kind:?}: ∂/∂z"), &mean, 4);
    }
    let kl = pi[0] * (logp[0] - pi_ref[0].ln()) + pi[1] * (logp[1] - pi_ref[1].ln());
    page.row("the true KL's", &[0, 1].map(|v| pi[v] * (logp[v] - pi_ref[v].ln() - kl)), 4);
}

/// The small transformer on the task of `ppo train`, smaller still so that this runs in a moment.
fn recipe() -> Recipe {
    let whole = Recipe::default();
    Recipe { size: Size { d_model: 16, d_mlp: 32, ..whole.size }, b: 32, ..whole }
}

fn two_heads(page: &mut Transcript) {
    let mut trainer = Trainer::new(recipe(), 1);
    page.section("two-heads");
    page.line("iteration   score   ‖g, policy‖   c_V ‖g, value‖   cosine");
    let mut last = None;
    for k in 1..=40 {
        let it = trainer.iterate_whole().expect("the reference refuses nothing");
        if ![1, 2, 5, 10, 20, 40].contains(&k) {
            continue;
        }
        let whole = pulls(&it, &it.targets, &it.epochs[0].losses, &trainer.recipe);
        let [policy, value] = whole.map(|grads| shared(&it, grads));
        let cosine = cosine(&policy, &value).map_or("none".into(), |cosine| format!("{cosine:.3}"));
        let (p, v) = (grad_norm(&policy), grad_norm(&value));
        page.line(format!("{k:>9}  {:>6.3}  {p:>12.4}  {v:>15.4}  {cosine:>7}", it.metrics.score));
        last = Some(it);
    }
    scaled(page, &last.expect("the last iteration is shown"), &trainer.recipe);
}

/// None where one of the two is 0 and so has no direction.
fn cosine(a: &[DMatrix<f64>], b: &[DMatrix<f64>]) -> Option<f64> {
    let product = sum(a.iter().zip(b).flat_map(|(a, b)| a.iter().zip(b.iter()).map(|(a, b)| a * b)));
    let norms = grad_norm(a) * grad_norm(b);
    (norms > 0.0).then(|| product / norms)
}

// ANCHOR: pulls
/// ∂L_total/∂θ through the logits alone and through the values alone, in the first inner epoch.
fn pulls(it: &Iterated, targets: &Targets, losses: &Losses, recipe: &Recipe) -> [Vec<DMatrix<f64>>; 2] {
    let mut model = it.before.clone();
    let on = On { model: &mut model, prompts: &it.prompts, actions: &it.responses.actions, mask: &it.slots };
    let logits = on.forward().logits;
    let through_logits = logits_grad(&logits, &it.responses.actions, targets, losses, &recipe.settings);
    let nothing: Vec<_> = through_logits.iter().map(|grad| grad.map(|_| 0.0)).collect();
    let policy = on.backward(&through_logits, &losses.grad_v.map(|_| 0.0));
    let value = on.backward(&nothing, &losses.grad_v);
    [policy, value]
}

/// The part of a gradient that belongs to the backbone, and so to both heads.
fn shared(it: &Iterated, grads: Vec<DMatrix<f64>>) -> Vec<DMatrix<f64>> {
    let named = it.before.named().into_iter().zip(grads);
    named.filter(|((name, _), _)| !["w_lm", "w_v"].contains(&name.as_str())).map(|(_, grad)| grad).collect()
}
// ANCHOR_END: pulls

/// The last iteration once more, as it would be with rewards and values in another unit.
fn scaled(page: &mut Transcript, it: &Iterated, recipe: &Recipe) {
    page.section("scaled");
    page.line("rewards   ‖g, policy‖   c_V ‖g, value‖   kept of both by max_norm 1");
    for k in [1.0, 10.0, 100.0] {
        let ends = Ends { v_last: k * &it.rollout.ends.v_last, ..it.rollout.ends.clone() };
        let (scores, v_old) = (k * &it.rollout.scores, k * &it.rollout.v_old);
        let rollout = Rollout { scores, v_old, ends, ..it.rollout.clone() };
        let now = Now { v: k * &it.epochs[0].now.v, ..it.epochs[0].now.clone() };
        let targets = rollout_phase(&rollout, &recipe.settings);
        let [policy, value] =
            pulls(it, &targets, &losses(&rollout, &targets, &now, &recipe.settings), recipe);
        let whole: Vec<_> = policy.iter().zip(&value).map(|(policy, value)| policy + value).collect();
        let kept = 1.0 / greater(1.0, grad_norm(&whole));
        page.line(format!(
            "× {k:<6}  {:>11.4}  {:>15.4}   {kept:>25.3}",
            grad_norm(&policy),
            grad_norm(&value)
        ));
    }
}

/// The first example in f32.
fn fast(page: &mut Transcript) {
    let post = Coefficients { c_v: 0.5, c_h: 0.01, beta_loss: 0.0 };
    page.section("fast");
    page.line(format!("L_total in f32 = {:.6}", optimized::total_loss(0.02, 0.3, 1.5, 0.0, post)));
}
