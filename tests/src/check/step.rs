//! Each output of the step computed from what the file itself holds before it.
//!
//! An output that the file holds is what the terms after it read, so that one mistake is one finding.

use crate::{
    budget::{self, Approx, Grid, Precision},
    dump::{Axes, BadInput, Chosen, Dump, GradOf, Inputs, OUTPUTS as OUTPUT_ROWS},
    evaluate::{parts_of, reward_operands},
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
        let mut step = Step { p, inputs, grad_of: chosen.grad_of, own, rounding: of_dtype, of_logits };
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

    fn scalar(&self, name: &str, s: &Settings) -> Option<Approx> {
        let (p, inputs) = (self.p, &self.inputs);
        match name {
            "pg_loss" => self.policy(s).map(|policy| policy.loss),
            "ppo_kl" => self.policy(s).map(|policy| policy.approx_kl),
            "pg_clipfrac" | "pg_clipfrac_lower" => {
                let (doubt, made) = (self.policy(s)?, self.policy_made(s)?);
                let (share, doubt) = match name {
                    "pg_clipfrac" => (made.clip_frac, doubt.clip_in_doubt),
                    _ => (made.clip_frac_lower, doubt.dual_in_doubt),
                };
                Some(budget::counted(p, &inputs.mask, share, doubt))
            }
            "vf_loss" => self.value(s).map(|value| value.loss),
            "vf_clipfrac" => {
                let (doubt, made) = (self.value(s)?.clip_in_doubt, self.value_made(s)?.clip_frac);
                Some(budget::counted(p, &inputs.value_mask, made, doubt))
            }
            "entropy_loss" => Some(budget::aggregate(p, &self.grid("entropy", s)?, &inputs.mask, s.agg)),
            "kl_loss" => {
                let [logp, logp_ref] = [self.logp(s)?, self.read(inputs.ref_log_probs.as_ref())?];
                let how = (s.kl_loss, s.kl_loss_grad);
                Some(budget::kl_loss(p, &logp, &logp_ref, &inputs.mask, how, s.agg).0)
            }
            "total_loss" => {
                let c = s.coefficients;
                let part = |name, c: f64| if c == 0.0 { Some(p.given(0.0)) } else { self.number(name, s) };
                let parts = [
                    self.number("pg_loss", s)?,
                    part("vf_loss", c.c_v)?,
                    part("entropy_loss", c.c_h)?,
                    part("kl_loss", c.beta_loss)?,
                ];
                Some(budget::total_loss(p, parts, c))
            }
            _ => None,
        }
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

    /// log π now.
    pub fn logp(&self, s: &Settings) -> Option<Grid> {
        self.grid("log_probs", s).or_else(|| self.read(self.inputs.log_probs.as_ref()))
    }

    /// H of the logits as they are, where the step divides them by a temperature.
    pub fn entropy_at_1(&self) -> Option<Grid> {
        self.of_logits.get(ENTROPY_AT_1).cloned()
    }

    /// log π now, log π_old and Â, as the policy loss reads them.
    pub fn policy_operands(&self, s: &Settings) -> Option<[Grid; 3]> {
        Some([self.logp(s)?, self.read(self.inputs.old_log_probs.as_ref())?, self.adv(s)?])
    }

    fn policy(&self, s: &Settings) -> Option<budget::PolicyBudget> {
        let [logp, old, adv] = self.policy_operands(s)?;
        let w = self.inputs.rollout_is_weights.as_ref();
        Some(budget::policy_loss(self.p, &logp, &old, &adv, &self.inputs.mask, w, &s.clip, s.agg))
    }

    fn policy_made(&self, s: &Settings) -> Option<reference::policy_loss::PolicyLoss> {
        let [logp, old, adv] = self.policy_operands(s)?.map(|grid| grid.map(|x| x.value));
        let w = self.inputs.rollout_is_weights.as_ref();
        let mask = &self.inputs.mask;
        Some(reference::policy_loss::policy_loss(&logp, &old, &adv, mask, w, &s.clip, s.agg))
    }

    /// V, V_old and R, as the value loss reads them.
    pub fn value_operands(&self, s: &Settings) -> Option<[Grid; 3]> {
        let Inputs { values, old_values, returns, .. } = &self.inputs;
        let ret = self.grid("returns", s).or_else(|| self.read(returns.as_ref()))?;
        Some([self.read(values.as_ref())?, self.read(old_values.as_ref())?, ret])
    }

    fn value(&self, s: &Settings) -> Option<budget::ValueBudget> {
        let [v, v_old, ret] = self.value_operands(s)?;
        let mask = &self.inputs.value_mask;
        Some(budget::value_loss(self.p, &v, &v_old, &ret, mask, s.eps_v, s.value_clip, s.agg, s.half))
    }

    /// Through the policy loss and through the KL loss, each times what it has in the loss that was derived.
    fn grad_logp(&self, s: &Settings) -> Option<Grid> {
        let (p, inputs, [logp, old, adv]) = (self.p, &self.inputs, self.policy_operands(s)?);
        let (c_policy, c) = parts_of(self.grad_of, s.coefficients);
        let w = inputs.rollout_is_weights.as_ref();
        let of_policy = budget::policy_loss_grad(p, &logp, &old, &adv, &inputs.mask, w, &s.clip, s.agg);
        let of_kl = match self.read(inputs.ref_log_probs.as_ref()) {
            _ if c.beta_loss == 0.0 => None,
            None => return None,
            Some(logp_ref) => {
                let how = (s.kl_loss, s.kl_loss_grad);
                Some(budget::kl_loss(p, &logp, &logp_ref, &inputs.mask, how, s.agg).1)
            }
        };
        Some(p.each(&inputs.mask, |slot| {
            let of_kl = of_kl.as_ref().map_or(p.given(0.0), |slope| scaled(p, c.beta_loss, slope[slot]));
            scaled(p, c_policy, of_policy[slot]) + of_kl
        }))
    }

    fn grad_v(&self, s: &Settings) -> Option<Grid> {
        let (p, [v, v_old, ret]) = (self.p, self.value_operands(s)?);
        let Settings { eps_v, value_clip, agg, half, .. } = *s;
        let mask = &self.inputs.value_mask;
        let grad = budget::value_loss_grad(p, &v, &v_old, &ret, mask, eps_v, value_clip, agg, half);
        let (_, c) = parts_of(self.grad_of, s.coefficients);
        Some(grad.map(|x| scaled(p, c.c_v, x)))
    }

    fn value_made(&self, s: &Settings) -> Option<reference::value_loss::ValueLoss> {
        let [v, v_old, ret] = self.value_operands(s)?.map(|grid| grid.map(|x| x.value));
        let mask = &self.inputs.value_mask;
        let (form, agg, half) = (s.value_clip, s.agg, s.half);
        Some(reference::value_loss::value_loss(&v, &v_old, &ret, mask, s.eps_v, form, agg, half))
    }
}

fn scaled(p: Precision, c: f64, x: Approx) -> Approx {
    if c == 0.0 { p.given(0.0) } else { p.setting(c) * x }
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
    for slot in (0..mask.shape().0).flat_map(|row| mask.tokens_of(row).into_iter().map(move |t| (row, t))) {
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
