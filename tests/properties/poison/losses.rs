//! The losses, their aggregates and their gradients.

use super::terms::{Term, flat, slots};
use crate::case::Case;
use reference::{
    Agg, ClipFrac, Half, Kl, KlEstimate, KlGrad, KlOf, PolicyClip, ValueClip,
    aggregate::aggregate,
    kl::{kl, kl_grad},
    policy_loss::{policy_loss, policy_loss_grad},
    total_loss::{kl_loss, kl_loss_grad},
    value_loss::{value_loss, value_loss_grad},
};

pub(super) fn aggregated(case: &Case, agg: Agg) -> Term {
    let m = case.m();
    Term {
        name: format!("aggregate {agg:?}"),
        args: vec![slots(case, "x", 1)],
        results: Box::new(move |x| vec![("agg", vec![aggregate(&x[0], &m, agg)])]),
        deaf: &[],
    }
}

pub(super) fn actor(case: &Case, agg: Agg) -> Term {
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

pub(super) fn critic(case: &Case, form: ValueClip, agg: Agg) -> Term {
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

pub(super) fn anchor(case: &Case, kind: Kl, agg: Agg) -> Term {
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
