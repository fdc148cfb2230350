//! A work's arrays: read from files, written to files, row-major and little-endian.

use crate::{
    terms::{Numbers, Term},
    tokens::Rows,
};
use half::bf16;
use ppo_benches::ceiling::{self, Store};
use serde_json::{Value, json};
use std::{fs, io, path::Path};

/// What the large arrays of a work hold.
pub(crate) trait Element: ceiling::Element {
    /// How its files end.
    const SUFFIX: &'static str;
    /// From a file's bytes.
    fn parse(bytes: &[u8]) -> Vec<Self>;
    /// To a file's bytes.
    fn bytes(all: &[Self]) -> Vec<u8>;
}

impl Element for f32 {
    const SUFFIX: &'static str = "f32";

    fn parse(bytes: &[u8]) -> Vec<f32> {
        bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
    }

    fn bytes(all: &[f32]) -> Vec<u8> {
        all.iter().flat_map(|x| x.to_le_bytes()).collect()
    }
}

impl Element for bf16 {
    const SUFFIX: &'static str = "bf16";

    fn parse(bytes: &[u8]) -> Vec<bf16> {
        bytes.as_chunks::<2>().0.iter().map(|two| bf16::from_le_bytes(*two)).collect()
    }

    fn bytes(all: &[bf16]) -> Vec<u8> {
        all.iter().flat_map(|x| x.to_le_bytes()).collect()
    }
}

/// The arrays of a work.
pub(crate) struct Arrays<T> {
    /// The large inputs, in the order of [`Term::reads`].
    pub(crate) reads: Vec<Vec<T>>,
    /// The large outputs, in the order of [`Term::writes`].
    pub(crate) writes: Vec<Vec<T>>,
    /// Which slots hold a token, where the work has a mask.
    pub(crate) mask: Vec<bool>,
    /// What there is of each row, where the work has logits.
    pub(crate) rows: Rows,
    /// Rows and columns.
    pub(crate) size: (usize, usize),
}

impl<T: Element> Arrays<T> {
    /// Reads the inputs, and makes room for the outputs.
    pub(crate) fn read(folder: &Path, term: &Term, size: (usize, usize)) -> io::Result<Arrays<T>> {
        let whole = size.0 * size.1;
        let large = |name: &&str| -> io::Result<Vec<T>> {
            let x = T::parse(&fs::read(folder.join(format!("{name}.{}", T::SUFFIX)))?);
            assert_eq!(x.len(), whole, "{name} has another size");
            Ok(x)
        };
        let (mask, rows) = if term.masked {
            (fs::read(folder.join("mask.bool"))?, Rows::default())
        } else {
            (vec![1; size.0], Rows::read(folder)?)
        };
        Ok(Arrays {
            reads: term.reads.iter().map(large).collect::<io::Result<_>>()?,
            writes: term.writes.iter().map(|_| vec![T::NAN; whole]).collect(),
            mask: mask.into_iter().map(|byte| byte != 0).collect(),
            rows,
            size,
        })
    }

    /// The ceilings of the work: streams, way to store, bytes.
    pub(crate) fn ceilings(&self) -> Vec<Value> {
        let array = size_of::<T>() * self.size.0 * self.size.1;
        let (reads, writes) = (self.reads.len(), self.writes.len());
        let copies = Store::ALL
            .map(|store| json!([format!("copy_{reads}_{writes}"), store.name(), (reads + writes) * array]));
        let read = (reads == 1).then(|| json!(["read", "sum", array]));
        read.into_iter().chain(copies).collect()
    }

    /// Copies its inputs to its outputs.
    pub(crate) fn copy(&mut self, store: Store) {
        let reads: Vec<&[T]> = self.reads.iter().map(Vec::as_slice).collect();
        let mut writes: Vec<&mut [T]> = self.writes.iter_mut().map(Vec::as_mut_slice).collect();
        ceiling::copy(&reads, &mut writes, store);
    }

    /// Fills the outputs with NaN, so that nothing written before can pass for an answer.
    pub(crate) fn forget(&mut self) {
        for x in &mut self.writes {
            x.fill(T::NAN);
        }
        self.rows.forget();
    }

    /// Writes what a phase computed; the files' names.
    pub(crate) fn write(
        &self,
        folder: &Path,
        term: &Term,
        phase: &str,
        numbers: &Numbers,
    ) -> io::Result<Vec<String>> {
        let has_large = !["forward", "free"].contains(&phase);
        let has_rows = !term.masked && phase != "grad";
        let large = term.writes.iter().zip(&self.writes).filter(|_| has_large);
        let large = large.map(|(name, x)| (format!("out_{name}.{}", T::SUFFIX), T::bytes(x)));
        let rows = [("logp", &self.rows.logp[..]), ("ent", &self.rows.ent)];
        let numbers = numbers.iter().map(|(name, x)| (*name, std::slice::from_ref(x)));
        let small = rows.into_iter().filter(|_| has_rows).chain(numbers);
        let small = small.map(|(name, x)| (format!("out_{name}.f32"), f32::bytes(x)));
        let mut names = Vec::new();
        for (name, bytes) in large.chain(small) {
            fs::write(folder.join(&name), bytes)?;
            names.push(name);
        }
        Ok(names)
    }
}
