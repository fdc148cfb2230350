//! The functions of the rollout phase and of one token.

use super::terms::{Term, ends, flags, flat, flat_all, ids, rows, slots, states, to_ids, weights};
use crate::case::Case;
use nalgebra::DVector;
use reference::{
    ScoreAt, Whitening,
    entropy::{entropy, entropy_grad},
    gae::{gae, gae_recursion, td_residual},
    log_prob::{log_prob, log_prob_grad},
    returns::returns,
    reward::{place_scores, reward},
    value_head::{value_head, value_head_grad},
    whiten::whiten,
};

pub(super) fn mask_itself(case: &Case) -> Term {
    let m = case.m();
    Term {
        name: "mask".into(),
        args: vec![slots(case, "x", 1)],
        results: Box::new(move |x| vec![("keep", flat(&m.keep(&x[0]))), ("Σ", vec![m.sum(&x[0])])]),
        deaf: &[],
    }
}

pub(super) fn head(case: &Case) -> Term {
    let m = case.m();
    Term {
        name: "value_head".into(),
        args: states(case, "h", vec![slots(case, "grad_v", 1)]),
        results: Box::new(move |x| {
            let grad = value_head_grad(&x[0], &weights(), &x[1..], &m);
            vec![
                ("v", flat(&value_head(&weights(), &x[1..], &m))),
                ("grad w_v", grad.w_v.as_slice().to_vec()),
                ("grad h", flat_all(&grad.h)),
            ]
        }),
        deaf: &[("grad_v", "v"), ("h", "grad h")],
    }
}

pub(super) fn log_probs(case: &Case) -> Term {
    let m = case.m();
    Term {
        name: "log_prob".into(),
        args: states(case, "logits", vec![ids(case), slots(case, "g", 1)]),
        results: Box::new(move |x| {
            let actions = to_ids(&x[0]);
            vec![
                ("log π", flat(&log_prob(&x[2..], &actions, &m, 0.7))),
                ("grad logits", flat_all(&log_prob_grad(&x[2..], &actions, &m, 0.7, &x[1]))),
            ]
        }),
        deaf: &[("actions", "*"), ("g", "log π")],
    }
}

pub(super) fn entropies(case: &Case) -> Term {
    let m = case.m();
    Term {
        name: "entropy".into(),
        args: states(case, "logits", vec![slots(case, "g", 1)]),
        results: Box::new(move |x| {
            let grad = entropy_grad(&x[1..], &m, 0.7, &x[0]);
            vec![("H", flat(&entropy(&x[1..], &m, 0.7))), ("grad logits", flat_all(&grad))]
        }),
        deaf: &[("g", "H")],
    }
}

pub(super) fn paid_per_token(case: &Case) -> Term {
    let m = case.m();
    Term {
        name: "reward".into(),
        args: vec![slots(case, "placed", 1), slots(case, "kl", 2), slots(case, "scores", 3)],
        results: Box::new(move |x| {
            vec![
                ("r", flat(&reward(&x[0], Some(&x[1]), 0.5, &m))),
                ("r without KL", flat(&reward(&x[0], None, 0.0, &m))),
                ("s", flat(&place_scores(&x[2], ScoreAt::PerToken, 5.0, &m, None))),
            ]
        }),
        deaf: &[
            ("placed", "s"),
            ("kl", "r without KL"),
            ("kl", "s"),
            ("scores", "r"),
            ("scores", "r without KL"),
        ],
    }
}

pub(super) fn paid_per_row(case: &Case) -> Term {
    let m = case.m();
    Term {
        name: "place_scores".into(),
        args: vec![rows(case, "scores", 1)],
        results: Box::new(move |x| {
            let at = |at| flat(&place_scores(&x[0], at, 5.0, &m, Some(&m)));
            vec![
                ("last valid", at(ScoreAt::LastValid)),
                ("last attended", at(ScoreAt::LastAttended)),
                ("first pad", at(ScoreAt::FirstPad)),
            ]
        }),
        deaf: &[],
    }
}

pub(super) fn credit(case: &Case) -> Term {
    let (m, gap, gamma, lambda) = (case.m(), case.gap, case.gamma, DVector::from_row_slice(&case.lambda));
    Term {
        name: format!("gae {gap:?}"),
        args: vec![
            slots(case, "r", 1),
            slots(case, "v", 2),
            rows(case, "v_last", 3),
            slots(case, "v_boot", 4),
            flags(case, "terminated"),
            flags(case, "truncated"),
        ],
        results: Box::new(move |x| {
            let ends = ends(&x[2], &x[3], &x[4], &x[5]);
            vec![
                ("δ", flat(&td_residual(&x[0], &x[1], &m, &ends, gap, gamma))),
                ("sum", flat(&gae(&x[0], &x[1], &m, &ends, gap, gamma, &lambda))),
                ("recursion", flat(&gae_recursion(&x[0], &x[1], &m, &ends, gap, gamma, &lambda))),
            ]
        }),
        // No episode is cut off inside a row here, so no bootstrap is read; the next test has one.
        deaf: &[("v_boot", "*"), ("terminated", "*"), ("truncated", "*")],
    }
}

property! {
    /// A bootstrap is read where a token was cut off, and arrives.
    fn a_nan_bootstrap_reaches_the_advantage(case) {
        let mut e = case.episode();
        e.ends.v_boot.fill(f64::NAN);
        let adv = gae(&e.r, &e.v, &e.mask, &e.ends, case.gap, case.gamma, &e.lambda);
        for row in 0..case.b() {
            for t in e.mask.tokens_of(row).into_iter().filter(|t| e.ends.truncated[(row, *t)]) {
                ensure!(adv[(row, t)].is_nan(), "[{row}, {t}] was cut off and is {}", adv[(row, t)]);
            }
        }
    }
}

pub(super) fn fit(case: &Case) -> Term {
    let m = case.m();
    Term {
        name: "returns".into(),
        args: vec![slots(case, "adv_raw", 1), slots(case, "v_old", 2)],
        results: Box::new(move |x| vec![("R", flat(&returns(&x[0], &x[1], &m)))]),
        deaf: &[],
    }
}

pub(super) fn whitened(case: &Case, how: Whitening) -> Term {
    let m = case.m();
    Term {
        name: format!("whiten {how:?}"),
        args: vec![slots(case, "adv", 1)],
        results: Box::new(move |x| {
            let got = whiten(&x[0], &m, how);
            vec![("adv", flat(&got.adv)), ("mean", vec![got.mean]), ("var", vec![got.var])]
        }),
        deaf: &[],
    }
}
