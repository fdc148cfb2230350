//! The losses, what they log, and their gradients.

use super::{Own, Step};
use crate::{
    budget::{self, Approx, Grid, Precision},
    dump::Inputs,
    evaluate::parts_of,
};
use reference::{Coefficients, Settings};

impl Step {
    /// One number of the losses.
    pub(super) fn scalar(&self, name: &str, s: &Settings) -> Option<Approx> {
        let (p, inputs) = (self.p, &self.inputs);
        match name {
            "pg_loss" => self.policy(s).map(|policy| policy.loss),
            "ppo_kl" => self.ratio_and_kl(s).map(|policy| policy.approx_kl),
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

    /// log π now.
    pub fn logp(&self, s: &Settings) -> Option<Grid> {
        self.grid("log_probs", s).or_else(|| self.read(self.inputs.log_probs.as_ref()))
    }

    /// log π now, log π_old and Â, as the policy loss reads them.
    pub fn policy_operands(&self, s: &Settings) -> Option<[Grid; 3]> {
        Some([self.logp(s)?, self.read(self.inputs.old_log_probs.as_ref())?, self.adv(s)?])
    }

    /// The same, with the ratio that the file has, or that a mistake makes: log π is what gives it then.
    pub(in crate::check) fn surrogate_operands(&self, s: &Settings) -> Option<[Grid; 3]> {
        let plain = |ratio: &Grid| ratio.iter().all(|x| x.value.is_finite() && x.value >= 0.0);
        let own = matches!(self.own("ratio"), Some(Own::PerToken(_)));
        let ratio = if own || self.is_mistaken("ratio") {
            self.grid("ratio", s).map(|x| self.kept(&x))
        } else {
            None
        };
        let Some(ratio) = ratio.filter(plain) else { return self.policy_operands(s) };
        let old = self.read(self.inputs.old_log_probs.as_ref())?;
        let logp = self.p.each(&self.inputs.mask, |slot| old[slot] + ratio[slot].ln());
        Some([logp, old, self.adv(s)?])
    }

    /// Without what stands in masked slots.
    fn kept(&self, x: &Grid) -> Grid {
        self.p.each(&self.inputs.mask, |slot| x[slot])
    }

    /// The policy loss with all that it logs.
    fn policy(&self, s: &Settings) -> Option<budget::PolicyBudget> {
        let [logp, old, adv] = self.surrogate_operands(s)?;
        let w = self.inputs.rollout_is_weights.as_ref();
        Some(budget::policy_loss(self.p, &logp, &old, &adv, &self.inputs.mask, w, &s.clip, s.agg))
    }

    /// ρ and the KL that is logged, which no advantage is in.
    fn ratio_and_kl(&self, s: &Settings) -> Option<budget::PolicyBudget> {
        let [logp, old] = [self.logp(s)?, self.read(self.inputs.old_log_probs.as_ref())?];
        let adv = self.p.each(&self.inputs.mask, |_| self.p.given(0.0));
        Some(budget::policy_loss(self.p, &logp, &old, &adv, &self.inputs.mask, None, &s.clip, s.agg))
    }

    /// ρ.
    pub(super) fn ratio(&self, s: &Settings) -> Option<Grid> {
        self.ratio_and_kl(s).map(|policy| policy.ratio)
    }

    fn policy_made(&self, s: &Settings) -> Option<reference::policy_loss::PolicyLoss> {
        let [logp, old, adv] = self.surrogate_operands(s)?.map(|grid| grid.map(|x| x.value));
        let w = self.inputs.rollout_is_weights.as_ref();
        let mask = &self.inputs.mask;
        Some(reference::policy_loss::policy_loss(&logp, &old, &adv, mask, w, &s.clip, s.agg))
    }

    /// V, V_old and R, as the value loss reads them.
    pub fn value_operands(&self, s: &Settings) -> Option<[Grid; 3]> {
        let Inputs { values, old_values, returns, .. } = &*self.inputs;
        let ret = self.grid("returns", s).or_else(|| self.read(returns.as_ref()))?;
        Some([self.read(values.as_ref())?, self.read(old_values.as_ref())?, ret])
    }

    fn value(&self, s: &Settings) -> Option<budget::ValueBudget> {
        let [v, v_old, ret] = self.value_operands(s)?;
        let mask = &self.inputs.value_mask;
        Some(budget::value_loss(self.p, &v, &v_old, &ret, mask, s.eps_v, s.value_clip, s.agg, s.half))
    }

    /// What the policy loss and the other parts have in the loss that was derived.
    pub(in crate::check) fn parts(&self, s: &Settings) -> (f64, Coefficients) {
        parts_of(self.grad_of, s.coefficients)
    }

    /// Through the policy loss and through the KL loss, each times what it has in the loss that was derived.
    pub(super) fn grad_logp(&self, s: &Settings) -> Option<Grid> {
        let (p, inputs, [logp, old, adv]) = (self.p, &self.inputs, self.surrogate_operands(s)?);
        let (c_policy, c) = parts_of(self.grad_of, s.coefficients);
        let w = inputs.rollout_is_weights.as_ref();
        let of_policy = budget::policy_loss_grad(p, &logp, &old, &adv, &inputs.mask, w, &s.clip, s.agg);
        let of_kl = match self.read(inputs.ref_log_probs.as_ref()) {
            _ if c.beta_loss == 0.0 => None,
            None => return None,
            Some(logp_ref) => {
                let (logp, how) = (self.logp(s)?, (s.kl_loss, s.kl_loss_grad));
                Some(budget::kl_loss(p, &logp, &logp_ref, &inputs.mask, how, s.agg).1)
            }
        };
        Some(p.each(&inputs.mask, |slot| {
            let of_kl = of_kl.as_ref().map_or(p.given(0.0), |slope| scaled(p, c.beta_loss, slope[slot]));
            scaled(p, c_policy, of_policy[slot]) + of_kl
        }))
    }

    /// ∂/∂V of the loss that was derived.
    pub(super) fn grad_v(&self, s: &Settings) -> Option<Grid> {
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
