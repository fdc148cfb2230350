//! Numbers of the settings at values that no list has: found on the number of the file that is off most, and then held
//! to all of them as every other explanation is.
//!
//! A root says only which value one number asks for. What makes it an explanation is that a short decimal at it gives
//! every other number too; where a file has one number alone, the decimal must be shorter by half than what that
//! number resolves, so that not every number is explained by some value.

use super::{
    changes::{Changes, Number},
    ways::Ways,
};
use crate::check::{
    Fit,
    bugs::Bug,
    compare::{Verdict, differing},
    step::{Numbers, Step},
};
use crate::report::Place;
use reference::Settings;

/// A setting that may have any value, and the outputs whose own formula it is in.
struct Knob {
    key: &'static str,
    of: &'static [&'static str],
    /// The least and the most that is looked at.
    within: (f64, f64),
    /// Whether it is looked for by its size.
    by_size: bool,
}

const fn knob(key: &'static str, of: &'static [&'static str], within: (f64, f64), by_size: bool) -> Knob {
    Knob { key, of, within, by_size }
}

/// A gradient says of a radius only between which ratios it lies.
const CLIPPED: &[&str] = &["pg_loss"];
const MEANS: &[&str] = &["pg_loss", "vf_loss", "entropy_loss", "kl_loss", "grad_log_probs", "grad_values"];

const KNOBS: &[Knob] = &[
    knob("temperature", &["log_probs", "entropy", "grad_logits"], (0.05, 20.0), true),
    knob("entropy_temperature", &["entropy", "grad_logits"], (0.05, 20.0), true),
    knob("kl_coef", &["token_rewards"], (-2.0, 2.0), false),
    knob("score_clip", &["token_rewards"], (0.01, 100.0), true),
    knob("gamma", &["advantages_raw"], (0.0, 1.0), false),
    knob("lam", &["advantages_raw"], (0.0, 1.0), false),
    knob("lam_critic", &["returns"], (0.0, 1.0), false),
    knob("eps", &["whitened"], (1e-12, 10.0), true),
    knob("cliprange", CLIPPED, (1e-3, 2.0), true),
    knob("cliprange_low", CLIPPED, (1e-3, 2.0), true),
    knob("cliprange_high", CLIPPED, (1e-3, 2.0), true),
    knob("clip_ratio_c", CLIPPED, (1.01, 100.0), true),
    knob("cliprange_value", &["vf_loss"], (1e-3, 100.0), true),
    knob("loss_scale_factor", MEANS, (1.0, 1e6), true),
    knob("vf_coef", &["total_loss", "grad_values"], (-4.0, 4.0), false),
    knob("entropy_coef", &["total_loss", "grad_logits"], (-1.0, 1.0), false),
    knob("kl_loss_coef", &["total_loss", "grad_log_probs"], (-2.0, 2.0), false),
];

/// Points at which a range is looked at first.
const POINTS: usize = 13;

/// Where a number is met: the value, and how far from it the number is still met.
#[derive(Debug, Clone, Copy)]
struct Root {
    at: f64,
    width: f64,
}

impl Ways<'_> {
    /// One number of the settings at a value of its own, beside these changes.
    pub(super) fn by_number(&self, changes: &Changes, mistakes: &[&'static Bug]) -> Vec<Fit> {
        let used = KNOBS.iter().filter(|knob| shows(knob.key, &self.terms));
        let free = used.filter(|knob| changes.keys().all(|key| key != knob.key));
        free.filter_map(|knob| self.of_knob(knob, changes, mistakes)).collect()
    }

    fn of_knob(&self, knob: &Knob, changes: &Changes, mistakes: &[&'static Bug]) -> Option<Fit> {
        let (place, got) = self.probe(changes, mistakes)?;
        let off_at = |x: f64| -> Option<(f64, f64)> {
            let with = changes.with_number(Number { key: knob.key, value: format!("{x:?}") });
            let (ours, off) = match (knob.key, place) {
                ("temperature" | "entropy_temperature", Place::Token(row, t))
                    if mistakes.is_empty() && ["log_probs", "entropy"].contains(&self.output) =>
                {
                    let s = self.under(&with)?.settings;
                    let step = self.search.step.at(self.search.precision(self.output));
                    step.of_row((row, t), self.output, &s)?
                }
                _ => one_of(&self.search.step, &self.made(&with, mistakes)?, place)?,
            };
            let off = off + self.search.step.stored_as(self.output).of(off) * got.abs();
            (ours.is_finite() && off.is_finite()).then_some((ours - got, off))
        };
        roots(knob, off_at).into_iter().find_map(|root| {
            let most = self.most_digits(knob, root, changes, mistakes);
            (1..=most).find_map(|digits| {
                let value = rounded(root.at, digits);
                let near = (value - root.at).abs() <= 4.0 * root.width;
                let number = Number { key: knob.key, value: format!("{value}") };
                let with = changes.with_number(number);
                (near && self.may()).then(|| self.fit_with(&with, mistakes))?
            })
        })
    }

    /// How long a decimal may be and still say something. Half of what one number resolves; all of it where other
    /// numbers of the file depend on it too.
    fn most_digits(&self, knob: &Knob, root: Root, changes: &Changes, mistakes: &[&'static Bug]) -> usize {
        let resolved = (root.at.abs() / root.width).log10().max(0.0);
        let number = Number { key: knob.key, value: format!("{:?}", root.at) };
        let with = changes.with_number(number);
        let (here, there) = (self.made(&with, mistakes), self.made(changes, mistakes));
        let depend = here.zip(there).map_or(0, |(here, there)| differing(&here, &there));
        let alone = changes.is_empty() && mistakes.is_empty();
        let digits = if depend > 1 { resolved } else { resolved / 2.0 - f64::from(u8::from(!alone)) };
        digits.clamp(0.0, 9.0) as usize
    }

    /// γ and λ together, from what each token and the next one of its row say of them: with the file's own advantages
    /// A_t − r_t + V_t = γ V_{t+1} + γλ A_{t+1}, so two tokens give both.
    pub(super) fn by_gamma_and_lambda(&self, changes: &Changes, mistakes: &[&'static Bug]) -> Vec<Fit> {
        if !["advantages_raw", "returns"].contains(&self.output) {
            return Vec::new();
        }
        let Some(under) = self.under(changes) else { return Vec::new() };
        let Some((gamma, lambda)) = gamma_and_lambda(&under.step, self.output, &under.settings) else {
            return Vec::new();
        };
        let near = |x: f64, digits| (rounded(x, digits) - x).abs() <= 1e-3 * x.abs();
        for digits in 2..=14usize {
            for of_gamma in 1..digits {
                let of_lambda = digits - of_gamma;
                if of_gamma > 7 || of_lambda > 7 || !near(gamma, of_gamma) || !near(lambda, of_lambda) {
                    continue;
                }
                let number = |key, value: f64| Number { key, value: format!("{value}") };
                let of_gamma = number("gamma", rounded(gamma, of_gamma));
                let of_lambda = number("lam", rounded(lambda, of_lambda));
                let with = changes.with_number(of_gamma).with_number(of_lambda);
                if let Some(fit) = self.may().then(|| self.fit_with(&with, mistakes)).flatten() {
                    return vec![fit];
                }
            }
        }
        Vec::new()
    }

    /// The number of the file that is farthest from ours, and where it stands: not the one that is off by the most
    /// budgets, which may be a small one that no setting moves.
    fn probe(&self, changes: &Changes, mistakes: &[&'static Bug]) -> Option<(Place, f64)> {
        let under = self.under(changes)?;
        let numbers = under.numbers(self.output, mistakes)?;
        let compared = under.compared_with(self.output, &numbers)?;
        if compared.verdict != Verdict::Failed || !compared.got.is_finite() {
            return None;
        }
        let of_token = farthest(&under.step, self.output, &numbers);
        Some(of_token.map_or((compared.place, compared.got), |(place, _, got)| (place, got)))
    }

    fn made(&self, changes: &Changes, mistakes: &[&'static Bug]) -> Option<Numbers> {
        self.may().then(|| self.under(changes)?.numbers(self.output, mistakes))?
    }
}

/// Whether a number of that key can show in one of these terms.
pub(super) fn shows(key: &str, terms: &[&str]) -> bool {
    KNOBS.iter().any(|knob| knob.key == key && knob.of.iter().any(|of| terms.contains(of)))
}

/// Whether a setting of that key is looked for at any value.
pub(super) fn is_knob(key: &str) -> bool {
    KNOBS.iter().any(|knob| knob.key == key)
}

/// The token whose number is farthest from the file's, with both, of those that are off by more than they may be; none of
/// an output that is one number.
pub(super) fn farthest(step: &Step, output: &str, numbers: &Numbers) -> Option<(Place, f64, f64)> {
    let (Numbers::PerToken(ours), own) = (numbers, step.own_grid(output)?) else { return None };
    let apart = |slot: &(usize, usize)| (ours[*slot].value - own[*slot]).abs();
    let slots = step.compared_slots(output);
    let wrong = slots.filter(|slot| apart(slot).is_finite() && apart(slot) > ours[*slot].off);
    let slot = wrong.max_by(|a, b| apart(a).total_cmp(&apart(b)))?;
    Some((Place::Token(slot.0, slot.1), ours[slot].value, own[slot]))
}

/// One number of an output, and what it may be off.
pub(super) fn one_of(step: &Step, numbers: &Numbers, place: Place) -> Option<(f64, f64)> {
    let of = match (numbers, place) {
        (Numbers::Scalar(x), Place::Scalar) => *x,
        (Numbers::PerToken(grid), Place::Token(row, t)) => grid[(row, t)],
        (Numbers::Logits(rows), Place::Logit(row, t, v)) => {
            let at = step.probed.iter().position(|probe| probe.slot == (row, t))?;
            rows[at][v]
        }
        _ => return None,
    };
    Some((of.value, of.off))
}

/// Where what is off is 0 in the range of a setting, each once.
fn roots(knob: &Knob, off_at: impl Fn(f64) -> Option<(f64, f64)>) -> Vec<Root> {
    let (lo, hi) = knob.within;
    let value = |share: f64| match knob.by_size {
        true => lo * libm::pow(hi / lo, share),
        false => lo + (hi - lo) * share,
    };
    let at = |share: f64| off_at(value(share)).map(|(x, off)| (share, x, off));
    let points: Vec<_> = (0..POINTS).filter_map(|i| at(i as f64 / (POINTS - 1) as f64)).collect();
    let mut roots = Vec::new();
    for pair in points.windows(2) {
        let (mut low, mut high) = (pair[0], pair[1]);
        if low.1 == 0.0 || low.1.signum() == high.1.signum() {
            continue;
        }
        // Regula falsi, by the midpoint where an end does not move.
        let mut stuck = 0;
        for _ in 0..60 {
            let secant = (low.0 * high.1 - high.0 * low.1) / (high.1 - low.1);
            let next = if stuck > 1 || !secant.is_finite() { 0.5 * (low.0 + high.0) } else { secant };
            let Some(middle) = at(next) else { break };
            let is_low = middle.1.signum() == low.1.signum();
            stuck = if is_low == (stuck >= 0) { stuck + 1 } else { 0 };
            if is_low {
                low = middle
            } else {
                high = middle
            }
            if middle.1.abs() <= 0.01 * middle.2 || high.0 - low.0 <= 1e-15 {
                break;
            }
        }
        let best = if low.1.abs() < high.1.abs() { low } else { high };
        roots.extend(root(best, &value, &at));
    }
    roots
}

/// The root at a share of the range, with how far from it the number is still within what it may be off.
fn root(
    (share, x, off): (f64, f64, f64),
    value: &impl Fn(f64) -> f64,
    at: &impl Fn(f64) -> Option<(f64, f64, f64)>,
) -> Option<Root> {
    let beside = if share < 0.5 { share + 1e-4 } else { share - 1e-4 };
    let slope = ((at(beside)?.1 - x) / (value(beside) - value(share))).abs();
    // Where nothing is rounded on the way, a number may be met exactly.
    let width = ((x.abs() + off) / slope).max(f64::EPSILON * value(share).abs());
    (width.is_finite() && width > 0.0).then_some(Root { at: value(share), width })
}

/// A number to so many significant digits.
pub(super) fn rounded(x: f64, digits: usize) -> f64 {
    format!("{x:.*e}", digits - 1).parse().unwrap_or(x)
}

/// The least squares of γ and γλ over the tokens that are followed by one.
fn gamma_and_lambda(step: &Step, output: &str, s: &Settings) -> Option<(f64, f64)> {
    let (inputs, mask) = (&step.inputs, &step.inputs.value_mask);
    let (v, ends) = (inputs.old_values.as_ref()?, inputs.ends.as_ref()?);
    let r = step.rewards(s)?;
    let own = step.own_grid(output)?;
    let adv = |slot: (usize, usize)| if output == "returns" { own[slot] - v[slot] } else { own[slot] };
    let (mut a, mut b, mut c, mut x, mut y) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for row in 0..mask.shape().0 {
        for t in mask.tokens_of(row) {
            let (here, next) = ((row, t), (row, t + 1));
            let ended = ends.terminated[here] || ends.truncated[here];
            if t + 1 == mask.shape().1 || !mask.has(next) || ended {
                continue;
            }
            let (left, of_gamma, of_both) = (adv(here) - r[here].value + v[here], v[next], adv(next));
            if !(left.is_finite() && of_gamma.is_finite() && of_both.is_finite()) {
                return None;
            }
            (a, b, c) = (a + of_gamma * of_gamma, b + of_gamma * of_both, c + of_both * of_both);
            (x, y) = (x + of_gamma * left, y + of_both * left);
        }
    }
    let determinant = a * c - b * b;
    let (gamma, both) = ((c * x - b * y) / determinant, (a * y - b * x) / determinant);
    let unit = 0.0..=1.0 + 1e-6;
    let lambda = both / gamma;
    (unit.contains(&gamma) && unit.contains(&lambda)).then_some((gamma, lambda))
}
