//! The sentence for each: the argument's name, and the numbers.

use super::Error;
use core::fmt;

/// A number as one would write it: 0.2, -1, 1e-60.
fn plain(x: f64) -> String {
    let size = x.abs();
    let far = size.is_finite() && size != 0.0 && !(1e-4..1e16).contains(&size);
    if far { format!("{x:e}") } else { x.to_string() }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::AbsentBackend { name, why, available } => {
                write!(f, "backend: `{name}` is absent")?;
                if let Some(why) = why {
                    write!(f, " ({why})")?;
                }
                write!(f, "; this machine has {}", available.join(", "))
            }
            Error::NotOn { op, backend } => write!(f, "{op}: not on {backend} yet"),
            Error::Device { op, backend, said } => write!(f, "{op}: {backend}: {said}"),
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
                write!(f, "{op}: `{name}` is {} and must {must} (in f32)", plain(*value))
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
            Error::BeyondBatch { op, first, part, whole } => write!(
                f,
                "{op}: `mask` holds {} rows from row {first}, {} of them with {} tokens, of a batch of {} rows, {} of \
                 them with {} tokens",
                part.rows,
                part.rows_with_tokens,
                part.tokens,
                whole.rows,
                whole.rows_with_tokens,
                whole.tokens
            ),
            Error::Part { op, first, rows, of } => write!(
                f,
                "{op}: `mask` holds {rows} rows from row {first} of a batch of {of}: sum the parts and merge them"
            ),
            Error::Vocab { op, vocab, most } => {
                write!(f, "{op}: the vocabulary has {vocab} logits and must have 1 to {most}")
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
