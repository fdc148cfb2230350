//! Each output of the step computed from what the file itself holds before it.
//!
//! An output that the file holds is what the terms after it read, so that one mistake is one finding.

mod beneath;
mod losses;

use super::compare::slots;
use crate::{
    budget::{self, Approx, Grid, Precision},
    dump::{Axes, BadInput, Chosen, Dump, GradOf, Inputs, OUTPUTS as OUTPUT_ROWS},
    evaluate::reward_operands,
    outputs::OUTPUTS,
};
use nalgebra::DMatrix;
use reference::{Mask, Settings};
use safetensors::Dtype;
use std::collections::BTreeMap;

/// H before the temperature.
const ENTROPY_AT_1: &str = "entropy at 1";

/// The numbers of one output, each with what another evaluation of it may be off.
#[derive(Debug, Clone)]
pub enum Numbers {
    /// One number.
    Scalar(Approx),
    /// One number a token, b × t_len.
    PerToken(Grid),
}

/// What a file holds, ready to compute any output from.
#[derive(Debug)]
pub struct Step {
    /// The precision that the file's numbers were computed in.
    pub p: Precision,
    /// The inputs, masked slots 0.
    pub inputs: Inputs,
    /// Whose gradients the file holds.
    grad_of: GradOf,
    /// The file's own outputs.
    own: BTreeMap<&'static str, Numbers>,
    /// What the rounding of a tensor's own dtype takes off a number of it, relative; 0 where nothing.
    rounding: BTreeMap<&'static str, f64>,
    /// log π and H of the file's logits.
    of_logits: BTreeMap<&'static str, Grid>,
    /// What stands in masked slots too.
    beneath: beneath::Beneath,
}

impl Step {
    /// Reads the inputs and the file's own outputs.
    ///
    /// # Errors
    ///
    /// If a tensor cannot be read or is refused.
    pub fn load(dump: &Dump, chosen: &Chosen, p: Precision) -> Result<Step, BadInput> {
        let mut inputs = Inputs::load(dump, chosen)?;
        let of_logits = of_logits(p, &mut inputs, &chosen.settings.as_listed())?;
        let (own, of_dtype) = (BTreeMap::new(), BTreeMap::new());
        let beneath = beneath::Beneath::of(dump);
        let mut step =
            Step { p, inputs, grad_of: chosen.grad_of, own, rounding: of_dtype, of_logits, beneath };
        for output in OUTPUTS {
            let name = output.name;
            let rounding = dump.dtype_of_output(name).map_or(0.0, |dtype| rounding(dtype, p));
            step.rounding.insert(name, rounding);
            let stored = |x: f64| p.given(x).widened(if x.is_finite() { rounding * x.abs() } else { 0.0 });
            if OUTPUT_ROWS.iter().any(|row| row.name == name && row.axes == Axes::Scalar) {
                let number = dump.output_scalar(name)?.map(|x| Numbers::Scalar(stored(x)));
                step.own.extend(number.map(|number| (name, number)));
            } else if let Some(matrix) = dump.output_matrix(name)? {
                step.own.insert(name, Numbers::PerToken(matrix.map(stored)));
            }
        }
        Ok(step)
    }

    /// The file's own numbers of an output.
    pub fn own(&self, name: &str) -> Option<&Numbers> {
        self.own.get(name)
    }

    /// What the storage of an output's own tensor takes off a number, relative.
    pub fn rounding(&self, name: &str) -> f64 {
        self.rounding.get(name).copied().unwrap_or(0.0)
    }

    /// The mask that an output is compared under.
    pub fn mask_of(&self, name: &str) -> &Mask {
        match name {
            "token_rewards" | "advantages_raw" | "returns" | "grad_values" | "vf_loss" | "vf_clipfrac" => {
                &self.inputs.value_mask
            }
            _ => &self.inputs.mask,
        }
    }

    /// What the terms after it read of an output: the file's own, else computed.
    pub fn grid(&self, name: &str, s: &Settings) -> Option<Grid> {
        match self.own.get(name).cloned().or_else(|| self.output(name, s))? {
            Numbers::PerToken(grid) => Some(grid),
            Numbers::Scalar(_) => None,
        }
    }

    fn number(&self, name: &str, s: &Settings) -> Option<Approx> {
        match self.own.get(name).cloned().or_else(|| self.output(name, s))? {
            Numbers::Scalar(x) => Some(x),
            Numbers::PerToken(_) => None,
        }
    }

    /// An input of the file.
    pub fn read(&self, x: Option<&DMatrix<f64>>) -> Option<Grid> {
        x.map(|x| self.p.read(x))
    }

    /// One output under these settings, or none where the file lacks what it is made of.
    pub fn output(&self, name: &str, s: &Settings) -> Option<Numbers> {
        let (p, inputs) = (self.p, &self.inputs);
        let per_token = match name {
            "log_probs" | "entropy" => self.of_logits.get(name).cloned(),
            "kl" => self.kl(s),
            "token_rewards" => self.token_rewards(s),
            "advantages_raw" => self.advantages(s, s.lambda),
            "whitened" => self.raw(s).map(|adv| match s.whitening {
                Some(how) => budget::whiten(p, &adv, &inputs.mask, how),
                None => p.each(&inputs.mask, |slot| adv[slot]),
            }),
            "returns" => self.returns(s),
            "ratio" => self.policy(s).map(|policy| policy.ratio),
            "grad_log_probs" => self.grad_logp(s),
            "grad_values" => self.grad_v(s),
            _ => None,
        };
        per_token.map(Numbers::PerToken).or_else(|| self.scalar(name, s).map(Numbers::Scalar))
    }

    fn kl(&self, s: &Settings) -> Option<Grid> {
        let Inputs { mask, old_log_probs, ref_log_probs, .. } = &self.inputs;
        let [old, logp_ref] = [self.read(old_log_probs.as_ref())?, self.read(ref_log_probs.as_ref())?];
        Some(budget::kl(self.p, &old, &logp_ref, mask, s.kl))
    }

    fn token_rewards(&self, s: &Settings) -> Option<Grid> {
        let inputs = &self.inputs;
        let placed = reward_operands(inputs.scores.as_ref()?, None, inputs).placed(s);
        let kl = self.grid("kl", s);
        Some(budget::reward(self.p, &placed, kl.as_ref(), s.beta_kl, &inputs.value_mask))
    }

    /// The rewards that GAE reads.
    pub fn rewards(&self, s: &Settings) -> Option<Grid> {
        self.grid("token_rewards", s).or_else(|| self.read(self.inputs.rewards.as_ref()))
    }

    fn advantages(&self, s: &Settings, lambda: f64) -> Option<Grid> {
        let Inputs { value_mask, old_values, ends, .. } = &self.inputs;
        let (r, v) = (self.rewards(s)?, self.read(old_values.as_ref())?);
        Some(budget::gae(self.p, &r, &v, value_mask, ends.as_ref()?, s.gap, s.gamma, lambda))
    }

    /// Advantages before whitening.
    pub fn raw(&self, s: &Settings) -> Option<Grid> {
        self.grid("advantages_raw", s).or_else(|| self.read(self.inputs.advantages_raw.as_ref()))
    }

    /// Advantages as the policy loss reads them.
    pub fn adv(&self, s: &Settings) -> Option<Grid> {
        self.grid("whitened", s).or_else(|| self.read(self.inputs.advantages.as_ref()))
    }

    fn returns(&self, s: &Settings) -> Option<Grid> {
        let from = match s.lambda_critic {
            _ if s.listing.returns_from_whitened => self.adv(s)?,
            Some(lambda) => self.advantages(s, lambda)?,
            None => self.raw(s)?,
        };
        let v_old = self.read(self.inputs.old_values.as_ref())?;
        Some(budget::returns(self.p, &from, &v_old, &self.inputs.value_mask))
    }
}

/// log π and H of every valid token, one row of logits at a time.
fn of_logits(
    p: Precision,
    inputs: &mut Inputs,
    s: &Settings,
) -> Result<BTreeMap<&'static str, Grid>, BadInput> {
    let Inputs { mask, logits, actions, .. } = inputs;
    let Some(logits) = logits.as_mut() else { return Ok(BTreeMap::new()) };
    let mut ent = p.each(mask, |_| p.given(0.0));
    let (mut logp, mut ent_at_1, mut z) = (ent.clone(), ent.clone(), Vec::new());
    for slot in slots(mask) {
        let action = actions.as_ref().map(|actions| actions[slot]);
        logits.row(slot, action, &mut z)?;
        if let Some(action) = action {
            logp[slot] = budget::log_softmax_row(p, &z, s.tau)[action];
        }
        ent[slot] = budget::entropy_row(p, &budget::log_softmax_row(p, &z, s.tau_ent));
        if s.tau_ent != 1.0 {
            ent_at_1[slot] = budget::entropy_row(p, &budget::log_softmax_row(p, &z, 1.0));
        }
    }
    let logp = actions.is_some().then_some(("log_probs", logp));
    let at_1 = (s.tau_ent != 1.0).then_some((ENTROPY_AT_1, ent_at_1));
    Ok(logp.into_iter().chain([("entropy", ent)]).chain(at_1).collect())
}

/// The unit roundoff of a dtype that is coarser than the arithmetic.
fn rounding(dtype: Dtype, p: Precision) -> f64 {
    match dtype {
        Dtype::BF16 => 1.0 / 256.0,
        Dtype::F16 => 1.0 / 2048.0,
        Dtype::F32 if p == Precision::F64 => 1.0 / 16_777_216.0,
        _ => 0.0,
    }
}
