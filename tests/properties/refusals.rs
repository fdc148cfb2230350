//! What cannot be meant ends in one sentence that names the argument and the numbers, in every public
//! function; values never do.

use crate::runner::said;
use nalgebra::{DMatrix, DVector, RowDVector, dmatrix, dvector};
use reference::{
    Agg, ClipFrac, CountRows, DoneAt, Ends, EpsAt, Gap, Half, Kl, KlEstimate, KlGrad, KlOf, Listing, Mask,
    PolicyClip, ScoreAt, Settings, ShiftMean, StateAt, ValueClip, Variance, Whitening,
    adam::{AdamSettings, AdamState, adam},
    aggregate::{aggregate, aggregate_grad},
    dones_of_transitions,
    entropy::{entropy, entropy_grad, entropy_row},
    gae::{gae, gae_recursion, td_residual},
    grad_norm::clip_grad_norm,
    kl::{kl, kl_grad},
    log_prob::{log_prob, log_prob_grad, log_prob_row, log_softmax_row},
    policy_loss::{policy_loss, policy_loss_grad},
    returns::returns,
    reward::{broadcast_scores, place_scores, reward, score_slot},
    step::{Rollout, rollout_phase},
    total_loss::{kl_loss, kl_loss_grad},
    value_head::{response_states, value_head, value_head_grad},
    value_loss::{value_loss, value_loss_grad},
    whiten::whiten,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what must be refused and compares the sentence to the letter.
fn refuses<T>(sentence: &str, call: impl FnOnce() -> T) {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(_) => panic!("nothing was refused, and this was wanted: {sentence}"),
        Err(payload) => assert_eq!(said(&*payload), sentence),
    }
}

const INF: f64 = f64::INFINITY;

/// 2 × 3, the shape of every good argument here.
fn good() -> DMatrix<f64> {
    DMatrix::from_element(2, 3, 0.5)
}

/// 3 × 2: as many numbers, another shape.
fn bad() -> DMatrix<f64> {
    DMatrix::from_element(3, 2, 0.5)
}

fn full() -> Mask {
    Mask::full(2, 3)
}

fn empty() -> Mask {
    Mask::from_rows(&[[0, 0, 0], [0, 0, 0]])
}

#[test]
fn a_mask_holds_zero_and_one() {
    refuses("mask: entry [1, 0] is 2, and a mask holds 0 and 1", || Mask::from_rows(&[[1, 0], [2, 1]]));
    refuses("keep: `x` is 3 × 2 but `mask` is 2 × 3", || full().keep(&bad()));
    refuses("sum: `x` is 3 × 2 but `mask` is 2 × 3", || full().sum(&bad()));
}

#[test]
fn the_value_head() {
    let (w_v, h) = (RowDVector::from_element(4, 1.0), vec![DMatrix::zeros(3, 4); 2]);
    let narrow = vec![DMatrix::zeros(3, 5); 2];
    let m = full();
    type Call<'a> = &'a dyn Fn(&[DMatrix<f64>]);
    let calls: [Call<'_>; 2] =
        [&|h| drop(value_head(&w_v, h, &m)), &|h| drop(value_head_grad(&good(), &w_v, h, &m))];
    for call in calls {
        refuses("value_head: `h` has 1 entries for 2 sequences", || call(&h[..1]));
        refuses("value_head: `h` is 3 × 5 but `mask × w_v` is 3 × 4", || call(&narrow));
    }
    refuses("value_head_grad: `grad_v` is 3 × 2 but `mask` is 2 × 3", || {
        value_head_grad(&bad(), &w_v, &h, &full())
    });
    refuses("response_states: `prompt_len` is 0, so no state produced the first token", || {
        response_states(&h[0], 0, 2, StateAt::BeforeToken)
    });
    refuses("response_states: `hidden` has 3 positions but 4 are needed", || {
        response_states(&h[0], 2, 2, StateAt::AfterToken)
    });
}

#[test]
fn log_prob_and_entropy() {
    let (z, short) = (vec![DMatrix::zeros(3, 5); 2], vec![DMatrix::zeros(3, 5), DMatrix::zeros(2, 5)]);
    let (ids, far, bad_ids) =
        (DMatrix::from_element(2, 3, 1), DMatrix::from_element(2, 3, 9), DMatrix::from_element(3, 2, 1));
    type Call<'a> = &'a dyn Fn(&[DMatrix<f64>], &DMatrix<usize>, f64);
    let m = full();
    let calls: [Call<'_>; 2] = [&|z, ids, tau| drop(log_prob(z, ids, &m, tau)), &|z, ids, tau| {
        drop(log_prob_grad(z, ids, &m, tau, &good()))
    }];
    for call in calls {
        refuses("log_prob: `actions` is 3 × 2 but `mask` is 2 × 3", || call(&z, &bad_ids, 1.0));
        refuses("log_prob: `logits` has 1 entries for 2 sequences", || call(&z[..1], &ids, 1.0));
        refuses("log_prob: `logits` has 2 rows a sequence for 3 tokens", || call(&short, &ids, 1.0));
        refuses("log_prob: action 9 is not below the vocabulary of 5", || call(&z, &far, 1.0));
        refuses("log_prob: `tau` is 0 and must be > 0", || call(&z, &ids, 0.0));
        refuses("log_prob: `tau` is NaN and must be > 0", || call(&z, &ids, f64::NAN));
    }
    refuses("log_prob_grad: `g` is 3 × 2 but `mask` is 2 × 3", || log_prob_grad(&z, &ids, &m, 1.0, &bad()));
    refuses("entropy: `logits` has 1 entries for 2 sequences", || entropy(&z[..1], &m, 1.0));
    refuses("entropy: `logits` has 2 rows a sequence for 3 tokens", || entropy(&short, &m, 1.0));
    refuses("log_prob: `tau` is -1 and must be > 0", || entropy(&z, &m, -1.0));
    refuses("entropy_grad: `logits` has 1 entries for 2 sequences", || {
        entropy_grad(&z[..1], &m, 1.0, &good())
    });
    refuses("entropy_grad: `logits` has 2 rows a sequence for 3 tokens", || {
        entropy_grad(&short, &m, 1.0, &good())
    });
    refuses("entropy_grad: `g` is 3 × 2 but `mask` is 2 × 3", || entropy_grad(&z, &m, 1.0, &bad()));
    refuses("log_prob: `tau` is -1 and must be > 0", || entropy_grad(&z, &m, -1.0, &good()));
    refuses("log_prob: a row of logits is empty", || log_softmax_row(&[], 1.0));
    refuses("log_prob: a row of logits is empty", || entropy_row(&[], 1.0));
    refuses("log_prob: action 0 is not below the vocabulary of 0", || log_prob_row(&[], 0, 1.0));
}

#[test]
fn kl_and_its_loss() {
    let k1 = KlEstimate::plain(Kl::K1);
    let m = full();
    type Call<'a> = &'a dyn Fn(&DMatrix<f64>, &DMatrix<f64>, KlEstimate);
    let calls: [Call<'_>; 4] = [
        &|a, b, how| drop(kl(a, b, &m, how)),
        &|a, b, how| drop(kl_grad(a, b, &m, how, KlGrad::StraightThrough)),
        &|a, b, how| assert!(kl_loss(a, b, &m, how, Agg::TokenMean).is_finite()),
        &|a, b, how| drop(kl_loss_grad(a, b, &m, how, KlGrad::Own, Agg::TokenMean)),
    ];
    for call in calls {
        refuses("kl: `logp` is 3 × 2 but `mask` is 2 × 3", || call(&bad(), &good(), k1));
        refuses("kl: `logp_ref` is 3 × 2 but `mask` is 2 × 3", || call(&good(), &bad(), k1));
        refuses("kl: `clamp_in` is 0 and must be > 0", || {
            call(&good(), &good(), KlEstimate { clamp_in: 0.0, ..k1 })
        });
        refuses("kl: `clamp_out` is -2 and must be > 0", || {
            call(&good(), &good(), KlEstimate { clamp_out: -2.0, ..k1 })
        });
    }
    let nothing = "aggregate: `mask` has no valid token to take a mean over";
    refuses(nothing, || kl_loss(&good(), &good(), &empty(), k1, Agg::TokenMean));
    refuses(nothing, || kl_loss_grad(&good(), &good(), &empty(), k1, KlGrad::Own, Agg::TokenMean));
}

#[test]
fn the_reward() {
    let (m, scores) = (full(), dmatrix![1.0; 2.0]);
    let place = |scores: &DMatrix<f64>, at, clip| place_scores(scores, at, clip, &full(), None);
    refuses("reward: `score_clip` is 0 and must be > 0", || place(&scores, ScoreAt::LastValid, 0.0));
    refuses("reward: `score_clip` is -1 and must be > 0", || broadcast_scores(&scores, -1.0, (2, 2)));
    refuses("reward: `scores` is 2 × 3 but `one per sequence` is 2 × 1", || {
        place(&good(), ScoreAt::LastValid, INF)
    });
    refuses("reward: `scores` is 2 × 1 but `mask` is 2 × 3", || place(&scores, ScoreAt::PerToken, INF));
    refuses("reward: `score_at` last-attended needs an attention mask", || {
        place(&scores, ScoreAt::LastAttended, INF)
    });
    refuses("reward: `attended` is 2 × 4 but `mask` is 2 × 3", || {
        place_scores(&scores, ScoreAt::LastAttended, INF, &m, Some(&Mask::full(2, 4)))
    });
    refuses("reward: `score_at` per-token has no one slot", || score_slot(ScoreAt::PerToken, 0, &m, None));
    refuses("reward: `placed` is 3 × 2 but `mask` is 2 × 3", || reward(&bad(), None, 0.0, &m));
    refuses("reward: `kl` is 3 × 2 but `mask` is 2 × 3", || reward(&good(), Some(&bad()), 0.1, &m));
    refuses("reward: `beta_kl` is not 0, so the KL of each token is needed", || {
        reward(&good(), None, 0.1, &m)
    });
}

#[test]
fn gae_in_both_forms_and_its_residual() {
    let (m, ends, lambda) = (full(), Ends::stop(2, 3), dvector![0.8, 0.8]);
    type Call<'a> = &'a dyn Fn(&DMatrix<f64>, &DMatrix<f64>, &Ends, f64, &DVector<f64>);
    let both: [Call<'_>; 2] = [
        &|r, v, ends, gamma, lambda| drop(gae(r, v, &m, ends, Gap::Skip, gamma, lambda)),
        &|r, v, ends, gamma, lambda| drop(gae_recursion(r, v, &m, ends, Gap::Skip, gamma, lambda)),
    ];
    for call in both {
        let with_lambda = |lambda: &DVector<f64>| call(&good(), &good(), &ends, 0.9, lambda);
        refuses("gae: `gamma` is 1.5 and must lie in [0, 1]", || call(&good(), &good(), &ends, 1.5, &lambda));
        refuses("gae: `gamma` is -0.5 and must lie in [0, 1]", || {
            call(&good(), &good(), &ends, -0.5, &lambda)
        });
        refuses("gae: `gamma` is NaN and must lie in [0, 1]", || {
            call(&good(), &good(), &ends, f64::NAN, &lambda)
        });
        refuses("gae: `lambda` is 1.25 and must lie in [0, 1]", || with_lambda(&dvector![0.8, 1.25]));
        refuses("gae: `lambda` is -1 and must lie in [0, 1]", || with_lambda(&dvector![-1.0, 0.8]));
        refuses("gae: `lambda` has 3 entries for 2 sequences", || with_lambda(&dvector![0.8, 0.8, 0.8]));
    }
    let residual: Call<'_> = &|r, v, ends, gamma, _| drop(td_residual(r, v, &m, ends, Gap::Skip, gamma));
    refuses("td_residual: `gamma` is 1.5 and must lie in [0, 1]", || {
        residual(&good(), &good(), &ends, 1.5, &lambda)
    });
    for call in [both[0], both[1], residual] {
        let with_ends = |ends: &Ends| call(&good(), &good(), ends, 0.9, &lambda);
        let flags = DMatrix::from_element(3, 2, false);
        refuses("gae: `r` is 3 × 2 but `mask` is 2 × 3", || call(&bad(), &good(), &ends, 0.9, &lambda));
        refuses("gae: `v` is 3 × 2 but `mask` is 2 × 3", || call(&good(), &bad(), &ends, 0.9, &lambda));
        refuses("gae: `v_last` has 3 entries for 2 sequences", || {
            with_ends(&Ends { v_last: DVector::zeros(3), ..ends.clone() })
        });
        refuses("gae: `terminated` is 3 × 2 but `mask` is 2 × 3", || {
            with_ends(&Ends { terminated: flags.clone(), ..ends.clone() })
        });
        refuses("gae: `truncated` is 3 × 2 but `mask` is 2 × 3", || {
            with_ends(&Ends { truncated: flags.clone(), ..ends.clone() })
        });
        refuses("gae: `v_boot` is 3 × 2 but `mask` is 2 × 3", || {
            with_ends(&Ends { v_boot: bad(), ..ends.clone() })
        });
    }
    refuses("dones_of_transitions: `last_dones` has 3 entries for 2 sequences", || {
        dones_of_transitions(
            &DMatrix::from_element(2, 3, false),
            &dvector![true, true, true],
            DoneAt::NextStart,
            &Mask::full(2, 3),
        )
    });
}

#[test]
fn whitening_and_returns() {
    let how =
        Whitening { variance: Variance::Sample, eps_at: EpsAt::Std, eps_w: 1e-8, shift_mean: ShiftMean::Yes };
    refuses("whiten: `adv` is 3 × 2 but `mask` is 2 × 3", || whiten(&bad(), &full(), how));
    refuses("whiten: `mask` has no valid token to take a mean over", || whiten(&good(), &empty(), how));
    refuses("whiten: `eps_w` is -1 and must be ≥ 0", || {
        whiten(&good(), &full(), Whitening { eps_w: -1.0, ..how })
    });
    refuses("returns: `adv_raw` is 3 × 2 but `mask` is 2 × 3", || returns(&bad(), &good(), &full()));
    refuses("returns: `v_old` is 3 × 2 but `mask` is 2 × 3", || returns(&good(), &bad(), &full()));
}

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

#[test]
fn the_optimizer() {
    let settings = AdamSettings { lr: 0.1, beta1: 0.9, beta2: 0.999, eps_adam: 1e-8, weight_decay: 0.0 };
    let run = |grad: &DMatrix<f64>, state: (usize, usize), settings| {
        adam(&good(), grad, &AdamState::new(state), &settings)
    };
    refuses("clip_grad_norm: `max_norm` is 0 and must be > 0", || clip_grad_norm(&[good()], 0.0));
    refuses("adam: `grad` is 3 × 2 but `theta` is 2 × 3", || run(&bad(), (2, 3), settings));
    refuses("adam: `first` is 3 × 2 but `theta` is 2 × 3", || run(&good(), (3, 2), settings));
    for (sentence, settings) in [
        ("adam: `lr` is 0 and must be > 0", AdamSettings { lr: 0.0, ..settings }),
        ("adam: `eps_adam` is 0 and must be > 0", AdamSettings { eps_adam: 0.0, ..settings }),
        ("adam: `beta1` is 1 and must lie in [0, 1)", AdamSettings { beta1: 1.0, ..settings }),
        ("adam: `beta2` is -0.5 and must lie in [0, 1)", AdamSettings { beta2: -0.5, ..settings }),
        ("adam: `weight_decay` is -1 and must be ≥ 0", AdamSettings { weight_decay: -1.0, ..settings }),
    ] {
        refuses(sentence, || run(&good(), (2, 3), settings));
    }
}

#[test]
fn the_step() {
    let rollout = Rollout {
        mask: full(),
        attended: None,
        scores: dmatrix![1.0; 2.0],
        logp_old: good(),
        logp_ref: None,
        v_old: good(),
        ends: Ends::stop(2, 3),
        weights: None,
    };
    let run = |settings: Settings| rollout_phase(&rollout, &settings);
    refuses("gae: `gamma` is 2 and must lie in [0, 1]", || {
        run(Settings { gamma: 2.0, ..Settings::default() })
    });
    refuses("gae: `lambda` is 2 and must lie in [0, 1]", || {
        run(Settings { lambda_critic: Some(2.0), ..Settings::default() })
    });
    refuses("reward: `beta_kl` is not 0, so the KL of each token is needed", || {
        run(Settings { beta_kl: 0.1, ..Settings::default() })
    });
    let listing = Listing { score_broadcast: true, ..Listing::CORRECTED };
    refuses(
        "step: `score_broadcast` needs one score per sequence and b = t_len, not 2 × 1 scores for b = 2, t_len = 3",
        || run(Settings { listing, ..Settings::default() }),
    );
}
