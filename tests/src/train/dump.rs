//! The last inner epoch of an iteration as a rollout dump: what `ppo step` computes again to the same digit.

use super::{Iterated, Plan, rollout::is_done, task};
use crate::{
    dump::{BadInput, Entry, Writer},
    evaluate::Evaluation,
    outputs::{GRAD_LOGITS, OUTPUTS, Value},
};
use nalgebra::DMatrix;
use reference::{iteration::ActorCritic, step::logits_grad, transformer::On};
use std::path::Path;

const ACTIONS: &str = "actions";

/// Writes inputs and outputs, the outputs as the trainer computed them, and the settings as metadata.
///
/// A response that was cut off has score 0, and V after it stands in `last_values` with `truncated` 1.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write(path: &Path, plan: &Plan, it: &Iterated) -> Result<(), BadInput> {
    let Some(last) = it.epochs.last() else { return Err(BadInput::new("there was no inner epoch")) };
    // The model of the last epoch is the one that the epoch before it left; its logits are made again.
    let mut model = match it.epochs.len().checked_sub(2) {
        Some(before) => it.before.with(&it.epochs[before].parameters),
        None => it.before.clone(),
    };
    let actions = &it.responses.actions;
    let on = On { model: &mut model, prompts: &it.prompts, actions, mask: &it.slots };
    let logits = on.forward().logits;
    let grad = logits_grad(&logits, actions, &it.targets, &last.losses, &plan.recipe.settings);
    let whole = Whole { it, evaluation: evaluation(it), logits, grad };
    let tensors = whole.tensors();
    let entry = |(name, shape, _): &Named| match *name {
        ACTIONS => Entry::ids(*name, shape.clone()),
        name => Entry::new(name, shape.clone()),
    };
    let entries: Vec<Entry> = tensors.iter().map(entry).collect();
    let mut writer = Writer::create(path, &entries, &plan.settings())?;
    tensors.iter().try_for_each(|(name, _, numbers)| writer.part(name, numbers))?;
    writer.finish()
}

/// What the trainer computed in its last inner epoch, by the names of a dump.
pub fn evaluation(it: &Iterated) -> Evaluation {
    let Some(last) = it.epochs.last() else { return Evaluation::default() };
    let (targets, losses) = (&it.targets, &last.losses);
    Evaluation {
        kl: targets.kl.clone(),
        token_rewards: Some(targets.token_rewards.clone()),
        adv_raw: Some(targets.adv_raw.clone()),
        adv: Some(targets.adv.clone()),
        ret: Some(targets.ret.clone()),
        logp: Some(last.now.logp.clone()),
        ent: Some(last.now.ent.clone()),
        policy: Some(losses.policy.clone()),
        value: Some(losses.value.clone()),
        ent_loss: Some(losses.ent),
        l_kl: losses.l_kl,
        total: Some(losses.total),
        grad_logp: Some(losses.grad_logp.clone()),
        grad_v: Some(losses.grad_v.clone()),
        grad_ent: Some(losses.grad_ent.clone()),
        notes: Vec::new(),
    }
}

struct Whole<'a> {
    it: &'a Iterated,
    evaluation: Evaluation,
    logits: Vec<DMatrix<f64>>,
    grad: Vec<DMatrix<f64>>,
}

type Named = (&'static str, Vec<usize>, Vec<f64>);

impl Whole<'_> {
    fn tensors(&self) -> Vec<Named> {
        let it = self.it;
        let (rollout, (b, t_len)) = (&it.rollout, it.responses.mask.shape());
        let per_row = |name, f: &dyn Fn(usize) -> f64| (name, vec![b], (0..b).map(f).collect());
        let per_token = |name, f: &dyn Fn((usize, usize)) -> f64| {
            let slots = (0..b).flat_map(|row| (0..t_len).map(move |t| (row, t)));
            (name, vec![b, t_len], slots.map(f).collect::<Vec<f64>>())
        };
        let per_logit = |name, of: &[DMatrix<f64>]| {
            let rows = of
                .iter()
                .flat_map(|of| of.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>()));
            (name, vec![b, t_len, task::VOCAB], rows.collect::<Vec<f64>>())
        };
        let flag = |on: bool| f64::from(u8::from(on));
        let v = it.epochs.last().map(|last| &last.now.v);
        let mut all = vec![
            per_token("response_mask", &|slot| flag(it.responses.mask.has(slot))),
            per_row("scores", &|row| rollout.scores[(row, 0)]),
            per_row("truncated", &|row| flag(!is_done(&it.responses, row))),
            per_row("last_values", &|row| rollout.ends.v_last[row]),
            per_token("old_values", &|slot| rollout.v_old[slot]),
            per_token("values", &|slot| v.map_or(f64::NAN, |v| v[slot])),
            per_token("old_log_probs", &|slot| rollout.logp_old[slot]),
        ];
        all.extend(rollout.logp_ref.as_ref().map(|logp| per_token("ref_log_probs", &|slot| logp[slot])));
        all.push(per_logit("logits", &self.logits));
        all.push(per_token(ACTIONS, &|slot| it.responses.actions[slot] as f64));
        let output = |output: &crate::outputs::Output| match self.evaluation.output(output.name)? {
            Value::Scalar(x) => Some((output.name, vec![], vec![x])),
            Value::PerToken(x) => Some(per_token(output.name, &|slot| x[slot])),
        };
        all.extend(OUTPUTS.iter().filter_map(output));
        all.push(per_logit(GRAD_LOGITS.name, &self.grad));
        all
    }
}
