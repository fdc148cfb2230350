//! The gradient of the logits, which is never held whole: the file is read through once, and what a few of its tokens
//! follow is then held to all of them.

use super::{Search, under::Under};
use crate::{
    check::{
        Finding, Fit,
        compare::{Compared, Verdict, worse},
        search::changes::Changes,
        step::{Numbers, Probe},
    },
    dump::BadInput,
    outputs::GRAD_LOGITS,
    report::Place,
};
use std::rc::Rc;

/// Tokens that the search looks at.
const PROBES: usize = 4;

/// Explanations that are held to every token.
const MOST_HELD: usize = 8;

impl Search<'_> {
    /// What is said of the gradient of the logits; none where the file lacks what it is made of.
    pub(super) fn of_grad_logits(&self) -> Result<Option<Finding>, BadInput> {
        let output = GRAD_LOGITS.name;
        let p = self.precision(output);
        let Some(under) = Under::changed(self, &Changes::default()) else { return Ok(None) };
        let Some((compared, probes)) = self.through(&under, &Fit::nothing())? else { return Ok(None) };
        let mut finding = Finding::of(output, p, compared);
        if compared.verdict != Verdict::Failed {
            return Ok(Some(finding));
        }
        let probing = self.probing(probes);
        let numbers = probing.step.at(p).output(output, &self.chosen.settings.as_listed());
        (finding.fits, finding.cut) = probing.ways(output).fits(numbers.as_ref());
        finding.cut |= finding.fits.len() > MOST_HELD;
        let mut held = Vec::new();
        for mut fit in finding.fits.drain(..).take(MOST_HELD) {
            let changes = Changes { listed: fit.changed.clone(), numbers: fit.numbers.clone() };
            let Some(under) = Under::changed(self, &changes) else { continue };
            if let Some((compared, _)) = self.through(&under, &fit)?
                && compared.verdict == Verdict::Passed
            {
                fit.compared = compared;
                held.push(fit);
            }
        }
        finding.fits = held;
        if finding.fits.is_empty() {
            finding.pattern = Some(format!("first and worst at {}", compared.place));
        }
        Ok(Some(finding))
    }

    /// The worst number of every token, and the tokens that are off first and most; none where the file lacks what
    /// they are made of.
    fn through(&self, under: &Under, fit: &Fit) -> Result<Option<(Compared, Vec<Probe>)>, BadInput> {
        let step = under.step.at(self.precision(GRAD_LOGITS.name)).with(&fit.mistakes);
        let (Some(own), Some(slopes)) =
            (self.dump.output_rows(GRAD_LOGITS.name), step.slopes(&under.settings))
        else {
            return Ok(None);
        };
        if !step.has_logits() {
            return Ok(None);
        }
        let (mut worst, mut first, mut most): (Option<Compared>, Vec<Probe>, Option<Probe>) =
            (None, Vec::new(), None);
        step.each_probe(own, |probe| {
            let Some(ours) = step.grad_logits_of(&slopes, &under.settings, probe.slot, &probe.z) else {
                return;
            };
            let of_token = step.compare_row(probe, &ours);
            let Some(of_token) = of_token else { return };
            if of_token.verdict == Verdict::Failed && first.len() + 1 < PROBES {
                first.push(probe.clone());
            }
            if worst.as_ref().is_none_or(|worst| worse(&of_token, worst)) {
                worst = Some(of_token);
                most = (of_token.verdict == Verdict::Failed).then(|| probe.clone());
            }
        })?;
        first.extend(most);
        Ok(worst.map(|worst| (worst, first)))
    }

    /// The same search with these tokens to look at.
    fn probing(&self, probes: Vec<Probe>) -> Search<'_> {
        let mut step = self.step.clone();
        step.probed = Rc::new(probes);
        let stated = self.stated.clone();
        let of = Search::of(self.dump, self.flags, self.p, step, self.chosen, self.dialect, stated);
        *of.settled.borrow_mut() = self.settled.borrow().clone();
        of
    }
}

impl super::Step {
    /// The worst number of one token's row.
    fn compare_row(&self, probe: &Probe, ours: &[crate::budget::Approx]) -> Option<Compared> {
        let rounding = self.stored_as(GRAD_LOGITS.name);
        let of = |(v, (ours, got)): (usize, (&crate::budget::Approx, &f64))| {
            Compared::of(Place::Logit(probe.slot.0, probe.slot.1, v), *ours, *got, rounding)
        };
        let all = ours.iter().zip(&probe.got).enumerate().map(of);
        all.reduce(|worst, next| if worse(&next, &worst) { next } else { worst })
    }

    /// The worst number of the tokens that are probed.
    pub(in crate::check) fn compare_probed(&self, ours: &Numbers) -> Option<Compared> {
        let Numbers::Logits(rows) = ours else { return None };
        let of_rows = self.probed.iter().zip(rows).filter_map(|(probe, row)| self.compare_row(probe, row));
        of_rows.reduce(|worst, next| if worse(&next, &worst) { next } else { worst })
    }
}
