//! The command's term-by-term evaluation against the reference's own step.

use crate::pytorch::sample;
use conformance::{
    dump::{Dump, Inputs},
    engine::Engine,
    evaluate::{evaluate, grad_logits_row},
};
use nalgebra::DMatrix;
use reference::step::{Heads, Rollout, logits_grad, losses, rollout_phase, say};

/// Both call the same functions; this holds the order, the masks and the wiring between them.
#[test]
fn evaluating_term_by_term_is_the_listing_to_the_bit() {
    for name in ["step-f64.safetensors", "step-as-printed-f64.safetensors", "options-f64.safetensors"] {
        let dump = Dump::open(sample(name)).unwrap();
        let chosen = dump.choose(&[]).unwrap();
        let mut inputs = Inputs::load(&dump, &chosen).unwrap();
        let e = evaluate(Engine::Reference, &mut inputs, &chosen).unwrap();
        let logits = all_logits(&mut inputs);

        let rollout = Rollout {
            mask: inputs.mask.clone(),
            attended: None,
            scores: inputs.scores.clone().unwrap(),
            logp_old: inputs.old_log_probs.clone().unwrap(),
            logp_ref: inputs.ref_log_probs.clone(),
            v_old: inputs.old_values.clone().unwrap(),
            ends: inputs.ends.clone().unwrap(),
            weights: inputs.rollout_is_weights.clone(),
        };
        let actions = inputs.actions.clone().unwrap();
        let heads = Heads { logits, v: inputs.values.clone().unwrap() };
        let targets = rollout_phase(&rollout, &chosen.settings);
        let now = say(&heads, &actions, &targets.mask, &chosen.settings);
        let step = losses(&rollout, &targets, &now, &chosen.settings);

        assert_eq!(e.kl, targets.kl, "{name}");
        assert_eq!(e.token_rewards, Some(targets.token_rewards.clone()), "{name}");
        assert_eq!(e.adv_raw, Some(targets.adv_raw.clone()), "{name}");
        assert_eq!(e.adv, Some(targets.adv.clone()), "{name}");
        assert_eq!(e.ret, Some(targets.ret.clone()), "{name}");
        assert_eq!((e.logp.clone(), e.ent.clone()), (Some(now.logp), Some(now.ent)), "{name}");
        assert_eq!(e.policy, Some(step.policy.clone()), "{name}");
        assert_eq!(e.value, Some(step.value.clone()), "{name}");
        assert_eq!((e.ent_loss, e.l_kl, e.total), (Some(step.ent), step.l_kl, Some(step.total)), "{name}");
        assert_eq!(e.grad_logp, Some(step.grad_logp.clone()), "{name}");
        assert_eq!(e.grad_v, Some(step.grad_v.clone()), "{name}");

        let settings = chosen.settings.as_listed();
        let whole = logits_grad(&heads.logits, &actions, &targets, &step, &settings);
        for (row, (whole, logits)) in whole.iter().zip(&heads.logits).enumerate() {
            for t in inputs.mask.tokens_of(row) {
                let z: Vec<f64> = logits.row(t).iter().copied().collect();
                let by_row = grad_logits_row(Engine::Reference, &e, &inputs, &settings, (row, t), &z)
                    .unwrap()
                    .unwrap();
                assert!(whole.row(t).iter().eq(by_row.iter()), "{name}: [{row}, {t}]");
            }
        }
    }
}

fn all_logits(inputs: &mut Inputs) -> Vec<DMatrix<f64>> {
    let (b, t_len) = inputs.mask.shape();
    let logits = inputs.logits.as_mut().unwrap();
    let mut z = Vec::new();
    let mut of_row = |row: usize| {
        let mut all = DMatrix::zeros(t_len, logits.vocab());
        for t in 0..t_len {
            logits.row((row, t), None, &mut z).unwrap();
            all.row_mut(t).copy_from_slice(&z);
        }
        all
    };
    (0..b).map(&mut of_row).collect()
}
