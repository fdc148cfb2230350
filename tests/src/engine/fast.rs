//! The optimized crate behind the reference's matrices. What goes in is rounded to f32 once; what comes out is
//! widened exactly.

use super::{
    PolicyOperands, RewardOperands, ValueOperands,
    grid::{Slots, flat, matrix, read},
};
use crate::dump::BadInput;
use nalgebra::DMatrix;
use optimized::{
    Backend, Ends, GaeOut, Grad, KlOut, Lambda, Logits, LogitsMut, Mask, PolicyOut, Put, TokenOut,
    TokenStats, Truncated, ValueOut,
};
use reference::{
    Agg, Coefficients, KlEstimate, PolicyClip, Settings, Whitening, policy_loss::PolicyLoss,
    value_loss::ValueLoss, whiten::Whitened,
};

fn refused(err: optimized::Error) -> BadInput {
    BadInput::new(err.to_string())
}

/// A per-token result, b × t_len.
fn per_token(
    mask: &reference::Mask,
    fill: impl FnOnce(&Mask<'_>, &mut [f32]) -> Result<(), optimized::Error>,
) -> Result<DMatrix<f64>, BadInput> {
    let (b, t_len) = mask.shape();
    let slots = Slots::of(mask);
    let mut out = vec![0.0; b * t_len];
    fill(&slots.mask().map_err(refused)?, &mut out).map_err(refused)?;
    Ok(matrix(b, t_len, &out))
}

pub(super) fn kl(
    on: Backend,
    logp: &DMatrix<f64>,
    logp_ref: &DMatrix<f64>,
    mask: &reference::Mask,
    estimate: KlEstimate,
) -> Result<DMatrix<f64>, BadInput> {
    let (logp, logp_ref) = (read("log_probs", logp)?, read("ref_log_probs", logp_ref)?);
    per_token(mask, |mask, out| optimized::kl(on, &logp, &logp_ref, mask, estimate, out))
}

pub(super) fn rewards(on: Backend, of: RewardOperands<'_>, s: &Settings) -> Result<DMatrix<f64>, BadInput> {
    let scores = read("scores", of.scores)?;
    let attended = of.attended.map(Slots::of);
    let attended = attended.as_ref().map(Slots::mask).transpose().map_err(refused)?;
    let placed = per_token(of.mask, |mask, out| {
        if s.listing.score_broadcast {
            optimized::broadcast_scores(&scores, s.score_clip, mask, out)
        } else {
            optimized::place_scores(on, &scores, s.score_at, s.score_clip, mask, attended.as_ref(), out)
        }
    })?;
    let (placed, kl) = (flat(&placed), of.kl.map(flat));
    per_token(of.value_mask, |mask, out| optimized::reward(on, &placed, kl.as_deref(), s.beta_kl, mask, out))
}

pub(super) fn gae(
    on: Backend,
    r: &DMatrix<f64>,
    v: &DMatrix<f64>,
    mask: &reference::Mask,
    ends: &reference::Ends,
    s: &Settings,
    lambda: f64,
) -> Result<DMatrix<f64>, BadInput> {
    let (r, v) = (read("rewards", r)?, read("old_values", v)?);
    let v_last: Vec<f32> = ends.v_last.iter().map(|v| *v as f32).collect();
    let flags = |flags: &DMatrix<bool>| -> Vec<bool> {
        flags.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>()).collect()
    };
    let (terminated, truncated) = (flags(&ends.terminated), flags(&ends.truncated));
    let v_boot = flat(&ends.v_boot);
    let ends = Ends {
        v_last: Some(&v_last),
        terminated: Some(&terminated),
        truncated: Some(Truncated { at: &truncated, v_boot: &v_boot }),
    };
    per_token(mask, |mask, adv| {
        let out = GaeOut { adv, ret: None };
        optimized::gae(on, &r, &v, mask, &ends, s.gap, s.gamma, Lambda::One(lambda), out)
    })
}

pub(super) fn whiten(
    on: Backend,
    adv: &DMatrix<f64>,
    mask: &reference::Mask,
    how: Whitening,
) -> Result<Whitened, BadInput> {
    let adv = read("advantages_raw", adv)?;
    let mut said = None;
    let adv = per_token(mask, |mask, out| {
        said = Some(optimized::whiten(on, &adv, mask, how, out)?);
        Ok(())
    })?;
    let (mean, var) = said.map_or((f64::NAN, f64::NAN), |said| (said.mean.into(), said.var.into()));
    Ok(Whitened { adv, mean, var })
}

pub(super) fn returns(
    on: Backend,
    adv: &DMatrix<f64>,
    v_old: &DMatrix<f64>,
    mask: &reference::Mask,
) -> Result<DMatrix<f64>, BadInput> {
    let (adv, v_old) = (read("advantages_raw", adv)?, read("old_values", v_old)?);
    per_token(mask, |mask, out| optimized::returns(on, &adv, &v_old, mask, out))
}

/// One token as a batch of its own: a row of logits depends on nothing else.
struct OneToken {
    z: Vec<f32>,
    action: [u32; 1],
    mask: Mask<'static>,
}

impl OneToken {
    fn new(z: &[f64], action: usize) -> Result<OneToken, BadInput> {
        let mask = Mask::packed(&[true], &[0, 1]).map_err(refused)?;
        let action = [u32::try_from(action).map_err(|_| BadInput::new(format!("token {action} is no u32")))?];
        Ok(OneToken { z: z.iter().map(|z| *z as f32).collect(), action, mask })
    }

    fn logits(&self) -> Result<Logits<'_, f32>, BadInput> {
        Logits::new(&self.z, self.z.len()).map_err(refused)
    }
}

pub(super) fn token(
    on: Backend,
    z: &[f64],
    action: Option<usize>,
    s: &Settings,
) -> Result<(Option<f64>, f64), BadInput> {
    let of = OneToken::new(z, action.unwrap_or(0))?;
    let (mut logp, mut ent) = ([0.0], [0.0]);
    let out = TokenOut { logp: Some(&mut logp), ent: Some(&mut ent), ..TokenOut::default() };
    optimized::token_pass(on, of.logits()?, &of.action, &of.mask, s.tau, s.tau_ent, out).map_err(refused)?;
    Ok((action.map(|_| f64::from(logp[0])), f64::from(ent[0])))
}

pub(super) fn token_grad(
    on: Backend,
    z: &[f64],
    action: usize,
    s: &Settings,
    (g_logp, g_ent): (f64, f64),
) -> Result<Vec<f64>, BadInput> {
    let of = OneToken::new(z, action)?;
    let [mut ent, mut max, mut ln_sum, mut max_ent, mut ln_sum_ent] = [[0.0]; 5];
    let out = TokenOut {
        logp: None,
        ent: Some(&mut ent),
        max: Some(&mut max),
        ln_sum: Some(&mut ln_sum),
        max_ent: Some(&mut max_ent),
        ln_sum_ent: Some(&mut ln_sum_ent),
    };
    optimized::token_pass(on, of.logits()?, &of.action, &of.mask, s.tau, s.tau_ent, out).map_err(refused)?;
    let stats = TokenStats { ent: &ent, max: &max, ln_sum: &ln_sum, of_ent: Some((&max_ent, &ln_sum_ent)) };
    let mut grad = vec![0.0; z.len()];
    let to = LogitsMut::new(&mut grad, z.len()).map_err(refused)?;
    let g = ([g_logp as f32], [g_ent as f32]);
    let (logits, action) = (of.logits()?, &of.action);
    optimized::token_pass_grad(on, logits, action, &of.mask, s.tau, s.tau_ent, stats, &g.0, &g.1, to)
        .map_err(refused)?;
    Ok(grad.into_iter().map(f64::from).collect())
}

/// The loss and c times its gradient.
pub(super) fn policy_loss(
    on: Backend,
    of: PolicyOperands<'_>,
    clip: &PolicyClip,
    agg: Agg,
    c: f64,
) -> Result<(PolicyLoss, DMatrix<f64>), BadInput> {
    let (logp, logp_old) = (read("log_probs", of.logp)?, read("old_log_probs", of.logp_old)?);
    let adv = read("advantages", of.adv)?;
    let weights = of.weights.map(|weights| read("rollout_is_weights", weights)).transpose()?;
    let (b, t_len) = of.mask.shape();
    let slots = Slots::of(of.mask);
    let mask = slots.mask().map_err(refused)?;
    let [mut losses, mut ratio, mut grad] = [(); 3].map(|()| vec![0.0; b * t_len]);
    let out = PolicyOut {
        per_token: Some(&mut losses),
        ratio: Some(&mut ratio),
        grad: Some(Grad { c, to: &mut grad }),
    };
    let made = optimized::policy_loss(on, &logp, &logp_old, &adv, &mask, weights.as_deref(), clip, agg, out)
        .map_err(refused)?;
    let loss = PolicyLoss {
        loss: made.loss.into(),
        per_token: matrix(b, t_len, &losses),
        ratio: matrix(b, t_len, &ratio),
        clip_frac: made.clip_frac.into(),
        clip_frac_lower: made.clip_frac_lower.into(),
        approx_kl: made.approx_kl.into(),
    };
    Ok((loss, matrix(b, t_len, &grad)))
}

/// The loss and c times its gradient.
pub(super) fn value_loss(
    on: Backend,
    of: ValueOperands<'_>,
    s: &Settings,
    c: f64,
) -> Result<(ValueLoss, DMatrix<f64>), BadInput> {
    let (v, v_old, ret) = (read("values", of.v)?, read("old_values", of.v_old)?, read("returns", of.ret)?);
    let (b, t_len) = of.mask.shape();
    let slots = Slots::of(of.mask);
    let mask = slots.mask().map_err(refused)?;
    let [mut losses, mut grad] = [(); 2].map(|()| vec![0.0; b * t_len]);
    let out = ValueOut { per_token: Some(&mut losses), grad: Some(Grad { c, to: &mut grad }) };
    let made = optimized::value_loss(on, &v, &v_old, &ret, &mask, s.eps_v, s.value_clip, s.agg, s.half, out)
        .map_err(refused)?;
    let loss = ValueLoss {
        loss: made.loss.into(),
        clip_frac: made.clip_frac.into(),
        per_token: matrix(b, t_len, &losses),
    };
    Ok((loss, matrix(b, t_len, &grad)))
}

pub(super) fn aggregate(
    on: Backend,
    x: &DMatrix<f64>,
    mask: &reference::Mask,
    agg: Agg,
) -> Result<f64, BadInput> {
    let x = read("entropy", x)?;
    let slots = Slots::of(mask);
    let made = optimized::aggregate(on, &x, &slots.mask().map_err(refused)?, agg);
    made.map(f64::from).map_err(refused)
}

pub(super) fn aggregate_grad(mask: &reference::Mask, agg: Agg, c: f64) -> Result<DMatrix<f64>, BadInput> {
    per_token(mask, |mask, out| optimized::aggregate_grad(mask, agg, c, out))
}

pub(super) fn kl_loss(
    on: Backend,
    logp: &DMatrix<f64>,
    logp_ref: &DMatrix<f64>,
    mask: &reference::Mask,
    s: &Settings,
) -> Result<f64, BadInput> {
    let (logp, logp_ref) = (read("log_probs", logp)?, read("ref_log_probs", logp_ref)?);
    let slots = Slots::of(mask);
    let (mask, out) = (slots.mask().map_err(refused)?, KlOut { grad: None, put: Put::Replace });
    let made = optimized::kl_loss(on, &logp, &logp_ref, &mask, s.kl_loss, s.kl_loss_grad, s.agg, out);
    made.map(f64::from).map_err(refused)
}

/// β_loss times its gradient, on top of the policy's.
pub(super) fn with_kl_loss_grad(
    on: Backend,
    from_policy: &DMatrix<f64>,
    logp: &DMatrix<f64>,
    logp_ref: &DMatrix<f64>,
    mask: &reference::Mask,
    s: &Settings,
    beta: f64,
) -> Result<DMatrix<f64>, BadInput> {
    let (logp, logp_ref) = (read("log_probs", logp)?, read("ref_log_probs", logp_ref)?);
    let from_policy = flat(from_policy);
    per_token(mask, |mask, to| {
        to.copy_from_slice(&from_policy);
        let out = KlOut { grad: Some(Grad { c: beta, to }), put: Put::Add };
        optimized::kl_loss(on, &logp, &logp_ref, mask, s.kl_loss, s.kl_loss_grad, s.agg, out).map(drop)
    })
}

pub(super) fn total_loss([policy, value, ent, kl]: [f64; 4], c: Coefficients) -> f64 {
    optimized::total_loss(policy as f32, value as f32, ent as f32, kl as f32, c).into()
}
