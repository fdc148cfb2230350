//! `eq:total-loss` through everything under it: logits, values, hidden states, W_lm and W_v of two linear
//! heads, for settings that reach every branch.
//!
//! Kinks are those of the terms, in log π and V. A parameter moved by 2h moves log π by at most 2h times
//! twice the largest |h_d| or |W_vd| over τ, and V by 2h times it; the inputs keep that far away five times
//! over.

use crate::{
    differences::{H, U, hold, hold_each},
    inputs::{aggregate_err, entropy_err, log_softmax_err, per_row, per_token, ragged, tokens},
    log_prob::row,
    policy_loss::{self, token_err},
};
use conformance::cases::{Rng, on_grid};
use nalgebra::{DMatrix, DVector, RowDVector};
use reference::{
    Agg, Coefficients, CountRows, Ends, Gap, Half, Kl, KlEstimate, KlGrad, Listing, Mask, PolicyClip,
    ScoreAt, Settings, ValueClip,
    iteration::ActorCritic,
    step::{Heads, Losses, Rollout, Targets, logits_grad, losses, rollout_phase, say},
    two_heads::TwoHeads,
};

const D_MODEL: usize = 3;
const VOCAB: usize = 5;

/// The settings, each with what it is there for.
fn settings() -> Vec<(&'static str, Settings)> {
    let post = Settings { gamma: 0.9, lambda: 0.8, ..Settings::default() };
    let kl_loss = KlEstimate { kind: Kl::K3, clamp_in: 20.0, clamp_out: 10.0 };
    let with_kl = Settings {
        coefficients: Coefficients { c_v: 0.5, c_h: 0.05, beta_loss: 0.2 },
        beta_kl: 0.1,
        kl_loss,
        ..post
    };
    let rows = CountRows::All;
    vec![
        ("the post", post),
        ("a KL loss, k3 with clamps", with_kl),
        ("its gradient straight through", Settings { kl_loss_grad: KlGrad::StraightThrough, ..with_kl }),
        ("two temperatures", Settings { tau: 0.7, tau_ent: 1.5, ..with_kl }),
        (
            "½, clipped only, dual clip",
            Settings {
                half: Half::Yes,
                value_clip: ValueClip::ClippedOnly,
                clip: PolicyClip { c_dual: 1.25, log_ratio_clamp: 0.75, ..post.clip },
                ..with_kl
            },
        ),
        ("each sequence alike", Settings { agg: Agg::SeqMeanTokenMean { rows }, gap: Gap::Decay, ..with_kl }),
        (
            "sums over S",
            Settings { agg: Agg::SeqMeanTokenSumNorm { rows, scale: 5.0 }, gap: Gap::Cut, ..with_kl },
        ),
        ("the score one slot on", Settings { score_at: ScoreAt::FirstPad, ..with_kl }),
        (
            "no entropy, no critic",
            Settings { coefficients: Coefficients { c_v: 0.0, c_h: 0.0, beta_loss: 0.0 }, ..post },
        ),
        (
            "entropy added",
            Settings { listing: Listing { entropy_added: true, ..Listing::CORRECTED }, ..post },
        ),
    ]
}

/// A model, what it was when the rollout was made, and what was frozen then.
struct Scene {
    model: TwoHeads,
    actions: DMatrix<usize>,
    rollout: Rollout,
    targets: Targets,
}

impl Scene {
    /// Draws until every token is clear of every kink.
    fn draw(settings: &Settings) -> Scene {
        (0..1000).map(|seed| Scene::of(seed, settings)).find(|scene| scene.is_clear(settings)).unwrap()
    }

    fn of(seed: u64, settings: &Settings) -> Scene {
        let (mask, mut rng) = (ragged(), Rng::new(seed));
        let (b, t_len) = mask.shape();
        let value_mask =
            if settings.score_at == ScoreAt::FirstPad { mask.with_first_pad() } else { mask.clone() };
        let h = per_row(&value_mask, D_MODEL, &mut rng, 1.0);
        let w_lm = rng.matrix(VOCAB, D_MODEL, 0.5).map(on_grid);
        let w_v = RowDVector::from_fn(D_MODEL, |_, _| on_grid(rng.normal()));
        let model = TwoHeads { h, w_lm, w_v, mask: value_mask.clone() };
        let actions = rng.ids(b, t_len, VOCAB);
        let now = say(&model.forward(), &actions, &mask, settings);
        let apart =
            |x: &DMatrix<f64>, on: &Mask, rng: &mut Rng| per_token(on, |slot| x[slot] + 0.25 * rng.normal());
        let rollout = Rollout {
            attended: None,
            scores: rng.matrix(b, 1, 1.0),
            logp_old: apart(&now.logp, &mask, &mut rng),
            logp_ref: Some(apart(&now.logp, &mask, &mut rng)),
            v_old: apart(&now.v, &value_mask, &mut rng),
            ends: Ends::after(DVector::from_fn(b, |_, _| rng.normal()), t_len),
            weights: None,
            mask,
        };
        let targets = rollout_phase(&rollout, settings);
        Scene { model, actions, rollout, targets }
    }

    fn losses(&self, heads: &Heads, settings: &Settings) -> Losses {
        let now = say(heads, &self.actions, &self.targets.mask, settings);
        losses(&self.rollout, &self.targets, &now, settings)
    }

    fn total(&self, model: &TwoHeads, settings: &Settings) -> f64 {
        self.losses(&model.forward(), settings).total
    }

    fn is_clear(&self, settings: &Settings) -> bool {
        let s = settings.as_listed();
        let now = say(&self.model.forward(), &self.actions, &self.targets.mask, settings);
        let largest = |all: f64, x: &f64| if x.is_nan() { all } else { all.max(x.abs()) };
        let states = self.model.h.iter().flat_map(|h| h.iter()).fold(1.0, largest);
        let reach = self.model.w_lm.iter().chain(self.model.w_v.iter()).fold(states, largest);
        let far = 5.0 * 2.0 * H * 2.0 * reach / s.tau.min(1.0);
        let policy = |slot: (usize, usize)| {
            policy_loss::to_kink(now.logp[slot] - self.rollout.logp_old[slot], &s.clip)
        };
        let value = |slot: (usize, usize)| {
            let (v, v_old, ret) = (now.v[slot], self.rollout.v_old[slot], self.targets.ret[slot]);
            let outside = (v - v_old).abs() - s.eps_v;
            let v_clip = v_old + s.eps_v * (v - v_old).signum();
            if outside < 0.0 { -outside } else { outside.min((v - (2.0 * ret - v_clip)).abs()) }
        };
        let (mask, value_mask) = (&self.targets.mask, &self.targets.value_mask);
        tokens(mask).into_iter().all(|slot| policy(slot) >= far)
            && tokens(value_mask).into_iter().all(|slot| value(slot) >= far)
    }

    /// What the total may be off by: the errors of the terms as their files derive them, with what V, log π
    /// and H inherit from the heads. z and V are d_model products and sums, off by e = (d + 1) u Σ |W h|; a
    /// logit off by e moves log π by 2 e/τ at most and H by 2 H e/τ.
    fn err(&self, heads: &Heads, settings: &Settings) -> f64 {
        let s = settings.as_listed();
        let now = say(heads, &self.actions, &self.targets.mask, settings);
        let (mask, value_mask) = (&self.targets.mask, &self.targets.value_mask);
        let from_states = |slot: (usize, usize)| {
            let products = |w: Vec<f64>| -> f64 {
                let h = row(&self.model.h[slot.0], slot.1);
                w.iter().zip(h).map(|(w, h)| (w.abs() + 2.0 * H) * (h.abs() + 2.0 * H)).sum()
            };
            let lm = (0..VOCAB).map(|v| products(row(&self.model.w_lm, v))).fold(0.0, f64::max);
            (D_MODEL + 1) as f64 * U * lm.max(products(self.model.w_v.as_slice().to_vec()))
        };
        let logits = |slot: (usize, usize)| row(&heads.logits[slot.0], slot.1);
        let logp = |slot| log_softmax_err(&logits(slot), s.tau) + 2.0 * from_states(slot) / s.tau;
        let most = (VOCAB as f64).ln();
        let ent = |slot| entropy_err(&logits(slot), s.tau_ent) + 2.0 * most * from_states(slot) / s.tau_ent;
        let policy_size = |slot: (usize, usize)| {
            let ratio = (now.logp[slot] - self.rollout.logp_old[slot]).exp();
            1.2 * self.targets.adv[slot].abs() * ratio.max(1.0)
        };
        let policy = aggregate_err(mask, s.agg, policy_size, |slot| {
            let log_ratio = now.logp[slot] - self.rollout.logp_old[slot];
            policy_size(slot) * (token_err(log_ratio) + logp(slot))
        });
        let worst = |slot: (usize, usize)| {
            let (v, v_old, ret) = (now.v[slot], self.rollout.v_old[slot], self.targets.ret[slot]);
            (v - ret).abs().max((v_old - ret).abs() + s.eps_v) + 0.1
        };
        let value = aggregate_err(
            value_mask,
            s.agg,
            |slot| worst(slot) * worst(slot),
            |slot| {
                let clip = U * (self.rollout.v_old[slot].abs() + s.eps_v);
                3.0 * U * worst(slot) * worst(slot) + 2.0 * worst(slot) * (clip + from_states(slot))
            },
        );
        let entropy = aggregate_err(mask, s.agg, |_| most, ent);
        let logp_ref = self.rollout.logp_ref.as_ref().unwrap();
        let k1 = |slot| now.logp[slot] - logp_ref[slot];
        let kind = s.kl_loss.kind;
        let kl = aggregate_err(
            mask,
            s.agg,
            |slot| crate::kl::size(k1(slot), kind),
            |slot| crate::kl::err(k1(slot), kind) + logp(slot) * crate::kl::size(k1(slot), kind),
        );
        let c = s.coefficients;
        // The last eight roundings are the total's own, of its parts.
        policy * (1.0 + 8.0 * U) + c.c_v * value + c.c_h.abs() * entropy + c.beta_loss * kl + 8.0 * U
    }
}

/// The total whose slope a straight-through gradient is: k2 without clamps in place of the estimate.
fn differentiated(settings: &Settings) -> Settings {
    match settings.kl_loss_grad {
        KlGrad::Own => *settings,
        KlGrad::StraightThrough => Settings { kl_loss: KlEstimate::plain(Kl::K2), ..*settings },
    }
}

#[test]
fn the_gradient_of_the_total_in_logits_and_values_is_its_slope() {
    for (what, s) in settings() {
        let (scene, slope_of) = (Scene::draw(&s), differentiated(&s));
        let heads = scene.model.forward();
        let err = scene.err(&heads, &s);
        // A move of 2⁻³¹ onto the grid, far less than what the kinks are cleared by. Rows of masked tokens
        // are NaN already, values there +0: they are made NaN.
        let logits: Vec<_> = heads.logits.iter().map(|z| z.map(on_grid)).collect();
        let heads = Heads { logits, v: per_token(&scene.targets.value_mask, |slot| heads.v[slot]) };
        let losses = scene.losses(&heads, &s);
        let grad = logits_grad(&heads.logits, &scene.actions, &scene.targets, &losses, &s);
        let with = |logits: &[DMatrix<f64>]| Heads { logits: logits.to_vec(), v: heads.v.clone() };
        hold_each(&format!("step, {what}: logits"), &heads.logits, &grad, err, |z| {
            scene.losses(&with(z), &slope_of).total
        });
        hold(&format!("step, {what}: values"), &heads.v, &losses.grad_v, err, |v| {
            let heads = Heads { logits: heads.logits.clone(), v: v.clone() };
            scene.losses(&heads, &slope_of).total
        });
    }
}

#[test]
fn the_gradient_of_the_total_in_states_and_weights_is_its_slope() {
    for (what, s) in settings() {
        let (scene, slope_of) = (Scene::draw(&s), differentiated(&s));
        let (model, heads) = (&scene.model, scene.model.forward());
        let losses = scene.losses(&heads, &s);
        let err = scene.err(&heads, &s);
        let grad_logits = logits_grad(&heads.logits, &scene.actions, &scene.targets, &losses, &s);
        let weights = model.backward(&grad_logits, &losses.grad_v);
        hold_each(&format!("step, {what}: W_lm, W_v"), &model.parameters(), &weights, err, |theta| {
            let mut model = model.clone();
            model.set_parameters(theta.to_vec());
            scene.total(&model, &slope_of)
        });
        let states = model.hidden_grad(&grad_logits, &losses.grad_v);
        hold_each(&format!("step, {what}: h"), &model.h, &states, err, |h| {
            scene.total(&TwoHeads { h: h.to_vec(), ..model.clone() }, &slope_of)
        });
    }
}

/// A descent step in the logits raises the entropy under the right sign, and lowers it under the page's.
#[test]
fn a_step_against_the_gradient_raises_the_entropy_unless_it_is_added() {
    for (entropy_added, rises) in [(false, true), (true, false)] {
        let coefficients = Coefficients { c_v: 0.0, c_h: 1.0, beta_loss: 0.0 };
        let listing = Listing { entropy_added, ..Listing::CORRECTED };
        let s = Settings { coefficients, listing, whitening: None, beta_kl: 0.0, ..Settings::default() };
        let mut scene = Scene::of(1, &s);
        scene.targets.adv.fill(0.0);
        let heads = scene.model.forward();
        let before = scene.losses(&heads, &s);
        let grad = logits_grad(&heads.logits, &scene.actions, &scene.targets, &before, &s);
        let logits = heads.logits.iter().zip(&grad).map(|(z, g)| z - g * 0.1).collect();
        let after = scene.losses(&Heads { logits, v: heads.v }, &s);
        assert_eq!(
            after.ent > before.ent,
            rises,
            "entropy added {entropy_added}: {} {}",
            before.ent,
            after.ent
        );
    }
}
