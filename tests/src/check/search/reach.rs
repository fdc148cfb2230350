//! Whether one number is met by some value of radii and coefficients that nobody states: then it is open, and not wrong.

use super::{
    changes::{Changes, Number},
    radii::{Tokens, radii},
    unsaid::COEFFICIENTS,
    ways::Ways,
};
use crate::check::{compare::slots, step::Numbers};
use reference::ClipFrac;

impl Ways<'_> {
    /// Whether some value of the radii that nobody states has this number, by choices that nobody states.
    pub(super) fn in_reach(&self, got: f64) -> bool {
        self.again();
        let free = self.free();
        let own: Vec<_> = free.into_iter().filter(|choice| choice.of.contains(&self.output)).collect();
        let (mut level, mut seen) = (vec![Changes::default()], 0);
        while !level.is_empty() && seen < 128 {
            seen += level.len();
            if level.iter().any(|changes| self.reaches(changes, got).unwrap_or(false)) {
                return true;
            }
            level = self.one_more_of(&level, &own);
        }
        false
    }

    fn reaches(&self, changes: &Changes, got: f64) -> Option<bool> {
        let within = |lo: f64, hi: f64| {
            let slack = 1e-6 * (lo.abs() + hi.abs());
            lo < hi && got >= lo - slack && got <= hi + slack
        };
        let counts = |most: usize| {
            let n = self.under(changes).map_or(0.0, |under| under.step.mask_of(self.output).count() as f64);
            let count = got * n;
            (count - count.round()).abs() < 1e-4 * n.sqrt() && count > -0.5 && count < most as f64 + 0.5
        };
        Some(match self.output {
            "pg_loss" => {
                let (tokens, s) = self.policy_tokens(changes)?;
                let ends = |key: &str, used: f64, ends: [f64; 2]| {
                    if self.is_open(key, changes) { ends } else { [used, used] }
                };
                let (lo, hi, c) = (
                    ends("cliprange_low", s.clip.eps_lo, [f64::INFINITY, 0.0]),
                    ends("cliprange_high", s.clip.eps_hi, [f64::INFINITY, 0.0]),
                    ends("clip_ratio_c", s.clip.c_dual, [1.0, f64::INFINITY]),
                );
                within(tokens.loss(lo[0], hi[0], c[0]), tokens.loss(lo[1], hi[1], c[1]))
            }
            "vf_loss" => {
                let loss = self.value_loss(changes)?;
                let all: Vec<f64> = radii().map(loss).collect();
                let ends = all
                    .iter()
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), x| (lo.min(*x), hi.max(*x)));
                within(ends.0, ends.1)
            }
            "pg_clipfrac" => {
                let (Tokens { up, down }, s) = self.policy_tokens(changes)?;
                match s.clip.clip_frac {
                    ClipFrac::SignBlind => counts(up.len() + down.len()),
                    _ => counts(up.len() - up.up_to(1.0) + down.up_to(1.0)),
                }
            }
            "pg_clipfrac_lower" => {
                let (tokens, _) = self.policy_tokens(changes)?;
                counts(tokens.down.len() - tokens.down.up_to(1.0))
            }
            "vf_clipfrac" => counts(self.value_slots(changes)?),
            "total_loss" => self.total_reaches(changes, got)?,
            _ => false,
        })
    }

    /// Whether a total has the number at some coefficients that nobody states, none of them negative. Of one alone the
    /// total says the decimal.
    fn total_reaches(&self, changes: &Changes, got: f64) -> Option<bool> {
        let mut free = self.search.unsaid(self.output);
        free.retain(|key| COEFFICIENTS.contains(key) && self.is_open(key, changes));
        if free.len() < 2 {
            return Some(false);
        }
        let total = |one: Option<&str>| {
            let value = |key: &str| if one == Some(key) { "1" } else { "0" };
            let number = |key: &&'static str| Number { key, value: value(key).to_owned() };
            let with = free.iter().map(number).fold(changes.clone(), |with, number| with.with_number(number));
            match self.under(&with)?.numbers(self.output, &[])? {
                Numbers::Scalar(x) => Some(x),
                _ => None,
            }
        };
        let least = total(None)?;
        let toward = |key: &&str| total(Some(key)).map_or(0.0, |one| one.value - least.value);
        let there = got - least.value;
        let slack = least.off + 1e-6 * (least.value.abs() + got.abs());
        Some(
            free.iter()
                .map(toward)
                .any(|slope| slope != 0.0 && (there * slope > 0.0 || there.abs() <= slack)),
        )
    }

    /// How many tokens may have the larger error clipped, at any radius: those whose value moved toward its return.
    fn value_slots(&self, changes: &Changes) -> Option<usize> {
        let under = self.under(changes)?;
        let [v, v_old, ret] = under.step.value_operands(&under.settings)?;
        let farther = |slot: &(usize, usize)| {
            (v_old[*slot].value - ret[*slot].value).abs() > (v[*slot].value - ret[*slot].value).abs()
        };
        Some(slots(&under.step.inputs.value_mask).filter(farther).count())
    }
}
