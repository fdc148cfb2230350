//! ∂L/∂logits from ∂L/∂log π and ∂L/∂H: 4 bytes read and 4 written a logit (bf16: 2 and 2), some 14 operations.

use super::{
    TokenStats, check_actions, inv_tau,
    logits::Logit,
    place::{Place, Row},
};
use crate::{
    Error, Mask, check,
    lanes::{LO, exp_softmax, fma, keep, select_greater},
};
use core::ops::Range;
use fearless_simd::Simd;

/// The operands of a backward pass, but for the logits.
#[derive(Clone, Copy)]
pub(super) struct Backward<'a> {
    pub(super) actions: &'a [u32],
    pub(super) mask: Mask<'a>,
    pub(super) vocab: usize,
    /// 1/τ of the log-probability, and of the entropy.
    pub(super) inv_tau: [f32; 2],
    pub(super) stats: TokenStats<'a>,
    pub(super) g_logp: &'a [f32],
    pub(super) g_ent: &'a [f32],
}

/// One softmax of a token and what flows through it.
#[derive(Clone, Copy)]
struct Softmax {
    max: f32,
    ln_sum: f32,
    /// −(g_H H + g_π), and −g_H.
    c: f32,
    neg_g_ent: f32,
    inv_tau: f32,
}

impl Softmax {
    /// p (c − g_H log p) of the logit after temperature, before what belongs to the action.
    #[inline(always)]
    // ANCHOR: slope
    fn slope(self, x: f32) -> f32 {
        let lp = select_greater(LO, (x - self.max) - self.ln_sum);
        let p = keep(exp_softmax(lp), lp != LO);
        p * fma(self.neg_g_ent, lp, self.c)
    }
    // ANCHOR_END: slope

    /// The slope in the logit before temperature.
    #[inline(always)]
    fn scaled(self, x: f32) -> f32 {
        self.slope(x * self.inv_tau) * self.inv_tau
    }

    /// The same for the action's logit.
    #[inline(always)]
    fn of_action(self, x: f32, g_logp: f32) -> f32 {
        (self.slope(x * self.inv_tau) + g_logp) * self.inv_tau
    }
}

impl<'a> Backward<'a> {
    /// The operands, all checked.
    #[expect(clippy::too_many_arguments, reason = "the arguments are the symbols of the equation")]
    pub(super) fn new(
        op: &'static str,
        actions: &'a [u32],
        mask: &Mask<'a>,
        vocab: usize,
        [tau, tau_ent]: [f64; 2],
        stats: TokenStats<'a>,
        g_logp: &'a [f32],
        g_ent: &'a [f32],
    ) -> Result<Backward<'a>, Error> {
        let inv_tau = [inv_tau(op, "tau", tau)?, inv_tau(op, "tau_ent", tau_ent)?];
        check_actions(op, actions, mask, vocab)?;
        let TokenStats { ent, max, ln_sum, of_ent } = stats;
        let lengths = [
            ("ent", ent.len()),
            ("max", max.len()),
            ("ln_sum", ln_sum.len()),
            ("g_logp", g_logp.len()),
            ("g_ent", g_ent.len()),
        ];
        check::lengths(op, mask, &lengths)?;
        match of_ent {
            _ if inv_tau[0] == inv_tau[1] => {}
            Some((max, ln_sum)) => {
                check::lengths(op, mask, &[("max_ent", max.len()), ("ln_sum_ent", ln_sum.len())])?;
            }
            None => return Err(Error::StatsOfEntropy { op, tau, tau_ent }),
        }
        Ok(Backward { actions, mask: *mask, vocab, inv_tau, stats, g_logp, g_ent })
    }

    /// What flows through the first softmax of a token, and through the second if there are two.
    #[inline(always)]
    fn softmaxes(&self, slot: usize) -> (Softmax, Option<Softmax>) {
        let TokenStats { ent, max, ln_sum, of_ent } = self.stats;
        let (g_logp, g_ent) = (self.g_logp[slot], self.g_ent[slot]);
        let softmax = |max: &[f32], ln_sum: &[f32], g_logp, g_ent: f32, ent, inv_tau| Softmax {
            max: max[slot],
            ln_sum: ln_sum[slot],
            c: -fma(g_ent, ent, g_logp),
            neg_g_ent: -g_ent,
            inv_tau,
        };
        let [inv_tau, inv_tau_ent] = self.inv_tau;
        match of_ent {
            Some((max_ent, ln_sum_ent)) if inv_tau != inv_tau_ent => (
                softmax(max, ln_sum, g_logp, 0.0, 0.0, inv_tau),
                Some(softmax(max_ent, ln_sum_ent, 0.0, g_ent, ent[slot], inv_tau_ent)),
            ),
            _ => (softmax(max, ln_sum, g_logp, g_ent, ent[slot], inv_tau), None),
        }
    }

    /// The gradient of a block of slots; `place` begins with the row of the first.
    #[inline(always)]
    pub(super) fn block<S: Simd, X: Logit>(&self, simd: S, slots: Range<usize>, mut place: Place<'_, X>) {
        for (at, slot) in slots.enumerate() {
            if !self.mask.holds(slot) {
                continue;
            }
            if !self.mask.valid()[slot] {
                place.clear(at);
                continue;
            }
            let row = Row { at, slot, action: self.actions[slot] as usize };
            let g_logp = self.g_logp[slot];
            match self.softmaxes(slot) {
                (p, None) if p.inv_tau == 1.0 => {
                    place.fill(
                        simd,
                        row,
                        #[inline(always)]
                        |x| p.slope(x),
                        |x| p.of_action(x, g_logp),
                    );
                }
                (p, None) => {
                    place.fill(
                        simd,
                        row,
                        #[inline(always)]
                        |x| p.scaled(x),
                        |x| p.of_action(x, g_logp),
                    );
                }
                (p, Some(h)) => place.fill(
                    simd,
                    row,
                    #[inline(always)]
                    |x| p.scaled(x) + h.scaled(x),
                    |x| p.of_action(x, g_logp) + h.of_action(x, 0.0),
                ),
            }
        }
    }
}
