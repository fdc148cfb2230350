//! What stands beneath the mask: the inputs of a file with whatever is in their masked slots.
//!
//! Nothing that is right reads it; a mistake that lets a masked slot through does. So it is read from the file where
//! one is tried, and held from then on.

use super::Step;
use crate::{
    budget::{Approx, Grid},
    check::compare::slots,
    dump::Dump,
};
use nalgebra::DMatrix;
use reference::Mask;
use std::{rc::Rc, sync::OnceLock};

/// The inputs that a mistake may read beneath the mask.
const NAMES: [&str; 11] = [
    "rewards",
    "old_values",
    "values",
    "old_log_probs",
    "log_probs",
    "ref_log_probs",
    "advantages_raw",
    "advantages",
    "returns",
    "rollout_is_weights",
    "last_values",
];

/// The file, and what was read of it. A clone shares both.
#[derive(Debug, Clone)]
pub(super) struct Beneath {
    dump: Dump,
    read: Rc<[OnceLock<Option<DMatrix<f64>>>; NAMES.len()]>,
    /// The logits of the tokens of a mask, where they are few.
    logits: Rc<OnceLock<Option<Held>>>,
}

/// The logits of the tokens of a mask, row after row.
type Held = (Mask, Vec<f64>);

/// Most logits that are held, and not read again for each mistake.
const MOST_HELD: usize = 1 << 20;

impl Beneath {
    pub(super) fn of(dump: &Dump) -> Beneath {
        let read = Rc::new([const { OnceLock::new() }; NAMES.len()]);
        Beneath { dump: dump.clone(), read, logits: Rc::new(OnceLock::new()) }
    }
}

impl Step {
    /// An input as the file has it, b × t_len or b × 1, masked slots too, whatever stands there; none where the file
    /// lacks it.
    pub fn beneath(&self, name: &str) -> Option<&DMatrix<f64>> {
        let at = NAMES.iter().position(|other| *other == name)?;
        let read = || self.beneath.dump.input_matrix(NAMES[at]).ok().flatten();
        self.beneath.read[at].get_or_init(read).as_ref()
    }

    /// The ids of every slot, masked ones too, whatever stands there.
    pub fn every_action(&self) -> Option<DMatrix<i64>> {
        self.beneath.dump.every_action()
    }

    /// One number a token from its row of logits and its action; none where the file lacks them, or for any token.
    pub fn each_row(&self, mut of_row: impl FnMut(&[f64], usize) -> Option<Approx>) -> Option<Grid> {
        let (mask, actions) = (&self.inputs.mask, self.inputs.actions.as_ref()?);
        let vocab = self.inputs.shape.vocab?;
        let mut grid = self.p.each(mask, |_| self.p.given(0.0));
        let mut take = |slot, z: &[f64]| {
            grid[slot] = of_row(z, actions[slot])?;
            Some(())
        };
        let few = mask.count().saturating_mul(vocab) <= MOST_HELD;
        let held = if few { self.beneath.logits.get_or_init(|| self.every_logit()).as_ref() } else { None };
        match held.filter(|(of, _)| of == mask) {
            Some((_, held)) => slots(mask).zip(held.chunks(vocab)).try_for_each(|(slot, z)| take(slot, z))?,
            None => self.stream(take)?,
        }
        Some(grid)
    }

    fn every_logit(&self) -> Option<Held> {
        let mut all = Vec::new();
        self.stream(|_, z| {
            all.extend_from_slice(z);
            Some(())
        })?;
        Some((self.inputs.mask.clone(), all))
    }

    fn stream(&self, mut take: impl FnMut((usize, usize), &[f64]) -> Option<()>) -> Option<()> {
        let (mut logits, mut z) = (self.beneath.dump.logits()?, Vec::new());
        let actions = self.inputs.actions.as_ref()?;
        slots(&self.inputs.mask).try_for_each(|slot| {
            logits.row(slot, Some(actions[slot]), &mut z).ok()?;
            take(slot, &z)
        })
    }
}
