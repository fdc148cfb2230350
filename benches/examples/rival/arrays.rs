//! A work's arrays: read from files, written to files, row-major and little-endian.

use crate::{
    terms::{Numbers, Term},
    tokens::Rows,
};
use half::bf16;
use optimized::Logit;
use std::{fs, io, ops::Add, path::Path};

/// What the large arrays of a work hold.
pub(crate) trait Element: Logit + Add<Output = Self> {
    /// How its files end.
    const SUFFIX: &'static str;
    /// What an output holds before it is computed.
    const NAN: Self;
    /// From a file's bytes.
    fn parse(bytes: &[u8]) -> Vec<Self>;
    /// To a file's bytes.
    fn bytes(all: &[Self]) -> Vec<u8>;
    /// The sum of a block, in whatever order and number format reads it fastest.
    fn sum(block: &[Self]) -> f32;
}

impl Element for f32 {
    const SUFFIX: &'static str = "f32";
    const NAN: f32 = f32::NAN;

    fn parse(bytes: &[u8]) -> Vec<f32> {
        bytes.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four)).collect()
    }

    fn bytes(all: &[f32]) -> Vec<u8> {
        all.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    #[inline(always)]
    fn sum(block: &[f32]) -> f32 {
        let mut lanes = [0.0; 64];
        let (blocks, rest) = block.as_chunks::<64>();
        for x in blocks {
            for (lane, x) in lanes.iter_mut().zip(x) {
                *lane += x;
            }
        }
        lanes.iter().chain(rest).sum()
    }
}

impl Element for bf16 {
    const SUFFIX: &'static str = "bf16";
    const NAN: bf16 = bf16::NAN;

    fn parse(bytes: &[u8]) -> Vec<bf16> {
        bytes.as_chunks::<2>().0.iter().map(|two| bf16::from_le_bytes(*two)).collect()
    }

    fn bytes(all: &[bf16]) -> Vec<u8> {
        all.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    /// Of the bits as integers: no cheaper arithmetic reads every byte.
    #[inline(always)]
    fn sum(block: &[bf16]) -> f32 {
        let mut lanes = [0u16; 128];
        let (blocks, rest) = block.as_chunks::<128>();
        for x in blocks {
            for (lane, x) in lanes.iter_mut().zip(x) {
                *lane = lane.wrapping_add(x.to_bits());
            }
        }
        let rest = rest.iter().map(|x| x.to_bits());
        f32::from(lanes.into_iter().chain(rest).fold(0, u16::wrapping_add))
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
