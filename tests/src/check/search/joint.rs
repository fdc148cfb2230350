//! Every choice that nobody states at once, and the numbers of a term solved beside each combination of them.
//!
//! A file that states nothing may differ from every default. Its choices are few, and beside each combination of them
//! the file's own numbers say what γ and λ, ε_w, β, a radius or a coefficient must be; the shortest decimal there is then
//! held to every number, as any explanation is. So a right file is explained however far it is from the defaults.

use super::{
    changes::{Changes, Number},
    numbers::{is_knob, rounded},
    ways::Ways,
};
use crate::{
    check::{Fit, choices::Choice},
    evaluate::reward_operands,
};
use reference::{EpsAt, ShiftMean, Variance};

/// Most combinations of choices that are tried.
const MOST_COMBINATIONS: usize = 3000;

/// Most choices beside which a number is looked for by its roots.
const MOST_BESIDE: usize = 2;

/// Digits of a decimal that is solved for.
const MOST_DIGITS: usize = 9;

impl Ways<'_> {
    /// The explanations by choices and numbers that nobody states, however many: those of the fewest choices that have
    /// any, and of these the shortest.
    pub(super) fn together(&self) -> Vec<Fit> {
        let free = self.free();
        let (mut level, mut left) = (vec![Changes::default()], MOST_COMBINATIONS);
        while !level.is_empty() && left > 0 {
            let tried = level.len().min(left);
            left -= tried;
            let of_level = level[..tried].iter().flat_map(|changes| self.solved(changes));
            let mut fits: Vec<Fit> = of_level.filter(|fit| !fit.is_wrong()).collect();
            let shortest = fits.iter().map(length).min();
            fits.retain(|fit| Some(length(fit)) == shortest && self.tells(fit));
            if !fits.is_empty() {
                return fits;
            }
            // Where chance meets one number, no combination says anything.
            if self.chance_says_nothing() {
                break;
            }
            level = self.one_more_of(&level, &free);
        }
        Vec::new()
    }

    /// The choices that nobody states.
    pub(super) fn free(&self) -> Vec<&'static Choice> {
        let is_free = |choice: &&&'static Choice| choice.key != "listing" && !self.search.states(choice.key);
        self.choices.iter().filter(is_free).copied().collect()
    }

    /// Each of these with one more choice; a number that is solved for is none, and nor is a mistake.
    pub(super) fn one_more_of(&self, changes: &[Changes], free: &[&'static Choice]) -> Vec<Changes> {
        let mut more = super::changes::one_more(changes, free, &self.base, self.search.chosen);
        more.retain(|changes| {
            changes.listed.last().is_none_or(|(choice, value)| {
                let solved = is_knob(choice.key) && value.value.parse::<f64>().is_ok();
                !value.deviation && !solved
            })
        });
        more
    }

    fn solved(&self, changes: &Changes) -> Vec<Fit> {
        if self.chance_says_nothing() || !self.may() {
            return Vec::new();
        }
        let found = match self.output {
            "token_rewards" => self.by_beta(changes).into_iter().collect(),
            "whitened" => self.by_eps(changes).into_iter().collect(),
            "pg_loss" => self.by_radii(changes),
            "vf_loss" => self.by_value_radius(changes),
            "grad_log_probs" => self.by_policy_slopes(changes).into_iter().collect(),
            "grad_values" => self.by_value_slopes(changes).into_iter().collect(),
            _ => Vec::new(),
        };
        let held = |all: &[Changes]| all.iter().filter_map(|of| self.fit_with(of, &[])).collect::<Vec<_>>();
        let mut fits = held(core::slice::from_ref(changes));
        if fits.is_empty() {
            fits = held(&found);
        }
        if fits.is_empty() && changes.listed.len() <= MOST_BESIDE {
            let beside = found.first().unwrap_or(changes);
            fits = self.by_number(beside, &[]);
        }
        if fits.is_empty() { self.by_gamma_and_lambda(changes, &[]) } else { fits }
    }

    /// Whether a setting may be solved for: nobody states it, and these do not have it.
    pub(super) fn is_open(&self, key: &str, changes: &Changes) -> bool {
        !self.search.states(key) && changes.keys().all(|of| of != key)
    }

    /// The shortest decimal that is near enough, as a setting; none where that is the value in use.
    pub(super) fn decimal(
        &self,
        key: &'static str,
        x: f64,
        width: f64,
        changes: &Changes,
    ) -> Option<Changes> {
        let used = self.base.value(key, self.search.chosen).and_then(|value| value.parse::<f64>().ok());
        if used.is_some_and(|used| (used - x).abs() <= 4.0 * width) {
            return Some(changes.clone());
        }
        let near = |digits| Some(rounded(x, digits)).filter(|value| (value - x).abs() <= 4.0 * width);
        // No −0.
        let value = (1..=MOST_DIGITS).find_map(near)? + 0.0;
        Some(changes.with_number(Number { key, value: format!("{value}") }))
    }

    /// β, from the token whose KL is largest of those at which no score is placed: r = −β KL there.
    fn by_beta(&self, changes: &Changes) -> Option<Changes> {
        let (under, p) = (self.under(changes)?, self.search.precision(self.output));
        let (step, s) = (under.step.at(p), &under.settings);
        if !self.is_open("kl_coef", changes) {
            return None;
        }
        let placed = reward_operands(step.inputs.scores.as_ref()?, None, &step.inputs).placed(s);
        let (kl, own) = (step.grid("kl", s)?, step.own_grid("token_rewards")?);
        let unplaced = step.compared_slots("token_rewards").filter(|slot| placed[*slot] == 0.0);
        let slot = unplaced.max_by(|a, b| kl[*a].value.abs().total_cmp(&kl[*b].value.abs()))?;
        let beta = -own[slot] / kl[slot].value;
        let share = 4.0 * p.unit() + step.rounding("token_rewards") + kl[slot].off / kl[slot].value.abs();
        beta.is_finite().then(|| self.decimal("kl_coef", beta, share * beta.abs(), changes))?
    }

    /// ε_w, from the scale that takes the advantage that is farthest from their mean to the file's.
    fn by_eps(&self, changes: &Changes) -> Option<Changes> {
        let (under, p) = (self.under(changes)?, self.search.precision(self.output));
        let (step, s) = (under.step.at(p), &under.settings);
        let how = s.whitening.filter(|_| self.is_open("eps", changes))?;
        let (raw, own) = (step.raw(s)?, step.own_grid("whitened")?);
        let slots: Vec<_> = super::super::compare::slots(&step.inputs.mask).collect();
        let n = slots.len() as f64;
        let mean = slots.iter().map(|slot| raw[*slot].value).sum::<f64>() / n;
        let far = |slot: &(usize, usize)| (raw[*slot].value - mean).abs();
        let squares = slots.iter().map(|slot| far(slot) * far(slot)).sum::<f64>();
        let var = match how.variance {
            Variance::Population => squares / n,
            Variance::Sample => squares / (n - 1.0),
        };
        let slot = *slots.iter().max_by(|a, b| far(a).total_cmp(&far(b)))?;
        let at_0 = match how.shift_mean {
            ShiftMean::Yes => own[slot],
            ShiftMean::No => own[slot] - mean,
        };
        let scale = (raw[slot].value - mean) / at_0;
        let ours = super::numbers::one_of(&step, &under.numbers("whitened", &[])?, token(slot))?;
        let share = (ours.1 + (step.rounding("whitened") + 2.0 * p.unit()) * own[slot].abs()) / at_0.abs();
        let (eps, width) = match how.eps_at {
            EpsAt::Std => (scale - var.sqrt(), share * scale),
            EpsAt::UnderRoot => (scale * scale - var, 2.0 * share * scale * scale),
            EpsAt::VarFloor => (scale * scale, 2.0 * share * scale * scale),
        };
        let legal = eps.is_finite() && width.is_finite() && eps > 0.0;
        legal.then(|| self.decimal("eps", eps, width, changes))?
    }
}

fn token((row, t): (usize, usize)) -> crate::report::Place {
    crate::report::Place::Token(row, t)
}

/// How much has to be said: choices, and the digits of numbers.
fn length(fit: &Fit) -> usize {
    let digits = |number: &Number| {
        let digits = number.value.trim_start_matches(['0', '.', '-']).chars().filter(char::is_ascii_digit);
        digits.count().max(1)
    };
    fit.changed.len() + fit.numbers.iter().map(digits).sum::<usize>()
}
