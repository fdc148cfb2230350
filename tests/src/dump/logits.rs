//! Logits, one token at a time.

use super::{
    BadInput,
    error::{bad, plain},
    stream::Stream,
};

/// A (B, L, V) tensor of the file, read row by row: one token's V numbers, in any order of tokens; in the
/// order of the file each byte is read once.
#[derive(Debug)]
pub struct Rows {
    stream: Stream,
    t_len: usize,
    vocab: usize,
}

impl Rows {
    /// Of a tensor whose three axes have been checked.
    pub(crate) fn new(stream: Stream) -> Rows {
        let axis = |axis: usize| stream.tensor().shape.get(axis).copied().unwrap_or(1);
        let (t_len, vocab) = (axis(1), axis(2));
        Rows { stream, t_len, vocab }
    }

    /// V.
    pub fn vocab(&self) -> usize {
        self.vocab
    }

    /// The V numbers of a slot as they stand, in place of what `into` held.
    ///
    /// # Errors
    ///
    /// If the slot is not there or the file cannot be read.
    pub fn row(&mut self, (row, t): (usize, usize), into: &mut Vec<f64>) -> Result<(), BadInput> {
        if t >= self.t_len {
            let name = plain(&self.stream.tensor().name);
            return Err(bad!("`{name}` has {} tokens a row, and token {t} was asked for", self.t_len));
        }
        let first =
            row.checked_mul(self.t_len).and_then(|slots| slots.checked_add(t)?.checked_mul(self.vocab));
        self.stream.numbers(first.unwrap_or(usize::MAX), self.vocab, into)
    }
}

/// The logits of a file, checked as they are read.
#[derive(Debug)]
pub struct Logits(Rows);

impl Logits {
    pub(crate) fn new(rows: Rows) -> Logits {
        Logits(rows)
    }

    /// V.
    pub fn vocab(&self) -> usize {
        self.0.vocab
    }

    /// The V logits of a valid slot, in place of what `into` held. −∞ forbids a token; the sampled one, where
    /// there is one, cannot be forbidden, nor all of them.
    ///
    /// # Errors
    ///
    /// A NaN, a +∞, a forbidden `action`, a row of −∞, or a file that cannot be read.
    pub fn row(
        &mut self,
        slot: (usize, usize),
        action: Option<usize>,
        into: &mut Vec<f64>,
    ) -> Result<(), BadInput> {
        self.0.row(slot, into)?;
        let name = || format!("`{}` row {}, token {}", plain(&self.0.stream.tensor().name), slot.0, slot.1);
        if let Some(v) = into.iter().position(|z| z.is_nan() || *z == f64::INFINITY) {
            return Err(bad!("{}: the logit of {v} is {}", name(), into[v]));
        }
        if into.iter().all(|z| *z == f64::NEG_INFINITY) {
            return Err(bad!("{}: every logit is -inf", name()));
        }
        match action.map(|action| (action, into.get(action))) {
            None => Ok(()),
            Some((action, None)) => Err(bad!("{}: token {action} is not below V = {}", name(), into.len())),
            Some((action, Some(z))) if *z == f64::NEG_INFINITY => {
                Err(bad!("{}: the logit of the sampled token {action} is -inf", name()))
            }
            Some(_) => Ok(()),
        }
    }
}
