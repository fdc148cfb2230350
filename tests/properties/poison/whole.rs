//! The whole step and the whole iteration.

use super::terms::{Term, WIDTH, ends, flags, flat, flat_all, ids, rows, slots, states, to_ids, weights};
use crate::case::Case;
use nalgebra::DMatrix;
use reference::{
    Coefficients, Mask, Settings,
    adam::{AdamSettings, AdamState},
    iteration::{ActorCritic, Batch, Inner, NormClip, iteration},
    step::{Rollout, logits_grad, losses, rollout_phase, say},
    two_heads::TwoHeads,
};

/// Everything a step is asked to do.
fn settings(case: &Case) -> Settings {
    Settings {
        gamma: case.gamma,
        lambda: 0.8,
        lambda_critic: Some(0.5),
        gap: case.gap,
        beta_kl: 0.1,
        coefficients: Coefficients { c_v: 0.5, c_h: 0.01, beta_loss: 0.2 },
        tau: 0.7,
        ..Settings::default()
    }
}

fn model(h: &[DMatrix<f64>], mask: &Mask) -> TwoHeads {
    let w_lm = DMatrix::from_fn(WIDTH, WIDTH, |v, d| 0.5 - 0.25 * v as f64 + 0.125 * (d * d) as f64);
    TwoHeads { h: h.to_vec(), w_lm, w_v: weights(), mask: mask.clone() }
}

pub(super) fn whole_step(case: &Case) -> Term {
    let (m, s) = (case.m(), settings(case));
    let before = vec![
        rows(case, "scores", 1),
        slots(case, "logp_old", 2),
        slots(case, "logp_ref", 3),
        slots(case, "v_old", 4),
        slots(case, "weights", 5),
        rows(case, "v_last", 6),
        slots(case, "v_boot", 7),
        flags(case, "terminated"),
        flags(case, "truncated"),
        ids(case),
    ];
    Term {
        name: "step".into(),
        args: states(case, "h", before),
        results: Box::new(move |x| {
            let (actions, model) = (to_ids(&x[9]), model(&x[10..], &m));
            let rollout = Rollout {
                mask: m.clone(),
                attended: None,
                scores: x[0].clone(),
                logp_old: x[1].clone(),
                logp_ref: Some(x[2].clone()),
                v_old: x[3].clone(),
                ends: ends(&x[5], &x[6], &x[7], &x[8]),
                weights: Some(x[4].clone()),
            };
            let targets = rollout_phase(&rollout, &s);
            let heads = model.forward();
            let now = say(&heads, &actions, &m, &s);
            let got = losses(&rollout, &targets, &now, &s);
            let grad = logits_grad(&heads.logits, &actions, &targets, &got, &s);
            vec![
                ("r", flat(&targets.token_rewards)),
                ("adv_raw", flat(&targets.adv_raw)),
                ("adv", flat(&targets.adv)),
                ("R", flat(&targets.ret)),
                ("now", flat_all(&[now.logp, now.ent, now.v])),
                ("total", vec![got.total]),
                ("grad logits", flat_all(&grad)),
                ("grad log π", flat(&got.grad_logp)),
                ("grad H", flat(&got.grad_ent)),
                ("grad V", flat(&got.grad_v)),
                ("grad θ", flat_all(&model.backward(&grad, &got.grad_v))),
                ("grad h", flat_all(&model.hidden_grad(&grad, &got.grad_v))),
            ]
        }),
        deaf: STEP_DEAF,
    }
}

/// What is frozen is no operand of what the model says, and what the model says none of the targets.
const STEP_DEAF: &[(&str, &str)] = &[
    ("scores", "now"),
    ("logp_old", "now"),
    ("logp_ref", "now"),
    ("v_old", "now"),
    ("v_old", "r"),
    ("v_last", "now"),
    ("v_last", "r"),
    ("weights", "now"),
    ("weights", "r"),
    ("weights", "adv_raw"),
    ("weights", "adv"),
    ("weights", "R"),
    ("weights", "grad V"),
    // ∂L/∂H is a weight times −c_H: nothing is an operand of it.
    ("scores", "grad H"),
    ("logp_old", "grad H"),
    ("logp_ref", "grad H"),
    ("v_old", "grad H"),
    ("weights", "grad H"),
    ("v_last", "grad H"),
    ("h", "grad H"),
    ("v_boot", "*"),
    ("terminated", "*"),
    ("truncated", "*"),
    ("actions", "*"),
    ("h", "r"),
    ("h", "adv_raw"),
    ("h", "adv"),
    ("h", "R"),
];

pub(super) fn whole_iteration(case: &Case) -> Term {
    let (m, s) = (case.m(), settings(case));
    let before = vec![
        rows(case, "scores", 1),
        slots(case, "logp_ref", 3),
        rows(case, "v_last", 6),
        slots(case, "v_boot", 7),
        flags(case, "truncated"),
        ids(case),
    ];
    Term {
        name: "iteration".into(),
        args: states(case, "h", before),
        results: Box::new(move |x| {
            let (b, t_len) = m.shape();
            let none = DMatrix::zeros(b, t_len);
            let batch = Batch {
                mask: m.clone(),
                actions: to_ids(&x[5]),
                scores: x[0].clone(),
                logp_ref: Some(x[1].clone()),
                ends: ends(&x[2], &x[3], &none, &x[4]),
            };
            let mut model = model(&x[6..], &m);
            let mut states: Vec<_> =
                model.parameters().iter().map(|theta| AdamState::new(theta.shape())).collect();
            let adam =
                AdamSettings { lr: 0.05, beta1: 0.9, beta2: 0.999, eps_adam: 1e-8, weight_decay: 0.01 };
            let inner = Inner { epochs: 2, max_norm: 1.0, norm_clip: NormClip::Joint, adam };
            let (_, _, epochs) = iteration(&mut model, &mut states, &batch, &s, &inner);
            let norms = epochs.iter().map(|epoch| epoch.grad_norm).collect();
            vec![("θ", flat_all(&model.parameters())), ("norms", norms)]
        }),
        deaf: &[("v_boot", "*"), ("truncated", "*"), ("actions", "*")],
    }
}
