//! The sums and counts of a batch on a device: where they stand in a caller's scratch, and the tree over the rows.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use super::{Address, Batch, Plain, Rows, Stream, batch::WARPS};
use crate::{Error, Sum, aggregate::Divisors, sum};

/// `RowSums` of `sum/kernel.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct RowSums {
    rows: Rows,
    tiles: Address<f32>,
    sums: Address<f32>,
    mean: u32,
}

/// `Tree` of `sum/kernel.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Tree {
    rows: Address<f32>,
    nodes: Address<f32>,
    out: Address<f32>,
    by: f32,
    then: f32,
    factor: f32,
    count: u32,
}

/// `Count` of `sum/kernel.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Count {
    tiles: Address<u32>,
    total: Address<u32>,
    out: Address<f32>,
    by: f32,
    n: u32,
}

/// `Totals` of `sum/kernel.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Totals {
    first_row: u64,
    b: u32,
    trees: u32,
    tree: [Tree; 2],
    count: [Count; 2],
}

// SAFETY: numbers and addresses.
unsafe impl Plain for RowSums {}
// SAFETY: numbers and addresses.
unsafe impl Plain for Totals {}

/// What becomes of the tree over the rows.
#[derive(Clone, Copy)]
pub(crate) struct By {
    divisors: [f32; 2],
    factor: f32,
    mean: bool,
    out: Address<f32>,
}

impl By {
    /// The aggregate of a mode, times a factor, to `out`; nowhere if that is no place.
    pub(crate) fn mode(divisors: &Divisors, factor: f32, out: Address<f32>) -> By {
        By { divisors: divisors.all(), factor, mean: divisors.by_row().is_some(), out }
    }

    /// The sum over n.
    pub(crate) fn count(n: f32, out: Address<f32>) -> By {
        By { divisors: [n, 1.0], factor: 1.0, mean: false, out }
    }
}

/// More nodes a part of a batch never has: two a level.
const NODES: usize = 2 * 32;

/// Places in a scratch: those of two sums and two counts.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    /// What a kernel leaves of each tile.
    pub(crate) sums: [Address<f32>; 2],
    pub(crate) counts: [Address<u32>; 2],
    rows: [Address<f32>; 2],
    nodes: [Address<f32>; 2],
    totals: [Address<u32>; 2],
}

impl Work {
    /// How many numbers they take.
    pub(super) fn len(tiles: usize, b: usize) -> usize {
        2 * (2 * tiles + b + NODES + 1)
    }

    pub(super) fn new(scratch: Address<f32>, tiles: usize, b: usize) -> Work {
        let two = |from: usize, each: usize| [scratch.at(from), scratch.at(from + each)];
        let (rows, nodes) = (4 * tiles, 4 * tiles + 2 * b);
        let counts = two(2 * tiles, tiles).map(|at: Address<f32>| at.at(0));
        let totals = two(nodes + 2 * NODES, 1).map(|at: Address<f32>| at.at(0));
        Work { sums: two(0, tiles), counts, rows: two(rows, b), nodes: two(nodes, NODES), totals }
    }
}

impl Batch<'_> {
    /// Sums what kernels left of each tile, on the device; each count is shared out among `tokens`.
    pub(crate) fn total(
        &self,
        on: &Stream,
        work: &Work,
        sums: &[By],
        counts: &[Address<f32>],
        tokens: f32,
    ) -> Result<(), Error> {
        for (by, (tiles, rows)) in sums.iter().zip(work.sums.iter().zip(work.rows)) {
            let args = RowSums { rows: self.rows(), tiles: *tiles, sums: rows, mean: by.mean.into() };
            on.launch(("sum", "row_sums"), self.mask().b().div_ceil(WARPS), &args)?;
        }
        let nodes = sum::largest_nodes(self.mask().first_row(), self.mask().b() as u64).len() as u32;
        let tree = |i: usize| {
            let by = sums.get(i).copied().unwrap_or(By::count(1.0, Address::NONE));
            let [then_by, then] = by.divisors;
            let (rows, nodes_at) = (work.rows[i], work.nodes[i]);
            Tree { rows, nodes: nodes_at, out: by.out, by: then_by, then, factor: by.factor, count: nodes }
        };
        let count = |i: usize| Count {
            tiles: work.counts[i],
            total: work.totals[i],
            out: counts.get(i).copied().unwrap_or(Address::NONE),
            by: tokens,
            n: self.tiles() as u32,
        };
        let args = Totals {
            first_row: self.mask().first_row(),
            b: self.mask().b() as u32,
            trees: sums.len() as u32,
            tree: [tree(0), tree(1)],
            count: [count(0), count(1)],
        };
        on.launch(("sum", "totals"), sums.len() + counts.len(), &args)
    }

    /// A sum that was totalled, brought to the host.
    pub(crate) fn sum(&self, on: &Stream, work: &Work, which: usize) -> Result<Sum, Error> {
        let (first, b) = (self.mask().first_row(), self.mask().b() as u64);
        let values = on.fetch(work.nodes[which], sum::largest_nodes(first, b).len())?;
        Ok(Sum::of_nodes(first, b, values))
    }

    /// A count that was totalled.
    pub(crate) fn count(&self, on: &Stream, work: &Work, which: usize) -> Result<u64, Error> {
        let count = on.fetch(work.totals[which], 1)?;
        Ok(count.into_iter().map(u64::from).sum())
    }
}
