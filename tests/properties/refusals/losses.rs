//! The losses and how tokens become one number.

use super::{bad, empty, full, good, refuses};
use nalgebra::DMatrix;
use reference::{
    Agg, ClipFrac, CountRows, Half, Kl, KlOf, Mask, PolicyClip, ValueClip,
    aggregate::{aggregate, aggregate_grad},
    policy_loss::{policy_loss, policy_loss_grad},
    value_loss::{value_loss, value_loss_grad},
};

#[test]
fn the_policy_loss() {
    let clip = PolicyClip {
        eps_lo: 0.2,
        eps_hi: 0.2,
        c_dual: 3.0,
        log_ratio_clamp: 20.0,
        clip_frac: ClipFrac::Effective,
        kl_kind: Kl::K1,
        kl_of: KlOf::Raw,
    };
    type Call<'a> = &'a dyn Fn([&DMatrix<f64>; 4], &Mask, &PolicyClip);
    let calls: [Call<'_>; 2] = [
        &|[a, b, c, w], m, clip| drop(policy_loss(a, b, c, m, Some(w), clip, Agg::TokenMean)),
        &|[a, b, c, w], m, clip| drop(policy_loss_grad(a, b, c, m, Some(w), clip, Agg::TokenMean)),
    ];
    let (x, y) = (&good(), &bad());
    for call in calls {
        for (name, args) in [
            ("logp", [y, x, x, x]),
            ("logp_old", [x, y, x, x]),
            ("adv", [x, x, y, x]),
            ("weights", [x, x, x, y]),
        ] {
            let sentence = format!("policy_loss: `{name}` is 3 × 2 but `mask` is 2 × 3");
            refuses(&sentence, || call(args, &full(), &clip));
        }
        for (sentence, clip) in [
            ("policy_loss: `eps_lo` is 0 and must be > 0", PolicyClip { eps_lo: 0.0, ..clip }),
            ("policy_loss: `eps_hi` is -0.5 and must be > 0", PolicyClip { eps_hi: -0.5, ..clip }),
            (
                "policy_loss: `log_ratio_clamp` is 0 and must be > 0",
                PolicyClip { log_ratio_clamp: 0.0, ..clip },
            ),
            ("policy_loss: `c_dual` is 1 and must be > 1", PolicyClip { c_dual: 1.0, ..clip }),
            ("policy_loss: `eps_lo` is NaN and must be > 0", PolicyClip { eps_lo: f64::NAN, ..clip }),
        ] {
            refuses(sentence, || call([x; 4], &full(), &clip));
        }
        refuses("aggregate: `mask` has no valid token to take a mean over", || call([x; 4], &empty(), &clip));
    }
}

#[test]
fn the_value_loss() {
    type Call<'a> = &'a dyn Fn([&DMatrix<f64>; 3], &Mask, f64);
    let (form, agg, half) = (ValueClip::Max, Agg::TokenMean, Half::No);
    let calls: [Call<'_>; 2] = [
        &|[v, v_old, ret], m, eps_v| drop(value_loss(v, v_old, ret, m, eps_v, form, agg, half)),
        &|[v, v_old, ret], m, eps_v| drop(value_loss_grad(v, v_old, ret, m, eps_v, form, agg, half)),
    ];
    let (x, y) = (&good(), &bad());
    for call in calls {
        for (name, args) in [("v", [y, x, x]), ("v_old", [x, y, x]), ("ret", [x, x, y])] {
            let sentence = format!("value_loss: `{name}` is 3 × 2 but `mask` is 2 × 3");
            refuses(&sentence, || call(args, &full(), 0.2));
        }
        refuses("value_loss: `eps_v` is 0 and must be > 0", || call([x; 3], &full(), 0.0));
        refuses("value_loss: `eps_v` is -0.2 and must be > 0", || call([x; 3], &full(), -0.2));
        refuses("aggregate: `mask` has no valid token to take a mean over", || call([x; 3], &empty(), 0.2));
    }
}

#[test]
fn every_mode_that_takes_a_mean() {
    let rows = CountRows::WithTokens;
    refuses("aggregate: `x` is 3 × 2 but `mask` is 2 × 3", || aggregate(&bad(), &full(), Agg::TokenSum));
    let no_row = "aggregate: `mask` has no row to take a mean over";
    for (agg, sentence) in [
        (Agg::TokenMean, "aggregate: `mask` has no valid token to take a mean over"),
        (Agg::SeqMeanTokenSum { rows }, no_row),
        (Agg::SeqMeanTokenMean { rows }, no_row),
        (Agg::SeqMeanTokenSumNorm { rows, scale: 5.0 }, no_row),
    ] {
        refuses(sentence, || aggregate(&good(), &empty(), agg));
        refuses(sentence, || aggregate_grad(&empty(), agg));
    }
    for agg in [Agg::TokenSumNorm { scale: 0.0 }, Agg::SeqMeanTokenSumNorm { rows, scale: 0.0 }] {
        refuses("aggregate: `scale` is 0 and must be > 0", || aggregate(&good(), &full(), agg));
        refuses("aggregate: `scale` is 0 and must be > 0", || aggregate_grad(&full(), agg));
    }
}

/// A sum needs nothing to be there, and neither does a mean over rows that counts empty ones.
#[test]
fn a_sum_of_nothing_is_zero_in_every_mode_that_allows_it() {
    let rows = CountRows::All;
    for agg in [
        Agg::TokenSum,
        Agg::TokenSumNorm { scale: 5.0 },
        Agg::SeqMeanTokenSum { rows },
        Agg::SeqMeanTokenMean { rows },
        Agg::SeqMeanTokenSumNorm { rows, scale: 5.0 },
    ] {
        assert_eq!(aggregate(&good(), &empty(), agg).to_bits(), 0, "{agg:?}");
        assert_eq!(aggregate_grad(&empty(), agg), DMatrix::zeros(2, 3), "{agg:?}");
    }
}
