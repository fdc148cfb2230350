//! The budget of a whole evaluation: each term's from those of the terms before it.
//!
//! Both sides start from the same file, so only their own roundings count, and these travel: the error of
//! an advantage reaches its whitened form, its return, both losses and every gradient.

use super::{
    Approx, Grid, Precision, aggregate, counted, entropy_row, gae, grad_logits_row, kl, kl_loss,
    log_softmax_row, policy_loss, policy_loss_grad, returns, reward, total_loss, value_loss, value_loss_grad,
    whiten,
};
use crate::{
    dump::{BadInput, Chosen, Inputs},
    evaluate::{Evaluation, parts_of, reward_operands},
};
use nalgebra::DMatrix;
use reference::{Mask, Settings};

/// What each output of an [`Evaluation`] may be off; none where it was not computed.
#[derive(Debug, Clone)]
pub struct Budget {
    p: Precision,
    per_token: Vec<(&'static str, Grid)>,
    scalars: Vec<(&'static str, Approx)>,
}

impl Budget {
    /// The allowance of a per-token output, b × t_len.
    pub fn per_token(&self, name: &str) -> Option<DMatrix<f64>> {
        self.grid(name).map(|grid| grid.map(|x| x.off))
    }

    /// The allowance of a scalar output.
    pub fn scalar(&self, name: &str) -> Option<f64> {
        self.number(name).map(|x| x.off)
    }

    fn grid(&self, name: &str) -> Option<&Grid> {
        self.per_token.iter().find(|(of, _)| *of == name).map(|(_, grid)| grid)
    }

    fn number(&self, name: &str) -> Option<Approx> {
        self.scalars.iter().find(|(of, _)| *of == name).map(|(_, x)| *x)
    }

    /// A grid made here, else the exact one of the file.
    fn made_or_read(&self, name: &str, read: Option<&DMatrix<f64>>) -> Option<Grid> {
        self.grid(name).cloned().or_else(|| read.map(|x| self.p.read(x)))
    }

    /// The allowance of one row of `grad_logits`.
    pub fn grad_logits_row(
        &self,
        inputs: &Inputs,
        s: &Settings,
        slot: (usize, usize),
        z: &[f64],
    ) -> Option<Vec<f64>> {
        let p = self.p;
        let (g_logp, g_ent) = (self.grid("grad_log_probs")?[slot], self.grid("grad_entropy")?[slot]);
        let action = inputs.actions.as_ref()?[slot];
        let row = grad_logits_row(p, z, action, (s.tau, s.tau_ent), (g_logp, g_ent));
        Some(row.into_iter().map(|x| x.off).collect())
    }

    /// The budget of an evaluation against numbers computed in precision `p` from the same inputs.
    ///
    /// # Errors
    ///
    /// If a row of logits cannot be read.
    pub fn of(
        p: Precision,
        e: &Evaluation,
        inputs: &mut Inputs,
        chosen: &Chosen,
    ) -> Result<Budget, BadInput> {
        let s = chosen.settings.as_listed();
        let mut budget = Budget { p, per_token: Vec::new(), scalars: Vec::new() };
        budget.tokens(inputs, &s)?;
        budget.targets(inputs, &s);
        budget.losses(e, inputs, &s);
        budget.gradients(inputs, &s, parts_of(chosen.grad_of, chosen.settings.as_listed().coefficients));
        Ok(budget)
    }

    fn tokens(&mut self, inputs: &mut Inputs, s: &Settings) -> Result<(), BadInput> {
        let p = self.p;
        let Inputs { mask, logits, actions, .. } = inputs;
        let Some(logits) = logits.as_mut() else { return Ok(()) };
        let zero = DMatrix::from_element(mask.shape().0, mask.shape().1, p.given(0.0));
        let (mut logp, mut ent) = (zero.clone(), zero);
        let mut z = Vec::new();
        for row in 0..mask.shape().0 {
            for t in mask.tokens_of(row) {
                let action = actions.as_ref().map(|actions| actions[(row, t)]);
                logits.row((row, t), action, &mut z)?;
                if let Some(action) = action {
                    logp[(row, t)] = log_softmax_row(p, &z, s.tau)[action];
                }
                ent[(row, t)] = entropy_row(p, &log_softmax_row(p, &z, s.tau_ent));
            }
        }
        if actions.is_some() {
            self.per_token.push(("log_probs", logp));
        }
        self.per_token.push(("entropy", ent));
        Ok(())
    }

    fn targets(&mut self, inputs: &Inputs, s: &Settings) {
        let p = self.p;
        let Inputs { mask, value_mask, .. } = inputs;
        if let (Some(old), Some(logp_ref)) = (&inputs.old_log_probs, &inputs.ref_log_probs) {
            self.per_token.push(("kl", kl(p, &p.read(old), &p.read(logp_ref), mask, s.kl)));
        }
        if let (None, Some(scores)) = (&inputs.rewards, &inputs.scores) {
            let placed = reward_operands(scores, None, inputs).placed(s);
            let token_rewards = reward(p, &placed, self.grid("kl"), s.beta_kl, value_mask);
            self.per_token.push(("token_rewards", token_rewards));
        }
        let r = self.made_or_read("token_rewards", inputs.rewards.as_ref());
        let v_old = inputs.old_values.as_ref().map(|v_old| p.read(v_old));
        let with_lambda = |lambda| {
            let (r, v, ends) = (r.as_ref()?, v_old.as_ref()?, inputs.ends.as_ref()?);
            Some(gae(p, r, v, value_mask, ends, s.gap, s.gamma, lambda))
        };
        self.per_token.extend(with_lambda(s.lambda).map(|adv| ("advantages_raw", adv)));
        let adv_raw = self.made_or_read("advantages_raw", inputs.advantages_raw.as_ref());
        let adv = adv_raw.as_ref().map(|adv| match s.whitening {
            Some(how) => whiten(p, adv, mask, how),
            None => p.each(mask, |slot| adv[slot]),
        });
        let from = if s.listing.returns_from_whitened {
            adv.clone()
        } else {
            s.lambda_critic.map_or(adv_raw, with_lambda)
        };
        self.per_token.extend(adv.map(|adv| ("whitened", adv)));
        if let (Some(from), Some(v_old)) = (&from, &v_old) {
            self.per_token.push(("returns", returns(p, from, v_old, value_mask)));
        }
    }

    fn losses(&mut self, e: &Evaluation, inputs: &Inputs, s: &Settings) {
        let p = self.p;
        let Inputs { mask, value_mask, .. } = inputs;
        if let (Some([logp, old, adv]), Some(made)) = (self.policy_operands(inputs), &e.policy) {
            let w = inputs.rollout_is_weights.as_ref();
            let policy = policy_loss(p, &logp, &old, &adv, mask, w, &s.clip, s.agg);
            self.per_token.push(("ratio", policy.ratio));
            let lower = counted(p, mask, made.clip_frac_lower, policy.dual_in_doubt);
            self.scalars.extend([
                ("pg_loss", policy.loss),
                ("pg_clipfrac", counted(p, mask, made.clip_frac, policy.clip_in_doubt)),
                ("pg_clipfrac_lower", lower),
                ("ppo_kl", policy.approx_kl),
            ]);
        }
        if let (Some([v, v_old, ret]), Some(made)) = (self.value_operands(inputs), &e.value) {
            let value = value_loss(p, &v, &v_old, &ret, value_mask, s.eps_v, s.value_clip, s.agg, s.half);
            let clipfrac = counted(p, value_mask, made.clip_frac, value.clip_in_doubt);
            self.scalars.extend([("vf_loss", value.loss), ("vf_clipfrac", clipfrac)]);
        }
        let ent = self.grid("entropy").map(|ent| aggregate(p, ent, mask, s.agg));
        self.scalars.extend(ent.map(|ent| ("entropy_loss", ent)));
        if let Some((l_kl, grad)) = self.kl_loss(inputs, s, mask) {
            self.scalars.push(("kl_loss", l_kl));
            self.per_token.push(("slope of kl_loss", grad));
        }
        let part = |name| self.number(name).unwrap_or(p.given(0.0));
        let parts = ["pg_loss", "vf_loss", "entropy_loss", "kl_loss"].map(part);
        if e.total.is_some() {
            self.scalars.push(("total_loss", total_loss(p, parts, s.coefficients)));
        }
    }

    fn kl_loss(&self, inputs: &Inputs, s: &Settings, mask: &Mask) -> Option<(Approx, Grid)> {
        let logp = self.made_or_read("log_probs", inputs.log_probs.as_ref())?;
        let logp_ref = self.p.read(inputs.ref_log_probs.as_ref()?);
        Some(kl_loss(self.p, &logp, &logp_ref, mask, (s.kl_loss, s.kl_loss_grad), s.agg))
    }

    fn gradients(&mut self, inputs: &Inputs, s: &Settings, parts: (f64, reference::Coefficients)) {
        let p = self.p;
        let Inputs { mask, value_mask, .. } = inputs;
        let (c_policy, c) = parts;
        let scaled = |c: f64, x: Approx| if c == 0.0 { p.given(0.0) } else { p.setting(c) * x };
        if let Some([logp, old, adv]) = self.policy_operands(inputs) {
            let w = inputs.rollout_is_weights.as_ref();
            let grad = policy_loss_grad(p, &logp, &old, &adv, mask, w, &s.clip, s.agg);
            let from_kl = self.grid("slope of kl_loss");
            let grad = p.each(mask, |slot| {
                let from_kl = from_kl.map_or(p.given(0.0), |slope| scaled(c.beta_loss, slope[slot]));
                scaled(c_policy, grad[slot]) + from_kl
            });
            self.per_token.push(("grad_log_probs", grad));
        }
        if let Some([v, v_old, ret]) = self.value_operands(inputs) {
            let grad = value_loss_grad(p, &v, &v_old, &ret, value_mask, s.eps_v, s.value_clip, s.agg, s.half);
            self.per_token.push(("grad_values", grad.map(|x| scaled(c.c_v, x))));
        }
        let share = reference::aggregate::aggregate_grad(mask, s.agg);
        let grad_ent = p.each(mask, |slot| scaled(-c.c_h, p.setting(share[slot]) * p.given(1.0)));
        self.per_token.push(("grad_entropy", grad_ent));
    }

    fn policy_operands(&self, inputs: &Inputs) -> Option<[Grid; 3]> {
        let logp = self.made_or_read("log_probs", inputs.log_probs.as_ref())?;
        let adv = self.made_or_read("whitened", inputs.advantages.as_ref())?;
        Some([logp, self.p.read(inputs.old_log_probs.as_ref()?), adv])
    }

    fn value_operands(&self, inputs: &Inputs) -> Option<[Grid; 3]> {
        let ret = self.made_or_read("returns", inputs.returns.as_ref())?;
        let (v, v_old) = (inputs.values.as_ref()?, inputs.old_values.as_ref()?);
        Some([self.p.read(v), self.p.read(v_old), ret])
    }
}
