//! What a gradient says of radii and coefficients: a token is flat where it is clipped and sloped where it is not, so that
//! each radius lies between two ratios; and of a token that no radius can clip, the slope says the coefficient.

use super::{
    changes::{Changes, Number},
    numbers::rounded,
    ways::Ways,
};
use crate::{budget, check::compare::slots};
use reference::{ValueClip, aggregate::aggregate_grad};

/// What lies between these: more than one, and less than the other.
#[derive(Debug, Clone, Copy)]
struct Between {
    above: f64,
    below: f64,
}

impl Between {
    const ANY: Between = Between { above: 0.0, below: f64::INFINITY };

    /// A token that is flat beyond a radius, and sloped within it.
    fn token(&mut self, is_flat: bool, at: f64) {
        if is_flat {
            self.below = self.below.min(at);
        } else {
            self.above = self.above.max(at);
        }
    }

    fn has(self, x: f64) -> bool {
        x > self.above && (x < self.below || self.below == f64::INFINITY)
    }

    /// The shortest decimal in it.
    fn shortest(self) -> Option<f64> {
        let middle =
            if self.below.is_finite() { f64::midpoint(self.above, self.below) } else { 2.0 * self.above };
        (1..=9).map(|digits| rounded(middle, digits)).find(|x| self.has(*x) && *x > 0.0)
    }
}

impl Ways<'_> {
    /// These with a radius between two ratios, where the one in use is not.
    fn between(
        &self,
        changes: Changes,
        key: &'static str,
        used: f64,
        (between, from): (Between, f64),
    ) -> Option<Changes> {
        if between.has(used + from) || !self.is_open(key, &changes) {
            return Some(changes);
        }
        let x = Between { above: between.above - from, below: between.below - from }.shortest()?;
        Some(changes.with_number(Number { key, value: format!("{x}") }))
    }

    /// The radii of the ratio and β_loss.
    pub(super) fn by_policy_slopes(&self, changes: &Changes) -> Option<Changes> {
        let (under, p) = (self.under(changes)?, self.search.precision(self.output));
        let (step, s) = (under.step.at(p), &under.settings);
        let own = step.own_grid(self.output)?;
        let [logp, old, adv] = step.surrogate_operands(s)?;
        let (c_policy, c) = step.parts(s);
        let (mask, limit) = (&step.inputs.mask, s.clip.log_ratio_clamp);
        let (share, weights) = (aggregate_grad(mask, s.agg), step.inputs.rollout_is_weights.as_ref());
        let log_ratio = |slot: (usize, usize)| logp[slot].value - old[slot].value;
        let ratio = |slot| libm::exp(log_ratio(slot));
        let sloped = |slot: (usize, usize)| {
            -c_policy * share[slot] * weights.map_or(1.0, |w| w[slot]) * ratio(slot) * adv[slot].value
        };
        let of_kl = step.read(step.inputs.ref_log_probs.as_ref()).and_then(|logp_ref| {
            let how = (s.kl_loss, s.kl_loss_grad);
            Some(budget::kl_loss(p, &step.logp(s)?, &logp_ref, mask, how, s.agg).1)
        });
        let free: Vec<_> = slots(mask).filter(|slot| log_ratio(*slot).abs() < limit).collect();
        let mut beta = c.beta_loss;
        let mut found = changes.clone();
        if let Some(of_kl) =
            of_kl.as_ref().filter(|_| c_policy == 1.0 && self.is_open("kl_loss_coef", changes))
        {
            // Of these no radius clips any.
            let never = free.iter().filter(|slot| adv[**slot].value > 0.0 && ratio(**slot) <= 1.0);
            let slot = never.max_by(|a, b| of_kl[**a].value.abs().total_cmp(&of_kl[**b].value.abs()));
            if let Some(slot) = slot.copied().filter(|slot| of_kl[*slot].value != 0.0) {
                let rest = own[slot] - sloped(slot);
                beta = rest / of_kl[slot].value;
                let off = (16.0 * p.unit() + step.rounding(self.output))
                    * (own[slot].abs() + sloped(slot).abs())
                    + of_kl[slot].off * beta.abs();
                found = self.decimal("kl_loss_coef", beta, off / of_kl[slot].value.abs(), &found)?;
            }
        }
        let (mut lo, mut hi, mut bound) = (Between::ANY, Between::ANY, Between::ANY);
        for slot in free {
            let through_kl = of_kl.as_ref().map_or(0.0, |of_kl| beta * of_kl[slot].value);
            let is_flat = (own[slot] - through_kl).abs() < 0.5 * sloped(slot).abs();
            match (adv[slot].value > 0.0, ratio(slot)) {
                (true, ratio) if ratio > 1.0 => hi.token(is_flat, ratio),
                (false, ratio) if ratio < 1.0 => lo.token(is_flat, 1.0 - ratio),
                (false, ratio) if ratio > 1.0 => bound.token(is_flat, ratio),
                _ => {}
            }
        }
        hi.above = hi.above.max(1.0);
        bound.above = bound.above.max(1.0);
        let found = self.between(found, "cliprange_low", s.clip.eps_lo, (lo, 0.0))?;
        let found = self.between(found, "cliprange_high", s.clip.eps_hi, (hi, 1.0))?;
        match s.clip.c_dual {
            off if off == f64::INFINITY && bound.below == f64::INFINITY => Some(found),
            used => self.between(found, "clip_ratio_c", used, (bound, 0.0)),
        }
    }

    /// ε_v and c_V.
    pub(super) fn by_value_slopes(&self, changes: &Changes) -> Option<Changes> {
        let (under, p) = (self.under(changes)?, self.search.precision(self.output));
        let (step, s) = (under.step.at(p), &under.settings);
        let own = step.own_grid(self.output)?;
        let [v, v_old, ret] = step.value_operands(s)?;
        let (_, c) = step.parts(s);
        let mask = &step.inputs.value_mask;
        let share = aggregate_grad(mask, s.agg);
        let slope =
            |slot: (usize, usize)| s.half.factor() * share[slot] * 2.0 * (v[slot].value - ret[slot].value);
        let mut found = changes.clone();
        if c.c_v == s.coefficients.c_v && self.is_open("vf_coef", changes) {
            let all = slots(mask).filter(|slot| own[*slot] != 0.0);
            let slot = all.max_by(|a, b| own[*a].abs().total_cmp(&own[*b].abs()));
            let error =
                |slot: (usize, usize)| (v[slot] - ret[slot]).off / (v[slot].value - ret[slot].value).abs();
            let (c_v, error) = slot.map_or((0.0, 0.0), |slot| (own[slot] / slope(slot), error(slot)));
            let width = (16.0 * p.unit() + step.rounding(self.output) + error) * c_v.abs();
            found = self.decimal("vf_coef", c_v, width, &found)?;
        }
        if s.value_clip == ValueClip::Off {
            return Some(found);
        }
        let mut radius = Between::ANY;
        for slot in slots(mask) {
            let moved = v[slot].value - v_old[slot].value;
            // How far the return lies, the way that the value went.
            let to_return = (ret[slot].value - v_old[slot].value) * moved.signum();
            let (size, is_flat) = (moved.abs(), own[slot] == 0.0 && slope(slot) != 0.0);
            let turn = match s.value_clip {
                ValueClip::Max if to_return < size => 2.0 * to_return - size,
                _ => size,
            };
            if turn > 0.0 {
                // Flat where the radius is smaller.
                radius.token(is_flat, turn);
            }
        }
        let used = s.eps_v;
        self.between(found, "cliprange_value", used, (radius, 0.0))
    }
}
