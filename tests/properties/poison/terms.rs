//! Every public function of the reference that takes a mask, with arguments that can be poisoned.
//!
//! Token ids and flags travel as numbers here, so that they can be poisoned too: a NaN is id 0, ∞ and 1e30
//! are ids past any vocabulary, and all four are a set flag.

use super::{Arg, Reach};
use crate::case::Case;
use nalgebra::{DMatrix, DVector, RowDVector};
use reference::{
    Agg, ClipFrac, Coefficients, CountRows, Ends, EpsAt, Half, Kl, KlEstimate, KlGrad, KlOf, Mask,
    PolicyClip, ScoreAt, Settings, ShiftMean, ValueClip, Variance, Whitening,
    adam::{AdamSettings, AdamState},
    aggregate::aggregate,
    entropy::{entropy, entropy_grad},
    gae::{gae, gae_recursion, td_residual},
    iteration::{ActorCritic, Batch, Inner, NormClip, iteration},
    kl::{kl, kl_grad},
    log_prob::{log_prob, log_prob_grad},
    policy_loss::{policy_loss, policy_loss_grad},
    returns::returns,
    reward::{place_scores, reward},
    step::{Rollout, logits_grad, losses, rollout_phase, say},
    total_loss::{kl_loss, kl_loss_grad},
    two_heads::TwoHeads,
    value_head::{value_head, value_head_grad},
    value_loss::{value_loss, value_loss_grad},
    whiten::whiten,
};

/// Named results, flattened.
pub(super) type Results = Vec<(&'static str, Vec<f64>)>;

/// From the arguments to everything that comes out.
pub(super) type Function = dyn Fn(&[DMatrix<f64>]) -> Results;

/// The results that are b × t_len, whose masked slots must hold +0.
pub(super) const PER_SLOT: [&str; 23] = [
    "keep",
    "v",
    "log π",
    "H",
    "r",
    "r without KL",
    "s",
    "δ",
    "sum",
    "recursion",
    "R",
    "adv",
    "per token",
    "ratio",
    "grad",
    "k",
    "slope",
    "own grad",
    "straight-through grad",
    "adv_raw",
    "grad V",
    "grad H",
    "grad log π",
];

/// One function or a pair of function and gradient.
pub(super) struct Term {
    pub(super) name: String,
    pub(super) args: Vec<Arg>,
    pub(super) results: Box<Function>,
    /// (argument, result) where the argument is no operand of the result; `*` is every result.
    pub(super) deaf: &'static [(&'static str, &'static str)],
}

const WIDTH: usize = 3;

/// Every term on the mask of a case, in the order of the step.
pub(super) fn terms(case: &Case) -> Vec<Term> {
    let mut all = vec![mask_itself(case), head(case), log_probs(case), entropies(case), paid_per_token(case)];
    all.extend([paid_per_row(case), credit(case), fit(case), whole_step(case), whole_iteration(case)]);
    all.extend(whitenings().into_iter().map(|how| whitened(case, how)));
    for agg in modes() {
        all.push(aggregated(case, agg));
        all.push(actor(case, agg));
        all.extend(
            [ValueClip::Max, ValueClip::ClippedOnly, ValueClip::Off].map(|form| critic(case, form, agg)),
        );
        all.extend([Kl::K1, Kl::Abs, Kl::K2, Kl::K3].map(|kind| anchor(case, kind, agg)));
    }
    all
}

fn modes() -> [Agg; 6] {
    let rows = CountRows::WithTokens;
    [
        Agg::TokenMean,
        Agg::TokenSum,
        Agg::SeqMeanTokenSum { rows },
        Agg::SeqMeanTokenMean { rows: CountRows::All },
        Agg::SeqMeanTokenSumNorm { rows, scale: 5.0 },
        Agg::TokenSumNorm { scale: 5.0 },
    ]
}

fn whitenings() -> [Whitening; 3] {
    let of = |variance, eps_at, shift_mean| Whitening { variance, eps_at, eps_w: 1e-8, shift_mean };
    [
        of(Variance::Sample, EpsAt::Std, ShiftMean::Yes),
        of(Variance::Population, EpsAt::UnderRoot, ShiftMean::No),
        of(Variance::Sample, EpsAt::VarFloor, ShiftMean::Yes),
    ]
}

/// b × t_len numbers, ordinary ones in masked slots too: that is the run to compare with.
fn slots(case: &Case, name: &'static str, purpose: u64) -> Arg {
    Arg { name, reach: Reach::Slots, x: case.rng(purpose).matrix(case.b(), case.t_len(), 1.0) }
}

fn flags(case: &Case, name: &'static str) -> Arg {
    Arg { name, reach: Reach::Slots, x: DMatrix::zeros(case.b(), case.t_len()) }
}

fn ids(case: &Case) -> Arg {
    let ids = case.rng(90).ids(case.b(), case.t_len(), WIDTH);
    Arg { name: "actions", reach: Reach::Slots, x: ids.map(|id| id as f64) }
}

fn rows(case: &Case, name: &'static str, purpose: u64) -> Arg {
    Arg { name, reach: Reach::Rows, x: case.rng(purpose).matrix(case.b(), 1, 1.0) }
}

/// One matrix of t_len × width for each sequence, which close the list of arguments.
fn states(case: &Case, name: &'static str, mut before: Vec<Arg>) -> Vec<Arg> {
    let one = |row: usize| case.rng(70 + row as u64).matrix(case.t_len(), WIDTH, 1.0);
    before.extend((0..case.b()).map(|row| Arg { name, reach: Reach::States(row), x: one(row) }));
    before
}

fn flat(x: &DMatrix<f64>) -> Vec<f64> {
    x.as_slice().to_vec()
}

fn flat_all(x: &[DMatrix<f64>]) -> Vec<f64> {
    x.iter().flat_map(flat).collect()
}

fn to_ids(x: &DMatrix<f64>) -> DMatrix<usize> {
    x.map(|id| id as usize)
}

fn ends(
    v_last: &DMatrix<f64>,
    v_boot: &DMatrix<f64>,
    terminated: &DMatrix<f64>,
    truncated: &DMatrix<f64>,
) -> Ends {
    let set = |x: &DMatrix<f64>| x.map(|flag| flag != 0.0);
    Ends {
        v_last: DVector::from_column_slice(v_last.as_slice()),
        v_boot: v_boot.clone(),
        terminated: set(terminated),
        truncated: set(truncated),
    }
}

fn weights() -> RowDVector<f64> {
    RowDVector::from_row_slice(&[0.5, -1.25, 0.75])
}

fn mask_itself(case: &Case) -> Term {
    let m = case.m();
    Term {
        name: "mask".into(),
        args: vec![slots(case, "x", 1)],
        results: Box::new(move |x| vec![("keep", flat(&m.keep(&x[0]))), ("Σ", vec![m.sum(&x[0])])]),
        deaf: &[],
    }
}

fn head(case: &Case) -> Term {
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

fn log_probs(case: &Case) -> Term {
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

fn entropies(case: &Case) -> Term {
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

fn paid_per_token(case: &Case) -> Term {
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

fn paid_per_row(case: &Case) -> Term {
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

fn credit(case: &Case) -> Term {
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

fn fit(case: &Case) -> Term {
    let m = case.m();
    Term {
        name: "returns".into(),
        args: vec![slots(case, "adv_raw", 1), slots(case, "v_old", 2)],
        results: Box::new(move |x| vec![("R", flat(&returns(&x[0], &x[1], &m)))]),
        deaf: &[],
    }
}

fn whitened(case: &Case, how: Whitening) -> Term {
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

fn aggregated(case: &Case, agg: Agg) -> Term {
    let m = case.m();
    Term {
        name: format!("aggregate {agg:?}"),
        args: vec![slots(case, "x", 1)],
        results: Box::new(move |x| vec![("agg", vec![aggregate(&x[0], &m, agg)])]),
        deaf: &[],
    }
}

fn actor(case: &Case, agg: Agg) -> Term {
    let m = case.m();
    let clip = PolicyClip {
        eps_lo: 0.2,
        eps_hi: 0.3,
        c_dual: 1.5,
        log_ratio_clamp: 1.0,
        clip_frac: ClipFrac::Effective,
        kl_kind: Kl::K3,
        kl_of: KlOf::Clamped,
    };
    Term {
        name: format!("policy_loss {agg:?}"),
        args: vec![
            slots(case, "logp", 1),
            slots(case, "logp_old", 2),
            slots(case, "adv", 3),
            slots(case, "weights", 4),
        ],
        results: Box::new(move |x| {
            let got = policy_loss(&x[0], &x[1], &x[2], &m, Some(&x[3]), &clip, agg);
            let grad = policy_loss_grad(&x[0], &x[1], &x[2], &m, Some(&x[3]), &clip, agg);
            vec![
                ("loss", vec![got.loss]),
                ("per token", flat(&got.per_token)),
                ("ratio", flat(&got.ratio)),
                ("counts", vec![got.clip_frac, got.clip_frac_lower]),
                ("KL", vec![got.approx_kl]),
                ("grad", flat(&grad)),
            ]
        }),
        deaf: &[
            ("logp", "counts"),
            ("logp_old", "counts"),
            ("adv", "counts"),
            ("adv", "ratio"),
            ("adv", "KL"),
            ("weights", "counts"),
            ("weights", "ratio"),
            ("weights", "KL"),
        ],
    }
}

fn critic(case: &Case, form: ValueClip, agg: Agg) -> Term {
    let m = case.m();
    Term {
        name: format!("value_loss {form:?} {agg:?}"),
        args: vec![
            slots(case, "v", 1),
            slots(case, if form == ValueClip::Off { "unread" } else { "v_old" }, 2),
            slots(case, "ret", 3),
        ],
        results: Box::new(move |x| {
            let got = value_loss(&x[0], &x[1], &x[2], &m, 0.25, form, agg, Half::Yes);
            let grad = value_loss_grad(&x[0], &x[1], &x[2], &m, 0.25, form, agg, Half::Yes);
            vec![
                ("loss", vec![got.loss]),
                ("per token", flat(&got.per_token)),
                ("counts", vec![got.clip_frac]),
                ("grad", flat(&grad)),
            ]
        }),
        deaf: &[("v", "counts"), ("v_old", "counts"), ("ret", "counts"), ("unread", "*")],
    }
}

fn anchor(case: &Case, kind: Kl, agg: Agg) -> Term {
    let m = case.m();
    let how = KlEstimate { kind, clamp_in: 1.5, clamp_out: 1.0 };
    Term {
        name: format!("kl {kind:?} {agg:?}"),
        args: vec![slots(case, "logp", 1), slots(case, "logp_ref", 2)],
        results: Box::new(move |x| {
            let slope = |grad| flat(&kl_loss_grad(&x[0], &x[1], &m, how, grad, agg));
            vec![
                ("k", flat(&kl(&x[0], &x[1], &m, how))),
                ("slope", flat(&kl_grad(&x[0], &x[1], &m, how, KlGrad::Own))),
                ("loss", vec![kl_loss(&x[0], &x[1], &m, how, agg)]),
                ("own grad", slope(KlGrad::Own)),
                ("straight-through grad", slope(KlGrad::StraightThrough)),
            ]
        }),
        deaf: &[],
    }
}

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

fn whole_step(case: &Case) -> Term {
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

fn whole_iteration(case: &Case) -> Term {
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
