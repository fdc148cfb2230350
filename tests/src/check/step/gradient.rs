//! The gradient of the logits: one row of one token at a time, and never the whole.

use super::{Numbers, Step, slots};
use crate::{
    budget::{self, Approx, Grid},
    check::bugs::logit_slopes::Row,
    dump::{BadInput, Rows},
    evaluate::parts_of,
    outputs::GRAD_LOGITS,
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
    /// What each token weighs in a loss.
    share: Grid,
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
        Some(Slopes { logp: self.grid("grad_log_probs", s)?, ent, share })
    }

    /// One token's row, with the mistake of this gradient that is at work.
    pub(in crate::check) fn grad_logits_of(
        &self,
        slopes: &Slopes,
        s: &Settings,
        slot: (usize, usize),
        z: &[f64],
    ) -> Option<Vec<Approx>> {
        let mistake = self.mistakes.iter().find(|bug| bug.of == GRAD_LOGITS.name);
        let row = self.row(slopes, s, slot, z)?;
        mistake.map_or(Some(row.right()), |bug| Some(bug.row?(&row)))
    }

    fn row<'z>(&self, slopes: &Slopes, s: &Settings, slot: (usize, usize), z: &'z [f64]) -> Option<Row<'z>> {
        let action = self.inputs.actions.as_ref()?[slot];
        let (of, share) = ((slopes.logp[slot], slopes.ent[slot]), slopes.share[slot]);
        Some(Row { p: self.p, z, action, tau: (s.tau, s.tau_ent), slopes: of, share })
    }

    /// The rows of the tokens that are probed.
    pub(super) fn grad_logits(&self, s: &Settings) -> Option<Vec<Vec<Approx>>> {
        let slopes = self.slopes(s)?;
        self.probed.iter().map(|probe| self.grad_logits_of(&slopes, s, probe.slot, &probe.z)).collect()
    }

    /// The same by another formula for a row.
    pub(in crate::check) fn grad_logits_by(
        &self,
        s: &Settings,
        of_row: impl Fn(&Row) -> Vec<Approx>,
    ) -> Option<Numbers> {
        let slopes = self.slopes(s)?;
        let made = |probe: &Probe| Some(of_row(&self.row(&slopes, s, probe.slot, &probe.z)?));
        self.probed.iter().map(made).collect::<Option<_>>().map(Numbers::Logits)
    }

    /// The same with every token probed, row after row: for a file as small as a test vector.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn probing_all(&self) -> Result<Step, BadInput> {
        let probe = |slot: (usize, usize)| {
            let mut probe = Probe { slot, z: Vec::new(), got: Vec::new() };
            let action = self.inputs.actions.as_ref().map(|actions| actions[slot]);
            self.read_row(slot, action, &mut probe.z)?;
            Ok(probe)
        };
        let probed: Result<Vec<Probe>, BadInput> = slots(&self.inputs.mask).map(probe).collect();
        Ok(Step { probed: probed?.into(), ..self.clone() })
    }

    /// The masked slots of the gradient that are not 0, and how many are masked.
    pub(in crate::check) fn masked_logits(&self, mut own: Rows) -> Result<(usize, usize), BadInput> {
        let (b, t_len) = self.inputs.mask.shape();
        let (mut not_0, mut masked, mut row) = (0, 0, Vec::new());
        for slot in (0..b).flat_map(|row| (0..t_len).map(move |t| (row, t))) {
            if !self.inputs.mask.has(slot) {
                own.row(slot, &mut row)?;
                not_0 += usize::from(row.iter().any(|x| *x != 0.0));
                masked += 1;
            }
        }
        Ok((not_0, masked))
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
