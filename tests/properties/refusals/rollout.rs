//! The rollout phase: reward, GAE, whitening, returns.

use super::{bad, empty, full, good, refuses};
use nalgebra::{DMatrix, DVector, dmatrix, dvector};
use reference::{
    DoneAt, Ends, EpsAt, Gap, Mask, ScoreAt, ShiftMean, Variance, Whitening, dones_of_transitions,
    gae::{gae, gae_recursion, td_residual},
    returns::returns,
    reward::{broadcast_scores, place_scores, reward, score_slot},
    whiten::whiten,
};

#[test]
fn the_reward() {
    let (m, scores) = (full(), dmatrix![1.0; 2.0]);
    let place = |scores: &DMatrix<f64>, at, clip| place_scores(scores, at, clip, &full(), None);
    refuses("reward: `score_clip` is 0 and must be > 0", || place(&scores, ScoreAt::LastValid, 0.0));
    refuses("reward: `score_clip` is -1 and must be > 0", || broadcast_scores(&scores, -1.0, (2, 2)));
    refuses("reward: `scores` is 2 × 3 but `one per sequence` is 2 × 1", || {
        place(&good(), ScoreAt::LastValid, f64::INFINITY)
    });
    refuses("reward: `scores` is 2 × 1 but `mask` is 2 × 3", || {
        place(&scores, ScoreAt::PerToken, f64::INFINITY)
    });
    refuses("reward: `score_at` last-attended needs an attention mask", || {
        place(&scores, ScoreAt::LastAttended, f64::INFINITY)
    });
    refuses("reward: `attended` is 2 × 4 but `mask` is 2 × 3", || {
        place_scores(&scores, ScoreAt::LastAttended, f64::INFINITY, &m, Some(&Mask::full(2, 4)))
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
