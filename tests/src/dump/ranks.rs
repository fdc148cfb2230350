//! Several files as the ranks of one batch: what they must agree in, and what is each one's own.

use super::{
    BadInput, Dump, Header, Key, Part, Roles, Tensor,
    error::{bad, plain},
    names::{Axes, OUTPUTS},
    shape,
    stream::Stream,
    tensor::Piece,
};
use nalgebra::DMatrix;
use reference::Mask;
use std::{ops::Range, path::Path, sync::Arc};

impl Dump {
    /// Opens files as the ranks of one batch, in this order: rows one under the other, narrower ones padded on the right
    /// with masked slots. A scalar that is equal in all of them is the batch's, and else each rank's own.
    ///
    /// # Errors
    ///
    /// As [`Dump::open`] for each of them; if they do not hold the same tensors, or their settings differ.
    pub fn open_ranks<P: AsRef<Path>>(paths: &[P]) -> Result<Dump, BadInput> {
        let name = |path: &P| plain(&path.as_ref().display().to_string());
        let open = |path| Dump::open(path).map_err(|err| bad!("{}: {err}", name(path)));
        let dumps: Vec<Dump> = paths.iter().map(open).collect::<Result<_, _>>()?;
        let Some((first, others)) = dumps.split_first() else { return Err(bad!("no file was named")) };
        if others.is_empty() {
            return Ok(first.clone());
        }
        for (dump, path) in others.iter().zip(&paths[1..]) {
            first.refuse_other(dump).map_err(|err| bad!("{} and {}: {err}", name(&paths[0]), name(path)))?;
        }
        first.stacked_with(&dumps)
    }

    /// What two ranks must agree in.
    fn refuse_other(&self, other: &Dump) -> Result<(), BadInput> {
        for (one, two) in [(self, other), (other, self)] {
            let own = |tensor: &&Tensor| !one.roles.unknown.contains(&plain(&tensor.name));
            for tensor in one.header.tensors.iter().filter(own) {
                let Some(there) = two.header.tensors.iter().find(|there| there.name == tensor.name) else {
                    return Err(bad!("`{}` is in one of them alone", plain(&tensor.name)));
                };
                let (name, [a, b]) = (plain(&tensor.name), [tensor, there].map(|of| (of.dtype, &of.shape)));
                if a.0 != b.0 {
                    return Err(bad!("`{name}` has dtype {:?} in one and {:?} in the other", a.0, b.0));
                }
                if a.1.len() != b.1.len() || a.1.get(2) != b.1.get(2) {
                    return Err(bad!("`{name}` has shape {:?} in one and {:?} in the other", a.1, b.1));
                }
            }
        }
        let known = |dump: &Dump| -> Vec<(String, String)> {
            let known = dump.header.metadata.iter().filter(|(key, _)| Key::find(key).is_some());
            known.map(|(key, value)| (key.clone(), value.trim().to_owned())).collect()
        };
        let (one, two) = (known(self), known(other));
        let differs =
            one.iter().find(|of| !two.contains(of)).or_else(|| two.iter().find(|of| !one.contains(of)));
        match differs {
            None => Ok(()),
            Some((key, value)) => {
                let (key, value) = (plain(key), plain(value));
                Err(bad!(
                    "the metadata has `{key}` = {value} in one of them alone, and ranks have one setting"
                ))
            }
        }
    }

    fn stacked_with(&self, dumps: &[Dump]) -> Result<Dump, BadInput> {
        let mut apart = Vec::new();
        for row in OUTPUTS.iter().filter(|row| row.axes == Axes::Scalar) {
            let own = self.output_scalar(row.name)?;
            for dump in dumps {
                let same = match (own, dump.output_scalar(row.name)?) {
                    (Some(a), Some(b)) => a == b || (a.is_nan() && b.is_nan()),
                    (a, b) => a == b,
                };
                if !same && !apart.contains(&row.name) {
                    apart.push(row.name);
                }
            }
        }
        let t_len = dumps.iter().map(|dump| dump.shape.t_len).max().unwrap_or(0);
        let is_apart = |tensor: &&Tensor| {
            let of = self.roles.outputs.iter().find(|(_, name)| **name == tensor.name);
            !of.is_some_and(|(name, _)| apart.contains(name))
                && !self.roles.unknown.contains(&plain(&tensor.name))
        };
        let stack = |tensor: &Tensor| -> Result<Tensor, BadInput> {
            let mut shape = tensor.shape.clone();
            if let (Some(rows), true) = (shape.first_mut(), tensor.shape != [1] || !self.is_scalar(tensor)) {
                let all = dumps.iter().map(|dump| dump.shape.b).try_fold(0usize, usize::checked_add);
                *rows = all.ok_or_else(|| bad!("the files have more rows than can be counted"))?;
            }
            if let Some(width) = shape.get_mut(1) {
                *width = t_len;
            }
            let elements = shape.iter().try_fold(tensor.dtype.bitsize(), |all, axis| all.checked_mul(*axis));
            elements.ok_or_else(|| bad!("`{}` is too large in all", plain(&tensor.name)))?;
            Ok(Tensor { shape, ..tensor.clone() })
        };
        let tensors =
            self.header.tensors.iter().filter(is_apart).map(stack).collect::<Result<Vec<_>, _>>()?;
        let header = Header { tensors, metadata: self.header.metadata.clone() };
        let roles = Roles::of(header.tensors.iter().map(|tensor| tensor.name.as_str()))?;
        let shape = shape::check(&header, &roles)?;
        let parts = dumps.iter().flat_map(|dump| dump.parts.iter().cloned()).collect();
        Ok(Dump { parts: Arc::new(parts), header, roles, shape, apart })
    }

    fn is_scalar(&self, tensor: &Tensor) -> bool {
        let of = |row: &&super::Row| self.roles.outputs.get(row.name) == Some(&tensor.name);
        OUTPUTS.iter().find(of).is_some_and(|row| row.axes == Axes::Scalar)
    }

    /// The rows of each rank; one range where there is one file.
    pub fn ranks(&self) -> Vec<Range<usize>> {
        let mut from = 0;
        let of = |part: &Part| {
            from += part.shape.b;
            from - part.shape.b..from
        };
        self.parts.iter().map(of).collect()
    }

    /// One rank alone.
    pub fn rank(&self, rank: usize) -> Option<Dump> {
        let part = self.parts.get(rank)?;
        let roles = Roles::of(part.header.tensors.iter().map(|tensor| tensor.name.as_str())).ok()?;
        let (header, shape) = (part.header.clone(), part.shape.clone());
        Some(Dump { parts: Arc::new(vec![part.clone()]), header, roles, shape, apart: Vec::new() })
    }

    /// Scalars that are each rank's own, by canonical name.
    pub fn apart(&self) -> &[&'static str] {
        &self.apart
    }

    /// Every slot that stands in a file; what a narrower rank is padded with does not.
    pub(super) fn every_slot(&self) -> Mask {
        let ranks = self.ranks();
        let is_there = |row: usize, t: usize| {
            let rank = ranks.iter().position(|rows| rows.contains(&row));
            rank.is_some_and(|rank| t < self.parts[rank].shape.t_len)
        };
        Mask::new(DMatrix::from_fn(self.shape.b, self.shape.t_len, is_there))
    }

    /// A tensor, in every file.
    pub(super) fn stream_of(&self, tensor: &Tensor) -> Stream {
        let piece = |part: &Part| {
            let own = part.header.tensors.iter().find(|own| own.name == tensor.name);
            own.map(|own| Piece::new(&part.file, own))
        };
        Stream::stacked(tensor, self.parts.iter().filter_map(piece).collect())
    }
}
