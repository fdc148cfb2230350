//! What could not be computed and why, one sentence a term.

use crate::{
    dump::{GradOf, Inputs},
    evaluate::Evaluation,
};
use reference::Coefficients;

/// In the order of the step. What the file gives as an input is not skipped.
pub(crate) fn notes(e: &Evaluation, inputs: &Inputs, c: Coefficients, grad_of: GradOf) -> Vec<String> {
    let parts = [kl(e, inputs), gae(e, inputs), value(e, inputs), policy(e, inputs), entropy(inputs)];
    parts.into_iter().chain([total(e, c, grad_of)]).flatten().collect()
}

/// The sentence, if anything is missing.
fn skipped(what: &str, needs: &[(bool, &str)]) -> Option<String> {
    let missing: Vec<&str> = needs.iter().filter(|(there, _)| !there).map(|(_, name)| *name).collect();
    (!missing.is_empty()).then(|| format!("{what} skipped: the file has no {}", missing.join(" and no ")))
}

fn now(e: &Evaluation, inputs: &Inputs) -> (bool, &'static str) {
    (e.logp.is_some() || inputs.log_probs.is_some(), "`log_probs` (nor `logits` with `actions`)")
}

fn kl(e: &Evaluation, inputs: &Inputs) -> Option<String> {
    let of_ref = (inputs.ref_log_probs.is_some(), "`ref_log_probs`");
    let old = (inputs.old_log_probs.is_some(), "`old_log_probs`");
    match (e.kl.is_some(), e.l_kl.is_some()) {
        (false, false) if !of_ref.0 => skipped("kl and kl_loss are", &[of_ref]),
        (false, false) => skipped("kl and kl_loss are", &[old, now(e, inputs)]),
        (false, true) => skipped("kl is", &[old]),
        (true, _) => skipped("kl_loss is", &[now(e, inputs)]),
    }
}

fn no_critic(inputs: &Inputs) -> bool {
    inputs.old_values.is_none() && inputs.values.is_none()
}

fn gae(e: &Evaluation, inputs: &Inputs) -> Option<String> {
    if no_critic(inputs) {
        return skipped("GAE, returns and the value loss are", &[(false, "values (no critic)")]);
    }
    let paid = (inputs.scores.is_some() || inputs.rewards.is_some(), "`scores` or `rewards`");
    let old = (inputs.old_values.is_some(), "`old_values`");
    let raw = e.adv_raw.is_some() || inputs.advantages_raw.is_some();
    match (raw, e.ret.is_some() || inputs.returns.is_some()) {
        (false, false) => skipped("GAE and returns are", &[paid, old]),
        (false, true) => skipped("GAE is", &[paid, old]),
        (true, _) => skipped("returns are", &[old]),
    }
}

fn value(e: &Evaluation, inputs: &Inputs) -> Option<String> {
    let now = (inputs.values.is_some(), "V now (`values` beside `old_values`)");
    let old = (inputs.old_values.is_some(), "`old_values`");
    let ret = (e.ret.is_some() || inputs.returns.is_some(), "returns");
    if no_critic(inputs) { None } else { skipped("the value loss is", &[now, old, ret]) }
}

fn policy(e: &Evaluation, inputs: &Inputs) -> Option<String> {
    let old = (inputs.old_log_probs.is_some(), "`old_log_probs`");
    let adv = (e.adv.is_some() || inputs.advantages.is_some(), "`advantages`");
    skipped("the policy loss is", &[now(e, inputs), old, adv])
}

fn entropy(inputs: &Inputs) -> Option<String> {
    match inputs.logits {
        Some(_) => skipped("grad_logits is", &[(inputs.actions.is_some(), "`actions`")]),
        None => skipped("entropy and grad_logits are", &[(false, "`logits`")]),
    }
}

/// The total needs every part that it gives a weight, and its gradients need the total.
fn total(e: &Evaluation, c: Coefficients, grad_of: GradOf) -> Option<String> {
    if e.total.is_some() {
        return None;
    }
    let what = match grad_of {
        GradOf::TotalLoss => "total_loss and the gradients are",
        _ => "total_loss is",
    };
    let parts = [
        ("vf_coef", e.value.is_some(), "value loss", c.c_v),
        ("entropy_coef", e.ent_loss.is_some(), "entropy", c.c_h),
        ("kl_loss_coef", e.l_kl.is_some(), "KL loss", c.beta_loss),
    ];
    let lacks = parts.into_iter().find(|(_, there, _, c)| !there && *c != 0.0);
    Some(match lacks {
        _ if e.policy.is_none() => format!("{what} skipped: there is no policy loss"),
        Some((key, _, part, c)) => {
            format!("{what} skipped: `{key}` is {c} and there is no {part} (0 leaves it out)")
        }
        None => format!("{what} skipped"),
    })
}
