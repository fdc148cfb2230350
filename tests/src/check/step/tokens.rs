//! What is computed from logits: read one token at a time, and once for each temperature.

use super::{Step, slots};
use crate::{
    budget::{self, Approx, Grid, Precision},
    dump::{BadInput, Inputs, Logits},
};
use nalgebra::DMatrix;
use reference::{Mask, Settings};
use std::{cell::RefCell, rc::Rc};

/// Most temperatures that are held at once.
const MOST_PASSES: usize = 4;

/// The logits of a file, and what was made of them.
#[derive(Debug)]
pub(super) struct Passes {
    logits: RefCell<Option<Logits>>,
    made: RefCell<Vec<(Key, Rc<Pass>)>>,
}

/// τ, τ_ent and the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Key {
    tau: f64,
    tau_ent: f64,
    p: Precision,
}

/// log π and H of the tokens that were read.
#[derive(Debug, Clone)]
pub(super) struct Pass {
    read: DMatrix<bool>,
    logp: Option<Grid>,
    ent: Grid,
    /// H before the temperature, where there is one.
    ent_at_1: Option<Grid>,
}

impl Passes {
    pub(super) fn of(logits: Option<Logits>) -> Passes {
        Passes { logits: RefCell::new(logits), made: RefCell::new(Vec::new()) }
    }

    /// The pass over the valid tokens of these inputs; what an earlier one has read is not read again.
    fn at(&self, key: Key, inputs: &Inputs) -> Result<Option<Rc<Pass>>, BadInput> {
        let mut logits = self.logits.borrow_mut();
        let Some(logits) = logits.as_mut() else { return Ok(None) };
        let mut made = self.made.borrow_mut();
        let at = made.iter().position(|(other, _)| *other == key);
        let held = at.map(|at| Rc::clone(&made[at].1));
        let is_read = |slot: (usize, usize)| held.as_ref().is_some_and(|pass| pass.read[slot]);
        let missing: Vec<_> = slots(&inputs.mask).filter(|slot| !is_read(*slot)).collect();
        if let (Some(held), true) = (&held, missing.is_empty()) {
            return Ok(Some(Rc::clone(held)));
        }
        let mut pass = held.map_or_else(|| Pass::empty(key, inputs), |pass| (*pass).clone());
        let mut z = Vec::new();
        for slot in missing {
            let action = inputs.actions.as_ref().map(|actions| actions[slot]);
            logits.row(slot, action, &mut z)?;
            pass.take(key, slot, action, &z);
        }
        let pass = Rc::new(pass);
        if let Some(at) = at {
            made.remove(at);
        }
        made.truncate(MOST_PASSES - 1);
        made.insert(0, (key, Rc::clone(&pass)));
        Ok(Some(pass))
    }
}

impl Pass {
    fn empty(key: Key, inputs: &Inputs) -> Pass {
        let (b, t_len) = inputs.mask.shape();
        let zero = DMatrix::from_element(b, t_len, key.p.given(0.0));
        Pass {
            read: DMatrix::from_element(b, t_len, false),
            logp: inputs.actions.is_some().then(|| zero.clone()),
            ent_at_1: (key.tau_ent != 1.0).then(|| zero.clone()),
            ent: zero,
        }
    }

    fn take(&mut self, key: Key, slot: (usize, usize), action: Option<usize>, z: &[f64]) {
        let Key { tau, tau_ent, p } = key;
        self.read[slot] = true;
        let row = budget::log_softmax_row(p, z, tau);
        if let (Some(logp), Some(action)) = (&mut self.logp, action) {
            logp[slot] = row[action];
        }
        let entropy = |row: &[Approx]| budget::entropy_row(p, row);
        self.ent[slot] = entropy(&if tau == tau_ent { row } else { budget::log_softmax_row(p, z, tau_ent) });
        if let Some(ent_at_1) = &mut self.ent_at_1 {
            ent_at_1[slot] = entropy(&budget::log_softmax_row(p, z, 1.0));
        }
    }

    pub(super) fn logp(&self, p: Precision, mask: &Mask) -> Option<Grid> {
        self.logp.as_ref().map(|logp| p.each(mask, |slot| logp[slot]))
    }

    pub(super) fn ent(&self, p: Precision, mask: &Mask) -> Grid {
        p.each(mask, |slot| self.ent[slot])
    }
}

impl Step {
    /// Reads the logits, so that one that is refused is refused here.
    pub(super) fn read_logits(&self, s: &Settings) -> Result<(), BadInput> {
        self.tokens.at(self.key(s), &self.inputs).map(|_| ())
    }

    pub(super) fn of_logits(&self, s: &Settings) -> Option<Rc<Pass>> {
        self.tokens.at(self.key(s), &self.inputs).ok().flatten()
    }

    /// H of the logits as they are, where the step divides them by a temperature.
    pub fn entropy_at_1(&self, s: &Settings) -> Option<Grid> {
        let pass = self.of_logits(s)?;
        pass.ent_at_1.as_ref().map(|ent| self.p.each(&self.inputs.mask, |slot| ent[slot]))
    }

    fn key(&self, s: &Settings) -> Key {
        Key { tau: s.tau, tau_ent: s.tau_ent, p: self.p }
    }

    /// The logits of one token.
    pub(super) fn read_row(
        &self,
        slot: (usize, usize),
        action: Option<usize>,
        into: &mut Vec<f64>,
    ) -> Result<(), BadInput> {
        match self.tokens.logits.borrow_mut().as_mut() {
            Some(logits) => logits.row(slot, action, into),
            None => Err(BadInput::new("the file holds no logits")),
        }
    }

    /// Whether the file holds logits.
    pub(in crate::check) fn has_logits(&self) -> bool {
        self.tokens.logits.borrow().is_some()
    }

    /// log π or H of one token from its logits alone, and what it may be off: for a temperature that is looked for.
    pub(in crate::check) fn of_row(
        &self,
        slot: (usize, usize),
        output: &str,
        s: &Settings,
    ) -> Option<(f64, f64)> {
        let action = self.inputs.actions.as_ref().map(|actions| actions[slot]);
        let mut z = Vec::new();
        self.read_row(slot, action, &mut z).ok()?;
        let of = match output {
            "log_probs" => budget::log_softmax_row(self.p, &z, s.tau)[action?],
            "entropy" => budget::entropy_row(self.p, &budget::log_softmax_row(self.p, &z, s.tau_ent)),
            _ => return None,
        };
        Some((of.value, of.off))
    }
}
