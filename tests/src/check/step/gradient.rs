//! The gradient of the logits: one row of one token at a time, and never the whole.

use super::Step;
use crate::{
    budget::{self, Approx, Grid},
    dump::{BadInput, Rows},
    evaluate::parts_of,
};
use reference::Settings;

/// A token whose gradient is held: its logits, and what the file has.
#[derive(Debug, Clone)]
pub(in crate::check) struct Probe {
    pub(in crate::check) slot: (usize, usize),
    pub(in crate::check) z: Vec<f64>,
    pub(in crate::check) got: Vec<f64>,
}

/// What the gradient of every token is made of: the slopes of its log π and of its H.
pub(in crate::check) struct Slopes {
    logp: Grid,
    ent: Grid,
}

impl Step {
    /// The slopes under these settings; none where the file lacks what they are made of.
    pub(in crate::check) fn slopes(&self, s: &Settings) -> Option<Slopes> {
        let (_, c) = parts_of(self.grad_of, s.coefficients);
        let (p, mask) = (self.p, &self.inputs.mask);
        self.inputs.actions.as_ref()?;
        let share = budget::aggregate_grad(p, mask, s.agg);
        let ent = match c.c_h {
            0.0 => p.each(mask, |_| p.given(0.0)),
            c_h => p.each(mask, |slot| p.setting(-c_h) * share[slot]),
        };
        Some(Slopes { logp: self.grid("grad_log_probs", s)?, ent })
    }

    /// One token's row.
    pub(in crate::check) fn grad_logits_of(
        &self,
        slopes: &Slopes,
        s: &Settings,
        slot: (usize, usize),
        z: &[f64],
    ) -> Option<Vec<Approx>> {
        let action = self.inputs.actions.as_ref()?[slot];
        let of = (slopes.logp[slot], slopes.ent[slot]);
        Some(budget::grad_logits_row(self.p, z, action, (s.tau, s.tau_ent), of))
    }

    /// The rows of the tokens that are probed.
    pub(super) fn grad_logits(&self, s: &Settings) -> Option<Vec<Vec<Approx>>> {
        let slopes = self.slopes(s)?;
        self.probed.iter().map(|probe| self.grad_logits_of(&slopes, s, probe.slot, &probe.z)).collect()
    }

    /// Each token of these rows of the batch with its logits and what the file has.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub(in crate::check) fn each_probe(
        &self,
        mut own: Rows,
        mut take: impl FnMut(&Probe),
    ) -> Result<(), BadInput> {
        let mut probe = Probe { slot: (0, 0), z: Vec::new(), got: Vec::new() };
        for slot in self.compared_slots("grad_logits") {
            probe.slot = slot;
            let action = self.inputs.actions.as_ref().map(|actions| actions[slot]);
            self.read_row(slot, action, &mut probe.z)?;
            own.row(slot, &mut probe.got)?;
            take(&probe);
        }
        Ok(())
    }
}
