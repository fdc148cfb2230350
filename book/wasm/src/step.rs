//! The widget of the whole step: two short rows, two heads, and every inner epoch.

use crate::{Answer, Reader, read::flat};
use nalgebra::{DMatrix, DVector, RowDVector, dmatrix};
use reference::{
    Ends, Mask, PolicyClip, Settings,
    adam::{AdamSettings, AdamState},
    iteration::{ActorCritic, Batch, Epoch, Inner, NormClip, iteration},
    log_prob::log_softmax_row,
    total_loss::Coefficients,
    two_heads::TwoHeads,
};

/// One PPO iteration of a tiny actor-critic: two rows of three and two tokens, three words, two heads on fixed
/// hidden states.
///
/// In: `epochs`, `lr`, `eps` (both radii of the ratio), `eps_v`, `c_v`, `c_h`, `gamma`, `lambda`, the list of two
/// `scores`.
/// Out, frozen: mask, actions, rewards, V_old, Â, Âʷ, R, 2 × 3 each, row after row.
/// Out, per epoch: \[L_policy, L_V, H, L_total, ‖g‖, clip_frac, the value's clip_frac\]; ρ; V; ∂L/∂log π; ∂L/∂V,
/// 2 × 3 each; π, 2 × 3 × 3, of which there is one more, after the last epoch.
///
/// # Errors
///
/// If the input is not that.
pub fn step(mut input: Reader<'_>) -> Answer {
    let epochs = input.count("epochs", 1, 20)?;
    let lr = input.positive("lr")?;
    let eps = input.positive("eps")?;
    let eps_v = input.positive("eps_v")?;
    let (c_v, c_h) = (input.finite("c_v")?, input.finite("c_h")?);
    let (gamma, lambda) = (input.discount("gamma")?, input.discount("lambda")?);
    let scores = DVector::from_vec(input.list_of("scores", 2, "rows")?);
    input.end()?;

    let defaults = Settings::default();
    let settings = Settings {
        gamma,
        lambda,
        clip: PolicyClip { eps_lo: eps, eps_hi: eps, ..defaults.clip },
        eps_v,
        coefficients: Coefficients { c_v, c_h, beta_loss: 0.0 },
        ..defaults
    };
    let adam = AdamSettings { lr, beta1: 0.9, beta2: 0.999, eps_adam: 1e-8, weight_decay: 0.0 };
    let inner = Inner { epochs, max_norm: 1.0, norm_clip: NormClip::Joint, adam };
    Ok(run(&settings, &inner, &scores))
}

fn run(settings: &Settings, inner: &Inner, scores: &DVector<f64>) -> Vec<Vec<f64>> {
    let (mut model, batch) = (model(), batch(scores));
    let mut optimizer: Vec<AdamState> =
        model.parameters().iter().map(|theta| AdamState::new(theta.shape())).collect();
    let mut said = model.clone();
    let (rollout, targets, epochs) = iteration(&mut model, &mut optimizer, &batch, settings, inner);

    let mut pi = probabilities(&said);
    for epoch in &epochs {
        said.set_parameters(epoch.parameters.clone());
        pi.extend(probabilities(&said));
    }
    let mask: DMatrix<f64> = DMatrix::from_fn(2, 3, |row, t| f64::from(batch.mask.has((row, t))));
    let of = |part: fn(&Epoch) -> Vec<f64>| epochs.iter().flat_map(part).collect::<Vec<f64>>();
    vec![
        flat(&mask),
        flat(&batch.actions.map(|action| action as f64)),
        flat(&targets.token_rewards),
        flat(&rollout.v_old),
        flat(&targets.adv_raw),
        flat(&targets.adv),
        flat(&targets.ret),
        of(|epoch| {
            let losses = &epoch.losses;
            let (policy, value) = (&losses.policy, &losses.value);
            let made = [policy.loss, value.loss, losses.ent, losses.total, epoch.grad_norm];
            made.into_iter().chain([policy.clip_frac, value.clip_frac]).collect()
        }),
        of(|epoch| flat(&epoch.losses.policy.ratio)),
        of(|epoch| flat(&epoch.now.v)),
        of(|epoch| flat(&epoch.losses.grad_logp)),
        of(|epoch| flat(&epoch.losses.grad_v)),
        pi,
    ]
}

/// What the two heads read is fixed, as if the backbone were frozen: then a page can hold it.
fn model() -> TwoHeads {
    TwoHeads {
        h: vec![
            dmatrix![1.0, 0.5, 0.0; 0.5, 1.0, -0.5; 0.0, 0.5, 1.0],
            dmatrix![1.0, -0.5, 0.0; -0.5, 0.5, 1.0; 0.0, 0.0, 0.0],
        ],
        w_lm: dmatrix![0.5, 0.0, -0.25; 0.0, 0.25, 0.25; -0.25, 0.5, 0.0],
        w_v: RowDVector::from_vec(vec![0.25, 0.5, -0.25]),
        mask: mask(),
    }
}

fn batch(scores: &DVector<f64>) -> Batch {
    Batch {
        mask: mask(),
        actions: dmatrix![0, 2, 1; 1, 0, 0],
        scores: DMatrix::from_column_slice(2, 1, scores.as_slice()),
        logp_ref: None,
        ends: Ends::stop(2, 3),
    }
}

fn mask() -> Mask {
    Mask::from_rows(&[[1, 1, 1], [1, 1, 0]])
}

/// π of every slot, row after row; zeros where no token is.
fn probabilities(model: &TwoHeads) -> Vec<f64> {
    let heads = model.forward();
    let slots = (0..2).flat_map(|row| (0..3).map(move |t| (row, t)));
    let of = |(row, t): (usize, usize)| -> Vec<f64> {
        let logits: Vec<f64> = heads.logits[row].row(t).iter().copied().collect();
        let said = model.mask.has((row, t));
        let pi = |logp: f64| if said { libm::exp(logp) } else { 0.0 };
        log_softmax_row(&logits, 1.0).into_iter().map(pi).collect()
    };
    slots.flat_map(of).collect()
}

#[cfg(test)]
mod tests {
    use crate::call;

    fn got(lr: f64) -> Vec<Vec<f64>> {
        call("step", &[4.0, lr, 0.2, 0.2, 0.5, 0.01, 0.9, 0.8, 2.0, 1.0, -0.5]).unwrap()
    }

    #[test]
    fn the_first_epoch_is_the_rollout_and_the_later_ones_are_not() {
        let got = got(0.1);
        let [mask, _, rewards, v_old, _, adv, _, losses, ratio, v, grad_logp, grad_v, pi] = &got[..] else {
            panic!("{} outputs", got.len())
        };
        assert_eq!(mask, &[1.0, 1.0, 1.0, 1.0, 1.0, 0.0]);
        assert_eq!(rewards, &[0.0, 0.0, 1.0, 0.0, -0.5, 0.0]);
        assert_eq!(&ratio[..6], mask, "ρ is 1 at the first epoch");
        assert_eq!(&v[..6], &v_old[..]);
        assert_ne!(&ratio[6..11], &ratio[..5]);
        assert_eq!((losses.len(), ratio.len(), v.len(), pi.len()), (4 * 7, 4 * 6, 4 * 6, 5 * 18));
        for slot in 0..5 {
            assert_eq!(grad_logp[slot], 0.2 * -adv[slot], "−Â over five tokens");
        }
        for list in [ratio, v, grad_logp, grad_v] {
            assert!(list.chunks(6).all(|epoch| epoch[5] == 0.0), "the slot of padding");
        }
        assert!(losses[3] > losses[7 * 3 + 3], "four epochs lower the loss: {losses:?}");
    }

    #[test]
    fn probabilities_are_those_of_each_epoch_and_sum_to_one() {
        let got = got(0.1);
        let (actions, ratio, pi) = (&got[1], &got[8], &got[12]);
        for (epoch, slot) in [(1, 0), (2, 3), (3, 4)] {
            let of = |epoch: usize| pi[18 * epoch + 3 * slot + actions[slot] as usize];
            let (new, old) = (of(epoch), of(0));
            // ρ is exp of a difference and this is a quotient: each of π, π_old and ρ is off by a few roundings.
            assert!((new / old - ratio[6 * epoch + slot]).abs() < 1e-14, "{epoch} {slot}");
            let all = reference::written::sum(pi[18 * epoch + 3 * slot..][..3].iter().copied());
            assert!((all - 1.0).abs() < 1e-15);
        }
    }
}
