//! Who computes a term: the reference in f64, or the optimized crate in f32. Both take and give the reference's
//! matrices, so that whoever asks need not know.

mod fast;
pub mod grid;
mod operands;
pub mod step;

pub use operands::{PolicyOperands, RewardOperands, ValueOperands};

use crate::dump::BadInput;
use nalgebra::{DMatrix, DVector};
use optimized::Backend;
use reference::{
    Agg, Half, KlEstimate, KlGrad, Mask, PolicyClip, Settings, ValueClip, Whitening, aggregate, entropy, gae,
    kl, log_prob, policy_loss, policy_loss::PolicyLoss, returns, reward, step::scaled, total_loss,
    value_loss, value_loss::ValueLoss, whiten, whiten::Whitened,
};

/// Who computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The equations as they are printed, f64.
    Reference,
    /// The fast path on this backend, f32.
    Fast(Backend),
}

impl Engine {
    /// `eq:kl`.
    ///
    /// # Errors
    ///
    /// As every method here: what the fast path refuses, or a number that f32 cannot hold.
    pub fn kl(
        self,
        logp: &DMatrix<f64>,
        logp_ref: &DMatrix<f64>,
        mask: &Mask,
        estimate: KlEstimate,
    ) -> Result<DMatrix<f64>, BadInput> {
        match self {
            Engine::Reference => Ok(kl::kl(logp, logp_ref, mask, estimate)),
            Engine::Fast(on) => fast::kl(on, logp, logp_ref, mask, estimate),
        }
    }

    /// `eq:score-at`, `eq:shaped-reward`: the scores where they land, less the penalty.
    pub fn rewards(self, of: RewardOperands<'_>, s: &Settings) -> Result<DMatrix<f64>, BadInput> {
        match self {
            Engine::Reference => Ok(reward::reward(&of.placed(s), of.kl, s.beta_kl, of.value_mask)),
            Engine::Fast(on) => fast::rewards(on, of, s),
        }
    }

    /// `eq:gae`, by the recursion.
    pub fn gae(
        self,
        r: &DMatrix<f64>,
        v: &DMatrix<f64>,
        mask: &Mask,
        ends: &reference::Ends,
        s: &Settings,
        lambda: f64,
    ) -> Result<DMatrix<f64>, BadInput> {
        match self {
            Engine::Reference => {
                let lambda = DVector::from_element(mask.shape().0, lambda);
                Ok(gae::gae_recursion(r, v, mask, ends, s.gap, s.gamma, &lambda))
            }
            Engine::Fast(on) => fast::gae(on, r, v, mask, ends, s, lambda),
        }
    }

    /// `eq:whiten`.
    pub fn whiten(self, adv: &DMatrix<f64>, mask: &Mask, how: Whitening) -> Result<Whitened, BadInput> {
        match self {
            Engine::Reference => Ok(whiten::whiten(adv, mask, how)),
            Engine::Fast(on) => fast::whiten(on, adv, mask, how),
        }
    }

    /// `eq:return`.
    pub fn returns(
        self,
        adv: &DMatrix<f64>,
        v_old: &DMatrix<f64>,
        mask: &Mask,
    ) -> Result<DMatrix<f64>, BadInput> {
        match self {
            Engine::Reference => Ok(returns::returns(adv, v_old, mask)),
            Engine::Fast(on) => fast::returns(on, adv, v_old, mask),
        }
    }

    /// `eq:log-prob` of the action, if there is one, and `eq:entropy`, of one row of logits.
    pub fn token(
        self,
        z: &[f64],
        action: Option<usize>,
        s: &Settings,
    ) -> Result<(Option<f64>, f64), BadInput> {
        match self {
            Engine::Reference => Ok((
                action.map(|action| log_prob::log_prob_row(z, action, s.tau)),
                entropy::entropy_row(z, s.tau_ent),
            )),
            Engine::Fast(on) => fast::token(on, z, action, s),
        }
    }

    /// ∂L/∂z of one row of logits, given ∂L/∂log π and ∂L/∂H.
    pub fn token_grad(
        self,
        z: &[f64],
        action: usize,
        s: &Settings,
        (g_logp, g_ent): (f64, f64),
    ) -> Result<Vec<f64>, BadInput> {
        match self {
            Engine::Reference => {
                let through_logp = log_prob::log_prob_grad_row(z, action, s.tau, g_logp);
                let through_ent = entropy::entropy_grad_row(z, s.tau_ent, g_ent);
                Ok(through_logp.iter().zip(&through_ent).map(|(a, b)| a + b).collect())
            }
            Engine::Fast(on) => fast::token_grad(on, z, action, s, (g_logp, g_ent)),
        }
    }

    /// `eq:ratio`, `eq:policy-loss`.
    pub fn policy_loss(
        self,
        of: PolicyOperands<'_>,
        clip: &PolicyClip,
        agg: Agg,
    ) -> Result<PolicyLoss, BadInput> {
        let PolicyOperands { logp, logp_old, adv, mask, weights } = of;
        match self {
            Engine::Reference => Ok(policy_loss::policy_loss(logp, logp_old, adv, mask, weights, clip, agg)),
            Engine::Fast(on) => Ok(fast::policy_loss(on, of, clip, agg, 1.0)?.0),
        }
    }

    /// c ∂L_policy/∂log π; zeros where c is 0.
    pub fn policy_loss_grad(
        self,
        of: PolicyOperands<'_>,
        clip: &PolicyClip,
        agg: Agg,
        c: f64,
    ) -> Result<DMatrix<f64>, BadInput> {
        let PolicyOperands { logp, logp_old, adv, mask, weights } = of;
        match self {
            _ if c == 0.0 => Ok(mask.each(|_| 0.0)),
            Engine::Reference => {
                let grad = policy_loss::policy_loss_grad(logp, logp_old, adv, mask, weights, clip, agg);
                Ok(scaled(c, &grad, mask))
            }
            Engine::Fast(on) => Ok(fast::policy_loss(on, of, clip, agg, c)?.1),
        }
    }

    /// `eq:value-loss`.
    pub fn value_loss(self, of: ValueOperands<'_>, s: &Settings) -> Result<ValueLoss, BadInput> {
        let ValueOperands { v, v_old, ret, mask } = of;
        let (form, half): (ValueClip, Half) = (s.value_clip, s.half);
        match self {
            Engine::Reference => Ok(value_loss::value_loss(v, v_old, ret, mask, s.eps_v, form, s.agg, half)),
            Engine::Fast(on) => Ok(fast::value_loss(on, of, s, 1.0)?.0),
        }
    }

    /// c ∂L_V/∂V; zeros where c is 0.
    pub fn value_loss_grad(
        self,
        of: ValueOperands<'_>,
        s: &Settings,
        c: f64,
    ) -> Result<DMatrix<f64>, BadInput> {
        let ValueOperands { v, v_old, ret, mask } = of;
        match self {
            _ if c == 0.0 => Ok(mask.each(|_| 0.0)),
            Engine::Reference => {
                let (form, half) = (s.value_clip, s.half);
                let grad = value_loss::value_loss_grad(v, v_old, ret, mask, s.eps_v, form, s.agg, half);
                Ok(scaled(c, &grad, mask))
            }
            Engine::Fast(on) => Ok(fast::value_loss(on, of, s, c)?.1),
        }
    }

    /// `eq:aggregate`.
    pub fn aggregate(self, x: &DMatrix<f64>, mask: &Mask, agg: Agg) -> Result<f64, BadInput> {
        match self {
            Engine::Reference => Ok(aggregate::aggregate(x, mask, agg)),
            Engine::Fast(on) => fast::aggregate(on, x, mask, agg),
        }
    }

    /// c ∂agg/∂x; zeros where c is 0.
    pub fn aggregate_grad(self, mask: &Mask, agg: Agg, c: f64) -> Result<DMatrix<f64>, BadInput> {
        match self {
            _ if c == 0.0 => Ok(mask.each(|_| 0.0)),
            Engine::Reference => Ok(scaled(c, &aggregate::aggregate_grad(mask, agg), mask)),
            Engine::Fast(_) => fast::aggregate_grad(mask, agg, c),
        }
    }

    /// `eq:kl-loss`.
    pub fn kl_loss(
        self,
        logp: &DMatrix<f64>,
        logp_ref: &DMatrix<f64>,
        mask: &Mask,
        s: &Settings,
    ) -> Result<f64, BadInput> {
        match self {
            Engine::Reference => Ok(total_loss::kl_loss(logp, logp_ref, mask, s.kl_loss, s.agg)),
            Engine::Fast(on) => fast::kl_loss(on, logp, logp_ref, mask, s),
        }
    }

    /// `from_policy` + β_loss ∂L_KL/∂log π.
    pub fn with_kl_loss_grad(
        self,
        from_policy: DMatrix<f64>,
        logp: &DMatrix<f64>,
        logp_ref: &DMatrix<f64>,
        mask: &Mask,
        s: &Settings,
        beta: f64,
    ) -> Result<DMatrix<f64>, BadInput> {
        let (kind, agg): (KlGrad, Agg) = (s.kl_loss_grad, s.agg);
        match self {
            Engine::Reference => {
                let from_kl = total_loss::kl_loss_grad(logp, logp_ref, mask, s.kl_loss, kind, agg);
                Ok(mask.each(|slot| from_policy[slot] + beta * from_kl[slot]))
            }
            Engine::Fast(on) => fast::with_kl_loss_grad(on, &from_policy, logp, logp_ref, mask, s, beta),
        }
    }

    /// `eq:total-loss`.
    pub fn total_loss(self, [policy, value, ent, kl]: [f64; 4], c: reference::Coefficients) -> f64 {
        match self {
            Engine::Reference => total_loss::total_loss(policy, value, ent, kl, c),
            Engine::Fast(_) => fast::total_loss([policy, value, ent, kl], c),
        }
    }
}
