//! Everything that can be wrong with a call, one line each.

mod message;
#[cfg(test)]
mod tests;

use crate::Counts;

/// Why a call was refused. A term has written nothing then; the step may have, before the term that refused.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A backend that this machine does not have was asked for.
    AbsentBackend {
        /// What was asked for.
        name: String,
        /// Why it is not here, where that can be said.
        why: Option<&'static str>,
        /// What this machine has.
        available: Vec<&'static str>,
    },
    /// A name that is no backend's was asked for.
    UnknownBackend {
        /// What was asked for.
        name: String,
        /// Every name there is.
        names: &'static [&'static str],
    },
    /// A backend was asked for a term that has no kernel there.
    NotOn {
        /// The function that was called.
        op: &'static str,
        /// The backend.
        backend: &'static str,
    },
    /// A device did not do what it was asked for.
    Device {
        /// The function that was called.
        op: &'static str,
        /// The backend.
        backend: &'static str,
        /// What the device said.
        said: String,
    },
    /// Rows of a mask would overlap.
    Stride {
        /// From one row's start to the next.
        stride: usize,
        /// Slots of a row.
        t_len: usize,
    },
    /// A mask has not the slots that its rows need.
    MaskLength {
        /// Slots given.
        got: usize,
        /// Rows.
        b: usize,
        /// Slots of a row.
        t_len: usize,
        /// From one row's start to the next.
        stride: usize,
    },
    /// Offsets do not cover the slots.
    OffsetEnds {
        /// The first, if there is one.
        first: Option<usize>,
        /// The last, if there is one.
        last: Option<usize>,
        /// Slots of the mask.
        slots: usize,
    },
    /// Offsets go back.
    OffsetOrder {
        /// The index of the offset.
        row: usize,
        /// The offset.
        at: usize,
        /// The one before it.
        before: usize,
    },
    /// An array has not the length that its partners have.
    Length {
        /// The function that was called, or the type that was asked.
        op: &'static str,
        /// The argument.
        name: &'static str,
        /// Its length.
        got: usize,
        /// What it must be.
        want: usize,
        /// What there must be one of for each element, such as "slot of the mask".
        one_per: &'static str,
    },
    /// A setting lies outside its range, or does once it is rounded to f32.
    Setting {
        /// The function that was called, or the type that was asked.
        op: &'static str,
        /// The argument.
        name: &'static str,
        /// Its value.
        value: f64,
        /// Its range, to be read after "must".
        must: &'static str,
    },
    /// An argument is absent that a choice needs.
    Missing {
        /// The function that was called, or the type that was asked.
        op: &'static str,
        /// The argument.
        name: &'static str,
        /// What needs it.
        needs: &'static str,
    },
    /// Two masks have not the same rows.
    OtherRows {
        /// The function that was called, or the type that was asked.
        op: &'static str,
        /// The argument that is compared with the mask.
        name: &'static str,
        /// The first row that differs.
        row: usize,
        /// Its slots there; none where there is no such row.
        got: Option<core::ops::Range<usize>>,
        /// Its slots in the mask.
        want: Option<core::ops::Range<usize>>,
    },
    /// A part of a batch holds more than the batch that it was told of.
    BeyondBatch {
        /// The function that was called, or the type that was asked.
        op: &'static str,
        /// The part's first row.
        first: u64,
        /// What it holds.
        part: Counts,
        /// What the batch holds.
        whole: Counts,
    },
    /// A part of a batch was given where the result is the whole batch's.
    Part {
        /// The function that was called, or the type that was asked.
        op: &'static str,
        /// The part's first row.
        first: u64,
        /// The part's rows.
        rows: usize,
        /// The batch's rows.
        of: u64,
    },
    /// A vocabulary that is empty or too large.
    Vocab {
        /// The function that was called, or the type that was asked.
        op: &'static str,
        /// The number of logits of a row.
        vocab: usize,
        /// The largest there may be.
        most: usize,
    },
    /// Rows of logits would overlap.
    LogitStride {
        /// From one row's start to the next.
        stride: usize,
        /// Logits of a row.
        vocab: usize,
    },
    /// An array has not a row of logits for every slot.
    LogitLength {
        /// The function that was called, or the type that was asked.
        op: &'static str,
        /// The argument.
        name: &'static str,
        /// Its length.
        got: usize,
        /// Slots of the mask.
        slots: usize,
        /// Logits of a row.
        vocab: usize,
        /// From one row's start to the next.
        stride: usize,
    },
    /// A gradient has rows of another length than its logits.
    GradVocab {
        /// The function that was called, or the type that was asked.
        op: &'static str,
        /// The vocabulary of the gradient.
        grad: usize,
        /// The vocabulary of the logits.
        logits: usize,
    },
    /// The action of a valid slot is no token of the vocabulary.
    Action {
        /// The function that was called, or the type that was asked.
        op: &'static str,
        /// The first such slot.
        slot: usize,
        /// Its action.
        action: u32,
        /// The number of logits of a row.
        vocab: usize,
    },
    /// Two temperatures, and the statistics of one.
    StatsOfEntropy {
        /// The function that was called, or the type that was asked.
        op: &'static str,
        /// The temperature of the log-probability.
        tau: f64,
        /// The temperature of the entropy.
        tau_ent: f64,
    },
    /// A shard of a vocabulary begins inside a tile.
    ShardStart {
        /// The index of its first logit.
        start: usize,
    },
    /// Shards of a vocabulary do not meet.
    ShardsApart {
        /// The index after the last logit of the first.
        end: usize,
        /// The index of the first logit of the second.
        start: usize,
    },
    /// Shards of two tokens, or of two temperatures.
    ShardsOfTwo {
        /// Their actions.
        actions: [u32; 2],
        /// Their 1/τ.
        inv_tau: [f32; 2],
    },
    /// A shard was asked for what only the whole vocabulary knows.
    ShardOfAction {
        /// The sampled token.
        action: u32,
        /// The index of the shard's first logit.
        start: usize,
        /// The index after its last one.
        end: usize,
    },
    /// A serialized shard that is none.
    ShardForm {
        /// The index of its first logit.
        start: usize,
        /// The index after its last one.
        end: usize,
        /// Its tiles.
        tiles: usize,
    },
    /// A mean of nothing was asked for.
    Nothing {
        /// The function that was called, or the type that was asked.
        op: &'static str,
        /// What the mask lacks: "valid token" or "row".
        what: &'static str,
    },
}

impl Error {
    /// The same refusal in the name of the function that was called, where one that it calls has noticed.
    pub(crate) fn by(mut self, called: &'static str) -> Error {
        match &mut self {
            Error::NotOn { op, .. }
            | Error::Device { op, .. }
            | Error::Length { op, .. }
            | Error::Setting { op, .. }
            | Error::Missing { op, .. }
            | Error::OtherRows { op, .. }
            | Error::BeyondBatch { op, .. }
            | Error::Part { op, .. }
            | Error::Vocab { op, .. }
            | Error::LogitLength { op, .. }
            | Error::GradVocab { op, .. }
            | Error::Action { op, .. }
            | Error::StatsOfEntropy { op, .. }
            | Error::Nothing { op, .. } => *op = called,
            _ => {}
        }
        self
    }
}

impl std::error::Error for Error {}
