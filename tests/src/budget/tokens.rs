//! Budgets of what is computed from one row of logits: `eq:log-prob`, `eq:entropy`, and their gradient.

use super::{Approx, Precision};

/// `eq:log-prob` for every token of the vocabulary. Evaluations differ in where the maximum goes: one
/// takes (z − max) − ln Σ, another z − (max + ln Σ), which rounds at the size of the log-sum-exp. The
/// budget covers both: the rounding of max + ln Σ is added to the first.
pub fn log_softmax_row(p: Precision, logits: &[f64], tau: f64) -> Vec<Approx> {
    let tau = p.setting(tau);
    let x: Vec<Approx> = logits.iter().map(|z| p.given(*z) / tau).collect();
    let finite = || x.iter().filter(|x| x.value > f64::NEG_INFINITY);
    let max = finite().copied().reduce(Approx::greater).unwrap_or(p.given(f64::NEG_INFINITY));
    let ln_sum = p.sum(finite().map(|x| (*x - max).exp())).ln();
    let lse = max + ln_sum;
    let in_one_number = lse.off - max.off - ln_sum.off;
    x.iter()
        .map(|x| {
            let logp = (*x - max) - ln_sum;
            if x.value == f64::NEG_INFINITY {
                return p.given(f64::NEG_INFINITY);
            }
            logp.widened(in_one_number)
        })
        .collect()
}

/// `eq:entropy` from log π, as −Σ π log π in any order. Tokens of probability 0 add nothing.
pub fn entropy_row(p: Precision, logp: &[Approx]) -> Approx {
    -p.sum(logp.iter().filter(|logp| logp.value > f64::NEG_INFINITY).map(|logp| logp.exp() * *logp))
}

/// ∂L/∂z through log π(a): g ([v = a] − π(v)) / τ.
pub fn log_prob_grad_row(p: Precision, logp: &[Approx], action: usize, tau: f64, g: Approx) -> Vec<Approx> {
    let hit = |v| p.given(f64::from(v == action));
    logp.iter().enumerate().map(|(v, logp)| g * (hit(v) - probability(p, *logp)) / p.setting(tau)).collect()
}

/// ∂L/∂z through H: −g π(v) (log π(v) + H) / τ.
pub fn entropy_grad_row(p: Precision, logp: &[Approx], ent: Approx, tau: f64, g: Approx) -> Vec<Approx> {
    let each = |logp: &Approx| {
        if logp.value == f64::NEG_INFINITY {
            return p.given(0.0);
        }
        let pi = probability(p, *logp);
        // π log π + π H, or π (log π + H): the first rounds each product before they cancel.
        -g * (pi * *logp + pi * ent) / p.setting(tau)
    };
    logp.iter().map(each).collect()
}

/// ∂L/∂z through log π(a) and through H: the sum of the two, each at its own temperature.
pub fn grad_logits_row(
    p: Precision,
    logits: &[f64],
    action: usize,
    (tau, tau_ent): (f64, f64),
    (g_logp, g_ent): (Approx, Approx),
) -> Vec<Approx> {
    let logp = log_softmax_row(p, logits, tau);
    let through_logp = log_prob_grad_row(p, &logp, action, tau, g_logp);
    if g_ent.value == 0.0 && g_ent.off == 0.0 {
        return through_logp;
    }
    let logp = if tau == tau_ent { logp } else { log_softmax_row(p, logits, tau_ent) };
    let through_ent = entropy_grad_row(p, &logp, entropy_row(p, &logp), tau_ent, g_ent);
    through_logp.into_iter().zip(through_ent).map(|(a, b)| a + b).collect()
}

fn probability(p: Precision, logp: Approx) -> Approx {
    if logp.value == f64::NEG_INFINITY { p.given(0.0) } else { logp.exp() }
}
