//! What is read off one token's states and logits.

use super::{bad, empty, full, good, refuses};
use nalgebra::{DMatrix, RowDVector};
use reference::{
    Agg, Kl, KlEstimate, KlGrad, StateAt,
    entropy::{entropy, entropy_grad, entropy_row},
    kl::{kl, kl_grad},
    log_prob::{log_prob, log_prob_grad, log_prob_row, log_softmax_row},
    total_loss::{kl_loss, kl_loss_grad},
    value_head::{response_states, value_head, value_head_grad},
};

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
