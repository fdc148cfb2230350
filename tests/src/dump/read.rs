//! One input by its role: read, widened, and checked where the mask says that it is read.

use super::{
    BadInput, Dump, Logits, Rows, Tensor,
    error::{bad, plain},
    stream::Stream,
    tensor,
};
use nalgebra::{DMatrix, DVector};
use reference::{Mask, Settings};

impl Dump {
    /// The tensor that fills a row of the inputs.
    pub(crate) fn input(&self, name: &str) -> Option<&Tensor> {
        let name = self.roles().inputs.get(name)?;
        self.header().tensors.iter().find(|tensor| tensor.name == *name)
    }

    /// Whether an input is there.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.roles().inputs.contains_key(name)
    }

    /// Whether the step computes advantages: token rewards and V_old are there.
    pub(crate) fn computes_gae(&self) -> bool {
        self.has("old_values") && (self.has("scores") || self.has("rewards"))
    }

    /// The name an input has in the file, for a sentence; its canonical one where it is absent.
    pub(crate) fn name_of(&self, name: &str) -> String {
        plain(self.roles().inputs.get(name).map_or(name, String::as_str))
    }

    fn stream(&self, name: &str) -> Option<Stream> {
        Some(self.stream_of(self.input(name)?))
    }

    /// Flags of which every one is read.
    pub(super) fn mask(&self, name: &str) -> Result<Option<Mask>, BadInput> {
        let full = Mask::full(self.shape().b, self.shape().t_len);
        Ok(self.flags(name, &full)?.map(Mask::new))
    }

    /// (B, L) flags: false in masked slots, whatever stands there.
    pub(super) fn flags(&self, name: &str, mask: &Mask) -> Result<Option<DMatrix<bool>>, BadInput> {
        self.flags_where(name, |slot| mask.has(slot))
    }

    /// (B) flags of the rows that hold a token.
    pub(super) fn row_flags(&self, name: &str, mask: &Mask) -> Result<Option<DVector<bool>>, BadInput> {
        let flags = self.flags_where(name, |(row, _)| mask.end(row) > 0)?;
        Ok(flags.map(|flags| flags.column(0).into_owned()))
    }

    fn flags_where(
        &self,
        name: &str,
        read: impl Fn((usize, usize)) -> bool,
    ) -> Result<Option<DMatrix<bool>>, BadInput> {
        let Some(mut stream) = self.stream(name) else { return Ok(None) };
        let of = tensor::flag(stream.tensor())?;
        let place = self.place(name);
        let take = |slot, flag| match flag {
            Some(flag) => Ok(flag && read(slot)),
            None if !read(slot) => Ok(false),
            None => Err(bad!("{} is neither 0 nor 1", place(slot))),
        };
        tensor::matrix(&mut stream, false, of, take).map(Some)
    }

    /// (B, L) numbers, finite wherever the mask is; 0 in masked slots, whatever stands there.
    pub(super) fn finite(&self, name: &str, mask: &Mask) -> Result<Option<DMatrix<f64>>, BadInput> {
        self.finite_where(name, |slot| mask.has(slot))
    }

    /// Numbers, finite wherever they are read; 0 elsewhere. (B) makes a column.
    pub(super) fn finite_where(
        &self,
        name: &str,
        read: impl Fn((usize, usize)) -> bool,
    ) -> Result<Option<DMatrix<f64>>, BadInput> {
        let Some(mut stream) = self.stream(name) else { return Ok(None) };
        let of = tensor::number(stream.tensor())?;
        let place = self.place(name);
        let take = |slot, x: f64| match x {
            _ if !read(slot) => Ok(0.0),
            x if x.is_finite() => Ok(x),
            x => Err(bad!("{} is {x}, and an input must be finite where it is read", place(slot))),
        };
        tensor::matrix(&mut stream, 0.0, of, take).map(Some)
    }

    /// Scores: b × 1 or b × t_len, finite where a token is paid.
    pub(super) fn scores(&self, mask: &Mask, settings: &Settings) -> Result<Option<DMatrix<f64>>, BadInput> {
        match self.input("scores") {
            Some(scores) if scores.shape.len() == 2 => self.finite("scores", mask),
            // Score t is paid at token t of every row.
            Some(_) if settings.listing.score_broadcast => {
                let b = self.shape().b;
                self.finite_where("scores", |(t, _)| (0..b).any(|row| mask.has((row, t))))
            }
            _ => self.finite_where("scores", |(row, _)| mask.end(row) > 0),
        }
    }

    /// Token ids, below V in valid slots if there are logits; 0 in masked ones, whatever stands there.
    pub(super) fn actions(&self, mask: &Mask) -> Result<Option<DMatrix<usize>>, BadInput> {
        let Some(mut stream) = self.stream("actions") else { return Ok(None) };
        let of = tensor::id(stream.tensor())?;
        let place = self.place("actions");
        let vocab = self.shape().vocab.unwrap_or(usize::MAX);
        let take = |slot, id: i64| match usize::try_from(id) {
            _ if !mask.has(slot) => Ok(0),
            Ok(id) if id < vocab => Ok(id),
            Ok(id) => Err(bad!("{} is {id}, and `logits` has a vocabulary of {vocab}", place(slot))),
            Err(_) => Err(bad!("{} is {id}, and a token id is not negative", place(slot))),
        };
        tensor::matrix(&mut stream, 0, of, take).map(Some)
    }

    /// Token ids of every slot as they stand, masked ones too; none where they cannot be read.
    pub(crate) fn every_action(&self) -> Option<DMatrix<i64>> {
        let mut stream = self.stream("actions")?;
        let of = tensor::id(stream.tensor()).ok()?;
        tensor::matrix(&mut stream, 0, of, |_, id: i64| Ok(id)).ok()
    }

    /// The logits, to be read row by row.
    pub(crate) fn logits(&self) -> Option<Logits> {
        Some(Logits::new(Rows::new(self.stream("logits")?)))
    }

    /// How a sentence says a slot of an input.
    fn place(&self, name: &str) -> impl Fn((usize, usize)) -> String + use<> {
        let by_row = self.input(name).is_some_and(|tensor| tensor.shape.len() == 1);
        let name = self.name_of(name);
        move |(row, t)| match by_row {
            true => format!("`{name}` row {row}"),
            false => format!("`{name}` row {row}, token {t}"),
        }
    }
}
