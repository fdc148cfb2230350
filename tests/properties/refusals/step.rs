//! The optimizer, and the step as a whole.

use super::{bad, full, good, refuses};
use nalgebra::{DMatrix, dmatrix};
use reference::{
    Ends, Listing, Settings,
    adam::{AdamSettings, AdamState, adam},
    grad_norm::clip_grad_norm,
    step::{Rollout, rollout_phase},
};

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
