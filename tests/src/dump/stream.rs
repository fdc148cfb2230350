//! A tensor of one file, or of several that are the ranks of one batch: their rows one under the other, narrower ones
//! padded on the right.

use super::{
    BadInput, Tensor,
    error::{bad, plain},
    tensor::{Piece, Widen, number},
};
use std::{
    fs::File,
    sync::{Arc, Mutex},
};

/// The elements of one tensor, from anywhere in it.
#[derive(Debug)]
pub(crate) struct Stream {
    /// As if it were one.
    tensor: Tensor,
    /// Its pieces, one a file.
    pieces: Vec<Piece>,
}

impl Stream {
    /// Of one file.
    pub(crate) fn new(file: &Arc<Mutex<File>>, tensor: &Tensor) -> Stream {
        Stream { tensor: tensor.clone(), pieces: vec![Piece::new(file, tensor)] }
    }

    /// Of several, whose shapes stack up to that of `tensor`.
    pub(super) fn stacked(tensor: &Tensor, pieces: Vec<Piece>) -> Stream {
        Stream { tensor: tensor.clone(), pieces }
    }

    /// The tensor that is read.
    pub(crate) fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// Elements `first..first + count`, each handed to `take` with its index.
    ///
    /// # Errors
    ///
    /// If a file cannot be read there, or `take` refuses.
    pub(crate) fn each<T>(
        &mut self,
        first: usize,
        count: usize,
        of: Widen<T>,
        mut take: impl FnMut(usize, T) -> Result<(), BadInput>,
    ) -> Result<(), BadInput> {
        if let [piece] = self.pieces.as_mut_slice() {
            return piece.each(first, count, of, take);
        }
        let vocab = self.tensor.shape.get(2).copied().unwrap_or(1);
        let width = self.tensor.shape.get(1).copied().unwrap_or(1) * vocab;
        let size = self.tensor.dtype.bitsize() / 8;
        let mut index = first;
        while index < first + count {
            let (mut row, column) = (index / width, index % width);
            let piece = self.pieces.iter_mut().find(|piece| {
                let rows = piece.shape().first().copied().unwrap_or(1);
                let is_here = row < rows;
                row -= if is_here { 0 } else { rows };
                is_here
            });
            let Some(piece) = piece else {
                return Err(bad!("`{}` ended while it was read", plain(&self.tensor.name)));
            };
            let own = piece.shape().get(1).copied().unwrap_or(1) * vocab;
            let here = (width - column).min(first + count - index);
            let there = own.saturating_sub(column).min(here);
            let start = index;
            piece.each(row * own + column.min(own), there, of, |at, x| {
                take(start + at - (row * own + column.min(own)), x)
            })?;
            for pad in there..here {
                take(start + pad, of(&[0; 8][..size]))?;
            }
            index += here;
        }
        Ok(())
    }

    /// Elements `first..first + count` as numbers, in place of what `into` held.
    ///
    /// # Errors
    ///
    /// If the dtype is none of numbers, the elements are not there, or the file cannot be read.
    pub(crate) fn numbers(
        &mut self,
        first: usize,
        count: usize,
        into: &mut Vec<f64>,
    ) -> Result<(), BadInput> {
        if first.checked_add(count).is_none_or(|end| end > self.tensor.len()) {
            let (name, len) = (plain(&self.tensor.name), self.tensor.len());
            return Err(bad!("`{name}` has {len} elements, and {count} from {first} on were asked for"));
        }
        let widen = number(&self.tensor)?;
        into.clear();
        self.each(first, count, widen, |_, x| {
            into.push(x);
            Ok(())
        })
    }
}
