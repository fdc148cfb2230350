//! Budgets of `eq:log-prob`, `eq:entropy` and their gradient in the order of `optimized/ORDER.md`, section 4:
//! closed formulas, since a row has hundreds of thousands of terms and one order.
//!
//! With e = 2⁻²⁴, U_v = x_v − M, p = π, S = Σ exp U, W = Σ U exp U, E_k = Σ p |U|ᵏ and K = ⌈tiles / 32⌉:
//!
//! - An argument is off by a_v = e |U_v|, since x − m and m − M are rounded and their sizes add up to |U|. After a
//!   temperature it is off by |U_v| times the error of 1/τ more, and by the rounding of x_v and of M.
//! - exp is off by X + 0.225 e |u| relatively, X = 2.74 e, and is taken twice, in the tile and in the merge.
//! - S is off relatively by Σ p (a + 0.225 e |U|) + 2 X + (27 + K) e: 15 + 7 additions in a tile, K + 5 in the merge.
//! - W adds up e · u with one fma: Σ p |U| (a + 0.225 e |U|) + E₁ (2 X + (30 + K) e), and what u is off after a
//!   temperature; it is divided by S once.
//! - ln S is off by that of S and N ln S, N = 1.374 e.
//!
//! What was found over all inputs (exp, ln) is asserted by the exhaustive tests of `optimized`. A real error is a sum of
//! errors of either sign over many lanes, so the entropy uses a fiftieth of its bound on long rows; short ones,
//! log π and the gradient use a fair share.

use super::{Approx, Precision};
use reference::{
    entropy::{entropy_grad_row, entropy_row},
    log_prob::{log_prob_grad_row, log_softmax_row},
};

const E: f64 = 1.0 / 16_777_216.0;
/// exp of the softmax at 0, and what |u| adds.
const X: f64 = 2.74 * E;
const BIAS: f64 = 0.225 * E;
/// ln.
const N: f64 = 1.374 * E;
/// Below this the exp is lifted: a term counts 2⁻¹²⁵, and in the gradient 0.
const LIFTED: f64 = -86.6;
/// Products of two bounds.
const SECOND_ORDER: f64 = 1.001;

/// One row of logits at one temperature: what the reference says, and what the fast path may be off.
pub struct Softmax<'a> {
    logits: &'a [f64],
    tau: f64,
    /// Whether x = z/τ rounds.
    inv_tau_off: f64,
    max: f64,
    logp: Vec<f64>,
    ls: f64,
    ent: f64,
    d_ls: f64,
    d_ent: f64,
    /// A logit does, by its temperature.
    leaves_range: bool,
}

impl<'a> Softmax<'a> {
    /// Of a row of logits before its temperature.
    pub fn of(logits: &'a [f64], tau: f64) -> Softmax<'a> {
        let logp = log_softmax_row(logits, tau);
        let max = logits.iter().map(|z| z / tau).fold(f64::NEG_INFINITY, reference::nan::greater);
        let ls = logits.iter().zip(&logp).find(|(z, _)| **z / tau == max).map_or(f64::NAN, |(_, logp)| -logp);
        let rounded = f64::from(tau as f32);
        // τ on entry, then 1/τ.
        let inv_tau_off = if tau == 1.0 { 0.0 } else { (rounded - tau).abs() / tau + E };
        let ent = entropy_row(logits, tau);
        let leaves_range = logits.iter().any(|z| z.is_finite() && (z / tau).abs() > f64::from(f32::MAX));
        let (d_ls, d_ent) = (0.0, 0.0);
        let mut row = Softmax { logits, tau, inv_tau_off, max, logp, ls, ent, d_ls, d_ent, leaves_range };
        row.bound();
        row
    }

    fn bound(&mut self) {
        let tiles = self.logits.len().div_ceil(2048);
        let k = tiles.div_ceil(32) as f64;
        let (mut e1, mut p_off, mut pu_off, mut from_tau) = (0.0, 0.0, 0.0, 0.0);
        for v in 0..self.logits.len() {
            let (u, p) = (self.u(v).abs(), libm::exp(self.logp[v]));
            if p > 0.0 {
                let off = self.argument_off(v) + BIAS * u;
                (e1, p_off, pu_off) = (e1 + p * u, p_off + p * off, pu_off + p * u * off);
                from_tau += p * self.tau_off(v);
            }
        }
        // Lifted terms: 2⁻¹²⁵ each, times at most 87 in W.
        let lifted = self.logits.len() as f64 * 87.0 * 2f64.powi(-125);
        let rel_s = SECOND_ORDER * (p_off + 2.0 * X + (27.0 + k) * E) + lifted;
        let d_w = SECOND_ORDER * (pu_off + from_tau + e1 * (2.0 * X + (30.0 + k) * E)) + lifted;
        self.d_ls = rel_s + N * self.ls.abs();
        self.d_ent = SECOND_ORDER * (self.d_ls + d_w + e1 * rel_s + E * e1 + E * self.ent.abs());
    }

    /// U_v.
    fn u(&self, v: usize) -> f64 {
        self.logits[v] / self.tau - self.max
    }

    /// What the temperature adds to the error of U_v.
    fn tau_off(&self, v: usize) -> f64 {
        if self.inv_tau_off == 0.0 {
            return 0.0;
        }
        self.inv_tau_off * self.u(v).abs() + E * ((self.logits[v] / self.tau).abs() + self.max.abs())
    }

    fn argument_off(&self, v: usize) -> f64 {
        E * self.u(v).abs() + self.tau_off(v)
    }

    /// e_lp: what log π(v) may be off.
    fn logp_off(&self, v: usize) -> f64 {
        SECOND_ORDER * (self.argument_off(v) + self.d_ls + E * self.logp[v].abs())
    }

    /// A number of this row. NaN and ±∞ are what they are; what lies beyond the range is undetermined.
    fn number(&self, value: f64, off: f64) -> Approx {
        let p = Precision::ORDER;
        let most = f64::from(f32::MAX);
        let beyond = value.is_finite() && value.abs() + off > most;
        let off = if self.leaves_range || beyond {
            f64::INFINITY
        } else if value.is_finite() {
            off + f64::from(f32::from_bits(1))
        } else {
            0.0
        };
        p.given(value).widened(off)
    }

    /// log π of a token.
    pub fn logp(&self, v: usize) -> Approx {
        self.number(self.logp[v], self.logp_off(v))
    }

    /// H.
    pub fn ent(&self) -> Approx {
        self.number(self.ent, self.d_ent)
    }

    /// M; NaN where the row is.
    pub fn max(&self) -> Approx {
        let max = if self.ls.is_nan() { f64::NAN } else { self.max };
        let off = if self.inv_tau_off == 0.0 { 0.0 } else { self.inv_tau_off + E };
        self.number(max, 1.001 * off * max.abs())
    }

    /// ln S.
    pub fn ln_sum(&self) -> Approx {
        self.number(self.ls, self.d_ls)
    }

    /// ∂L/∂z through log π of the action and through H.
    pub fn grad(&self, action: usize, g_logp: f64, g_ent: f64) -> Vec<Approx> {
        let through_logp = log_prob_grad_row(self.logits, action, self.tau, g_logp);
        let through_ent = entropy_grad_row(self.logits, self.tau, g_ent);
        let each = |(v, (a, b)): (usize, (&f64, &f64))| {
            let dx = (a + b) * self.tau;
            let off = self.slope_off(v, dx, g_logp, g_ent);
            // Times 1/τ, which is off itself.
            let rel = if self.inv_tau_off == 0.0 { 0.0 } else { self.inv_tau_off + E };
            self.number(a + b, (off + SECOND_ORDER * rel * (dx.abs() + off)) / self.tau)
        };
        through_logp.iter().zip(&through_ent).enumerate().map(each).collect()
    }

    /// dx = p (c − g_H log p), c = −(g_H H + g_π), and g_π more for the action.
    fn slope_off(&self, v: usize, dx: f64, g_logp: f64, g_ent: f64) -> f64 {
        let lp = self.logp[v];
        let last = 1.01 * E * dx.abs();
        // A probability at the lift may be one of 2⁻¹²⁵ or 0 on either side.
        let lift = 2f64.powi(-124) * (1.0 + 200.0 * g_ent.abs() + g_logp.abs());
        if lp < LIFTED {
            return lift + last;
        }
        let e_lp = self.logp_off(v);
        let r_p = e_lp + X + BIAS * lp.abs();
        let g = -(g_ent * self.ent + g_logp) - g_ent * lp;
        let e_g = g_ent.abs() * (e_lp + self.d_ent)
            + 3.0 * E * (g_ent * self.ent).abs()
            + 2.0 * E * g_logp.abs()
            + E * ((g_ent * lp).abs() + g.abs());
        1.002 * libm::exp(lp) * (g.abs() * (r_p + E) + e_g) + last
    }
}

/// The sum of two gradients of one row, rounded once.
pub fn both(one: Vec<Approx>, other: Vec<Approx>) -> Vec<Approx> {
    one.into_iter().zip(other).map(|(a, b)| a + b).collect()
}

/// A number stored as bf16, to nearest.
pub fn as_bf16(x: Approx) -> Approx {
    let off = if x.value.is_finite() { (x.value.abs() + x.off) / 256.0 + 2f64.powi(-134) } else { 0.0 };
    x.widened(off)
}
