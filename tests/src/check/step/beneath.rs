//! What stands beneath the mask: the inputs of a file with whatever is in their masked slots.
//!
//! Nothing that is right reads it; a mistake that lets a masked slot through does. So it is read from the file where
//! one is tried, and held from then on.

use super::Step;
use crate::dump::Dump;
use nalgebra::DMatrix;
use std::sync::OnceLock;

/// The inputs per token that a mistake may read beneath the mask.
const NAMES: [&str; 10] = [
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
];

/// The file, and what was read of it.
#[derive(Debug)]
pub(super) struct Beneath {
    dump: Dump,
    read: [OnceLock<Option<DMatrix<f64>>>; NAMES.len()],
}

impl Beneath {
    pub(super) fn of(dump: &Dump) -> Beneath {
        Beneath { dump: dump.clone(), read: [const { OnceLock::new() }; NAMES.len()] }
    }
}

impl Step {
    /// An input per token as the file has it, masked slots too, whatever stands there; none where the file lacks it.
    pub fn beneath(&self, name: &str) -> Option<&DMatrix<f64>> {
        let at = NAMES.iter().position(|other| *other == name)?;
        let read = || self.beneath.dump.input_matrix(NAMES[at]).ok().flatten();
        self.beneath.read[at].get_or_init(read).as_ref()
    }
}
