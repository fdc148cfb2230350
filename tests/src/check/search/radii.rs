//! The radii of the policy loss and of the value loss, solved from one number.
//!
//! A token of the policy loss reads one radius at most: ε_hi where Â > 0, ε_lo and c where Â < 0. So the loss is a sum of
//! three functions of one radius each, all of them monotone and made of straight pieces: short decimals for two of them say
//! what the third must be.

use super::{
    changes::{Changes, Number},
    numbers::rounded,
    sorted::Sorted,
    ways::Ways,
};
use crate::check::compare::slots;
use reference::{Settings, ValueClip, aggregate::aggregate_grad};

/// Bounds of the dual clip that are common, beside none.
const BOUNDS: [f64; 3] = [f64::INFINITY, 3.0, 10.0];

/// Most candidates that are held to the numbers.
const MOST_HELD: usize = 8;

/// The tokens of the policy loss by the sign of Â: the ratio, with the weight of the token times |Â|.
pub(super) struct Tokens {
    pub(super) up: Sorted,
    pub(super) down: Sorted,
}

impl Tokens {
    /// The loss at ε_lo, ε_hi and c.
    pub(super) fn loss(&self, lo: f64, hi: f64, c: f64) -> f64 {
        self.down.max(1.0 - lo) + self.down.min(c) - self.down.sum() - self.up.min(1.0 + hi)
    }
}

/// Radii that have a number, with how many digits they take.
struct Radii {
    digits: usize,
    lo: f64,
    hi: f64,
    c: f64,
}

/// A decimal grid up to 1: hundredths, or thousandths.
fn decimals(digits: usize) -> impl Iterator<Item = f64> {
    let parts = if digits == 2 { 100 } else { 1000 };
    (1..=parts).map(move |at| f64::from(at) / f64::from(parts))
}

/// How many digits a decimal has, up to so many.
fn digits_of(x: f64, most: usize) -> usize {
    (1..=most).find(|digits| rounded(x, *digits) == x).unwrap_or(most)
}

impl Ways<'_> {
    /// What the policy loss is made of under these settings.
    pub(super) fn policy_tokens(&self, changes: &Changes) -> Option<(Tokens, Settings)> {
        let under = self.may().then(|| self.under(changes))??;
        let (step, s) = (under.step.at(self.search.precision(self.output)), under.settings);
        let [logp, old, adv] = step.surrogate_operands(&s)?;
        let (mask, limit) = (&step.inputs.mask, s.clip.log_ratio_clamp);
        let (share, weights) = (aggregate_grad(mask, s.agg), step.inputs.rollout_is_weights.as_ref());
        let of = |sign: f64| {
            let signed = slots(mask).filter(|slot| adv[*slot].value * sign > 0.0);
            let token = |slot: (usize, usize)| {
                let log_ratio: f64 = logp[slot].value - old[slot].value;
                let ratio = libm::exp(log_ratio.max(-limit).min(limit));
                (ratio, share[slot] * weights.map_or(1.0, |w| w[slot]) * adv[slot].value.abs())
            };
            Sorted::of(signed.map(token).collect())
        };
        Some((Tokens { up: of(1.0)?, down: of(-1.0)? }, s))
    }

    /// Radii that have the policy loss: the shortest that there are.
    pub(super) fn by_radii(&self, changes: &Changes) -> Vec<Changes> {
        let (Some((tokens, s)), Some((got, width))) = (self.policy_tokens(changes), self.number(changes))
        else {
            return Vec::new();
        };
        for digits in [2, 3] {
            let mut all = self.with_bounds(&tokens, &s, changes, (got, width), digits);
            if all.is_empty() && digits == 2 {
                all = self.with_radii(&tokens, &s, changes, (got, width));
            }
            all.sort_by_key(|radii| radii.digits);
            all.truncate(MOST_HELD);
            if !all.is_empty() {
                return all.iter().map(|radii| self.of_radii(radii, &s, changes)).collect();
            }
        }
        Vec::new()
    }

    /// For common bounds c and short ε_lo, the ε_hi that has the number.
    fn with_bounds(
        &self,
        tokens: &Tokens,
        s: &Settings,
        changes: &Changes,
        (got, width): (f64, f64),
        digits: usize,
    ) -> Vec<Radii> {
        let (lo_used, hi_used) = (s.clip.eps_lo, s.clip.eps_hi);
        let shows = tokens.down.up_to(1.0) > 0 && self.is_open("cliprange_low", changes);
        let los: Vec<f64> =
            if shows { [lo_used].into_iter().chain(decimals(digits)).collect() } else { vec![lo_used] };
        let open = self.is_open("clip_ratio_c", changes);
        let cs = if open { BOUNDS.to_vec() } else { vec![s.clip.c_dual] };
        let mut all = Vec::new();
        for (lo, c) in los.iter().flat_map(|lo| cs.iter().map(move |c| (*lo, *c))) {
            let mut own = if lo == lo_used { 0 } else { digits_of(lo, digits) };
            own += usize::from(c != s.clip.c_dual);
            let used = tokens.loss(lo, hi_used, c);
            if (used - got).abs() <= width {
                all.push(Radii { digits: own, lo, hi: hi_used, c });
                continue;
            }
            let rest = used + tokens.up.min(1.0 + hi_used) - got;
            let solved = tokens.up.solve_min(rest).filter(|_| self.is_open("cliprange_high", changes));
            let Some((hi, slope)) = solved.map(|(t, slope)| (t - 1.0, slope)).filter(|(hi, _)| *hi > 0.0)
            else {
                continue;
            };
            if let Some((hi, more)) = self.short(hi, width / slope, digits) {
                all.push(Radii { digits: own + more, lo, hi, c });
            }
        }
        all
    }

    /// For short ε_lo and ε_hi, the bound c that has the number.
    fn with_radii(
        &self,
        tokens: &Tokens,
        s: &Settings,
        changes: &Changes,
        (got, width): (f64, f64),
    ) -> Vec<Radii> {
        if !self.is_open("clip_ratio_c", changes) || tokens.down.up_to(1.0) == tokens.down.len() {
            return Vec::new();
        }
        let grid = |key: &str, used: f64| -> Vec<f64> {
            if self.is_open(key, changes) {
                [used].into_iter().chain(decimals(2)).collect()
            } else {
                vec![used]
            }
        };
        let (los, his) = (grid("cliprange_low", s.clip.eps_lo), grid("cliprange_high", s.clip.eps_hi));
        let mut all = Vec::new();
        for (lo, hi) in los.iter().flat_map(|lo| his.iter().map(move |hi| (*lo, *hi))) {
            let rest = got - tokens.loss(lo, hi, f64::INFINITY) + tokens.down.sum();
            let Some((c, slope)) = tokens.down.solve_min(rest).filter(|(c, _)| *c > 1.0) else { continue };
            if let Some((c, more)) = self.short(c, width / slope, 3) {
                let own = |x: f64, used: f64| if x == used { 0 } else { digits_of(x, 2) };
                let digits = own(lo, s.clip.eps_lo) + own(hi, s.clip.eps_hi) + more;
                all.push(Radii { digits, lo, hi, c });
            }
        }
        all
    }

    /// The shortest decimal of so many digits near enough, and its length. What it would be met by chance is counted.
    fn short(&self, x: f64, width: f64, most: usize) -> Option<(f64, usize)> {
        let spacing = libm::pow(10.0, x.abs().log10().floor() + 1.0 - most as f64);
        self.by_chance(8.0 * width / spacing);
        let near = |digits| (rounded(x, digits) - x).abs() <= 4.0 * width;
        (1..=most).find(|digits| near(*digits)).map(|digits| (rounded(x, digits), digits))
    }

    fn of_radii(&self, radii: &Radii, s: &Settings, changes: &Changes) -> Changes {
        let number = |key, value: f64| Number { key, value: format!("{value}") };
        let mut all = changes.clone();
        if radii.c != s.clip.c_dual {
            let off = || Number { key: "clip_ratio_c", value: "off".to_owned() };
            all = all.with_number(if radii.c.is_finite() { number("clip_ratio_c", radii.c) } else { off() });
        }
        let moved = (radii.lo != s.clip.eps_lo, radii.hi != s.clip.eps_hi);
        if moved == (true, true) && radii.lo == radii.hi {
            return all.with_number(number("cliprange", radii.lo));
        }
        if moved.0 {
            all = all.with_number(number("cliprange_low", radii.lo));
        }
        if moved.1 {
            all = all.with_number(number("cliprange_high", radii.hi));
        }
        all
    }

    /// The file's own number, and how far ours may be from it under these settings.
    fn number(&self, changes: &Changes) -> Option<(f64, f64)> {
        let under = self.may().then(|| self.under(changes))??;
        let compared = under.compared(self.output, &[])?;
        (compared.got.is_finite() && compared.allowed.is_finite())
            .then_some((compared.got, 2.0 * compared.allowed))
    }

    /// The value loss as a function of ε_v under these settings, where it is one.
    pub(super) fn value_loss(&self, changes: &Changes) -> Option<impl Fn(f64) -> f64> {
        let under = self.may().then(|| self.under(changes))??;
        let (step, s) = (under.step.at(self.search.precision(self.output)), under.settings);
        let [v, v_old, ret] = step.value_operands(&s)?;
        let mask = &step.inputs.value_mask;
        let share = aggregate_grad(mask, s.agg);
        let token = |slot: (usize, usize)| {
            (v[slot].value, v_old[slot].value, ret[slot].value, s.half.factor() * share[slot])
        };
        let tokens: Vec<(f64, f64, f64, f64)> = slots(mask).map(token).collect();
        let square = |x: f64| x * x;
        let of = move |(v, v_old, ret, share): &(f64, f64, f64, f64), eps_v: f64| {
            let clipped = square(v.max(v_old - eps_v).min(v_old + eps_v) - ret);
            share
                * match s.value_clip {
                    ValueClip::Max => square(v - ret).max(clipped),
                    ValueClip::ClippedOnly => clipped,
                    ValueClip::Off => square(v - ret),
                }
        };
        Some(move |eps_v: f64| tokens.iter().map(|token| of(token, eps_v)).sum())
    }

    /// ε_v at which the value loss is the file's.
    pub(super) fn by_value_radius(&self, changes: &Changes) -> Vec<Changes> {
        let (Some(loss), Some((got, width))) = (self.value_loss(changes), self.number(changes)) else {
            return Vec::new();
        };
        if !self.is_open("cliprange_value", changes) {
            return Vec::new();
        }
        let off = |eps_v: f64| loss(eps_v) - got;
        let mut found = Vec::new();
        for pair in radii().collect::<Vec<_>>().windows(2) {
            let (mut low, mut high) = (pair[0], pair[1]);
            let sign = off(low).signum();
            if sign == off(high).signum() {
                continue;
            }
            for _ in 0..60 {
                let middle = f64::midpoint(low, high);
                if off(middle).signum() == sign { low = middle } else { high = middle }
            }
            let slope = (off(low * (1.0 + 1e-6)) - off(low * (1.0 - 1e-6))).abs() / (2e-6 * low);
            let short = (slope > 0.0).then(|| self.short(low, width / slope, 4)).flatten();
            found.extend(short.map(|(value, _)| {
                changes.with_number(Number { key: "cliprange_value", value: format!("{value}") })
            }));
        }
        found
    }
}

/// Radii from the least to the most that is looked at.
pub(super) fn radii() -> impl Iterator<Item = f64> {
    (0..=60).map(|at| 1e-3 * libm::pow(10.0, f64::from(at) / 12.0))
}
