//! Everything that can be wrong with a call, one line each.

use core::fmt;

/// Why a call was refused. Nothing was computed or written.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A backend that this machine does not have was asked for.
    AbsentBackend {
        /// What was asked for.
        name: String,
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
        /// The term that was called.
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
        /// The term that was called.
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
        /// The term that was called.
        op: &'static str,
        /// The argument.
        name: &'static str,
        /// What needs it.
        needs: &'static str,
    },
    /// Two masks have not the same rows.
    OtherRows {
        /// The term that was called.
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
    /// A part of a batch was given where the result is the whole batch's.
    Part {
        /// The term that was called.
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
        /// The term that was called.
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
        /// The term that was called.
        op: &'static str,
        /// The vocabulary of the gradient.
        grad: usize,
        /// The vocabulary of the logits.
        logits: usize,
    },
    /// The action of a valid slot is no token of the vocabulary.
    Action {
        /// The term that was called.
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
        /// The term that was called.
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
        /// The term that was called.
        op: &'static str,
        /// What the mask lacks: "valid token" or "row".
        what: &'static str,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::AbsentBackend { name, available } => {
                write!(f, "backend: `{name}` is absent; this machine has {}", available.join(", "))
            }
            Error::UnknownBackend { name, names } => {
                write!(f, "backend: `{name}` is not one of {}", names.join(", "))
            }
            Error::Stride { stride, t_len } => {
                write!(f, "mask: `stride` is {stride} and rows have {t_len} slots")
            }
            Error::MaskLength { got, b, t_len, stride } => {
                let need = if *b == 0 { 0 } else { (*b as u128 - 1) * *stride as u128 + *t_len as u128 };
                write!(f, "mask: {got} slots, and {b} rows of {t_len} that begin {stride} apart need {need}")
            }
            Error::OffsetEnds { first: Some(first), last: Some(last), slots } => write!(
                f,
                "mask: `offsets` go from {first} to {last} and must go from 0 to {slots}, the number of slots"
            ),
            Error::OffsetEnds { .. } => f.write_str("mask: `offsets` is empty and must begin with 0"),
            Error::OffsetOrder { row, at, before } => {
                write!(f, "mask: `offsets[{row}]` is {at} and the one before it {before}")
            }
            Error::Length { op, name, got, want, one_per } => {
                write!(f, "{op}: `{name}` has {got} elements and must have {want}, one per {one_per}")
            }
            Error::Setting { op, name, value, must } => {
                write!(f, "{op}: `{name}` is {value} and must {must} (in f32)")
            }
            Error::Missing { op, name, needs } => {
                write!(f, "{op}: `{name}` is missing and {needs} needs it")
            }
            Error::OtherRows { op, name, row, got, want } => {
                let say = |slots: &Option<core::ops::Range<usize>>| {
                    slots.as_ref().map_or("absent".to_owned(), |slots| format!("{slots:?}"))
                };
                write!(f, "{op}: row {row} of `{name}` is {} and of `mask` {}", say(got), say(want))
            }
            Error::Part { op, first, rows, of } => write!(
                f,
                "{op}: `mask` holds {rows} rows from row {first} of a batch of {of}: sum the parts and merge them"
            ),
            Error::Vocab { vocab, most } => {
                write!(f, "logits: a vocabulary of {vocab} and must be 1 to {most}")
            }
            Error::LogitStride { stride, vocab } => {
                write!(f, "logits: `stride` is {stride} and rows have {vocab} logits")
            }
            Error::LogitLength { op, name, got, slots, vocab, stride } => {
                let need =
                    if *slots == 0 { 0 } else { (*slots as u128 - 1) * *stride as u128 + *vocab as u128 };
                write!(
                    f,
                    "{op}: `{name}` has {got} elements, and {slots} slots with rows of {vocab} that begin {stride} apart need {need}"
                )
            }
            Error::GradVocab { op, grad, logits } => {
                write!(f, "{op}: `grad` has a vocabulary of {grad} and `logits` one of {logits}")
            }
            Error::Action { op, slot, action, vocab } => {
                write!(f, "{op}: `actions[{slot}]` is {action} and must be below the vocabulary of {vocab}")
            }
            Error::StatsOfEntropy { op, tau, tau_ent } => write!(
                f,
                "{op}: `stats.of_ent` is absent and needed, since `tau` is {tau} and `tau_ent` {tau_ent}"
            ),
            Error::ShardStart { start } => {
                write!(
                    f,
                    "log_sum_exp: a shard begins with logit {start} and must begin at a multiple of 2048"
                )
            }
            Error::ShardsApart { end, start } => write!(
                f,
                "log_sum_exp: one shard ends before logit {end} and the next begins with logit {start}"
            ),
            Error::ShardsOfTwo { actions: [a, b], inv_tau: [p, q] } => write!(
                f,
                "log_sum_exp: one shard is of action {a} with 1/τ {p}, the next of action {b} with 1/τ {q}"
            ),
            Error::ShardOfAction { action, start, end } => write!(
                f,
                "log_sum_exp: logits {start} to {end} are not the whole vocabulary that action {action} is in"
            ),
            Error::ShardForm { start, end, tiles } => write!(
                f,
                "log_sum_exp: a serialized shard of logits {start} to {end} with {tiles} tiles does not fit together"
            ),
            Error::Nothing { op, what } => write!(f, "{op}: `mask` has no {what} to take a mean over"),
        }
    }
}

impl std::error::Error for Error {}
