//! The rule that a gradient follows where two branches meet: a value or a ratio at its bound, two errors of one size.
//!
//! Nothing there is wrong between the two branches' gradients, and frameworks differ: torch.max and torch.min of two
//! tensors, as jnp.maximum and jnp.minimum, give each of two equals a half; torch.clamp passes 1 at its bound up to
//! 2.13 and 0 from 2.14 on (pytorch/pytorch#195931).

use super::{
    compare::Verdict,
    finding::{Finding, Fit},
    step::{Numbers, Step},
};
use crate::{
    budget::{Approx, Grid},
    dump::{Chosen, Dump},
};
use reference::{PolicyClip, Settings, ValueClip};

/// A share of the unclipped branch's slope, and who has it at a tie.
const RULES: [(f64, &str); 4] = [
    (
        1.0,
        "all of the unclipped branch: torch.clamp up to 2.13, or a maximum that takes the first of two equals",
    ),
    (
        0.75,
        "¾ of the unclipped branch: a maximum and a clip that each split in halves (torch.max and torch.min, as in verl's clip_by_value; jnp.maximum and jnp.clip)",
    ),
    (
        0.5,
        "½ of the unclipped branch: one split in halves, by torch.max or jnp.maximum over a clip that passes nothing (torch.clamp from 2.14 on), or by the clip alone",
    ),
    (0.0, "the clipped branch: nothing"),
];

/// The settings that an output is met by: those in use, or the one convention that it follows.
pub(super) fn met_by(
    dump: &Dump,
    flags: &[(String, String)],
    chosen: &Chosen,
    finding: &Finding,
) -> Option<Settings> {
    let conventions: Vec<&Fit> = finding.fits.iter().filter(|fit| !fit.is_wrong()).collect();
    match (finding.compared.verdict, conventions.as_slice()) {
        (Verdict::Passed, _) => Some(chosen.settings.as_listed()),
        (_, [fit]) if finding.rank.is_none() && fit.mistakes.is_empty() => {
            let listed =
                fit.changed.iter().map(|(choice, value)| (choice.key.to_owned(), value.value.to_owned()));
            let numbers = fit.numbers.iter().map(|of| (of.key.to_owned(), of.value.clone()));
            let mut all: Vec<_> = listed.chain(numbers).collect();
            let others =
                flags.iter().filter(|(flag, _)| all.iter().all(|(key, _)| *key != flag.replace('-', "_")));
            let others: Vec<_> = others.cloned().collect();
            all.extend(others);
            dump.choose(&all).ok().map(|chosen| chosen.settings.as_listed())
        }
        _ => None,
    }
}

/// What a gradient that was met follows at its ties, one sentence for each rule.
pub(super) fn followed(step: &Step, finding: &Finding, s: &Settings) -> Vec<String> {
    let name = finding.output;
    if finding.compared.verdict == Verdict::Undetermined || !["grad_values", "grad_log_probs"].contains(&name)
    {
        return Vec::new();
    }
    let shares = shares(&step.at(finding.p), name, s).unwrap_or_default();
    let count = |is: &dyn Fn(f64, f64) -> bool| shares.iter().filter(|(share, off)| is(*share, *off)).count();
    let is_at = |rule: f64| move |share: f64, off: f64| (share - rule).abs() <= off;
    let by_rule = RULES.iter().map(|(rule, words)| (count(&is_at(*rule)), *words));
    let no_rule = |share: f64, off: f64| RULES.iter().all(|(rule, _)| !is_at(*rule)(share, off));
    let none = (count(&no_rule), "between the two branches, by no rule that is known");
    let ties = |n: usize| if n == 1 { "1 tie".to_owned() } else { format!("{n} ties") };
    let all = by_rule.chain([none]).filter(|(n, _)| *n > 0);
    all.map(|(n, words)| format!("at {} {name} is {words}", ties(n))).collect()
}

/// At each tie: the share of the unclipped branch, and what it may be off.
fn shares(step: &Step, name: &'static str, s: &Settings) -> Option<Vec<(f64, f64)>> {
    let got = step.own_grid(name)?;
    let none = f64::INFINITY;
    let clip = PolicyClip { eps_lo: none, eps_hi: none, c_dual: none, log_ratio_clamp: none, ..s.clip };
    let open = Settings { clip, value_clip: ValueClip::Off, ..*s };
    let mut alone = open;
    alone.coefficients.beta_loss = 0.0;
    let (made, whole, clipped_part) =
        (grid(step, name, s)?, grid(step, name, &open)?, grid(step, name, &alone)?);
    let share = |slot: (usize, usize)| {
        let (whole, part): (Approx, Approx) = (whole[slot], clipped_part[slot]);
        let off = (whole.off + part.off + step.rounding(name) * got[slot].abs()) / part.value.abs();
        // Elsewhere a number is off by some roundings, and here by the whole of a branch.
        let is_tie = made[slot].off >= 0.5 * part.value.abs();
        (is_tie && off < 1.0 / 32.0).then(|| (1.0 - (whole.value - got[slot]) / part.value, off))
    };
    Some(step.compared_slots(name).filter_map(share).collect())
}

fn grid(step: &Step, name: &str, s: &Settings) -> Option<Grid> {
    match step.output(name, s)? {
        Numbers::PerToken(grid) => Some(grid),
        Numbers::Scalar(_) | Numbers::Logits(_) => None,
    }
}
