//! A batch on a device: where its tokens are, its operands, and the sums over its tiles.

use super::{Address, Buffer, Device, Plain};
use crate::{Error, Mask, Sum, aggregate::Divisors, lanes::TILE};

/// `Rows` of `lanes.cuh`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Rows {
    valid: Address<u8>,
    start: Address<u64>,
    length: Address<u32>,
    end: Address<u32>,
    tokens: Address<u32>,
    first_tile: Address<u32>,
    b: u32,
    tiles: u32,
    alike: u32,
}

/// `Weight` of `lanes.cuh`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Weight {
    each: f32,
    sequences: f32,
    c: f32,
    half: f32,
    by_row: u32,
}

impl Weight {
    /// What the slopes of a row are multiplied by, for a term with coefficient `c` and a factor in front of it.
    pub(crate) fn new(divisors: &Divisors, c: f32, half: f32) -> Weight {
        let sequences = divisors.by_row();
        Weight {
            each: divisors.weight(1),
            sequences: sequences.unwrap_or(1.0),
            c,
            half,
            by_row: u32::from(sequences.is_some()),
        }
    }
}

/// `RowSums` of `sum/kernel.cu`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct RowSums {
    rows: Rows,
    tiles: Address<f32>,
    sums: Address<f32>,
    mean: u32,
}

/// Warps of a block that has a tile each, or a row each.
const WARPS: usize = 4;

/// The tokens of a mask on a device.
pub(crate) struct Batch<'a> {
    pub(crate) device: Device,
    mask: &'a Mask<'a>,
    valid: Buffer<u8>,
    start: Buffer<u64>,
    length: Buffer<u32>,
    end: Buffer<u32>,
    tokens: Buffer<u32>,
    first_tile: Buffer<u32>,
    tiles: usize,
    /// Tiles of every row; 0 where they differ.
    alike: u32,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(device: Device, mask: &'a Mask<'a>) -> Result<Batch<'a>, Error> {
        let too_many = |_| device.error(format!("a mask of {} slots is more than 2³²", mask.valid().len()));
        u32::try_from(mask.valid().len().max(mask.b())).map_err(too_many)?;
        let rows = || (0..mask.b()).map(|row| mask.row(row));
        let valid: Vec<u8> = mask.valid().iter().map(|valid| u8::from(*valid)).collect();
        let start: Vec<u64> = rows().map(|slots| slots.start as u64).collect();
        let length: Vec<u32> = rows().map(|slots| slots.len() as u32).collect();
        let end: Vec<u32> = (0..mask.b()).map(|row| mask.end(row) as u32).collect();
        let tokens: Vec<u32> = rows().map(|slots| crate::mask::count(&mask.valid()[slots]) as u32).collect();
        let mut first_tile = vec![0];
        first_tile.extend(rows().scan(0, |tiles, slots| {
            *tiles += slots.len().div_ceil(TILE) as u32;
            Some(*tiles)
        }));
        let of_row = |row: usize| first_tile[row + 1] - first_tile[row];
        let of_first = if mask.b() > 0 { of_row(0) } else { 0 };
        let alike = (0..mask.b()).all(|row| of_row(row) == of_first);
        Ok(Batch {
            device,
            alike: if alike { of_first } else { 0 },
            mask,
            valid: device.upload(&valid)?,
            start: device.upload(&start)?,
            length: device.upload(&length)?,
            end: device.upload(&end)?,
            tokens: device.upload(&tokens)?,
            tiles: first_tile[mask.b()] as usize,
            first_tile: device.upload(&first_tile)?,
        })
    }

    pub(crate) fn rows(&self) -> Rows {
        Rows {
            valid: self.valid.address(),
            start: self.start.address(),
            length: self.length.address(),
            end: self.end.address(),
            tokens: self.tokens.address(),
            first_tile: self.first_tile.address(),
            b: self.mask.b() as u32,
            tiles: self.tiles as u32,
            alike: self.alike,
        }
    }

    /// Room for one number a tile.
    pub(crate) fn per_tile<T: Plain>(&self) -> Result<Buffer<T>, Error> {
        self.device.room(self.tiles)
    }

    /// Runs a kernel that has a warp for each tile.
    pub(crate) fn over_tiles<A: Plain>(
        &self,
        kernel: (&'static str, &'static str),
        args: &A,
    ) -> Result<(), Error> {
        self.device.launch(kernel, self.tiles.div_ceil(WARPS), args)
    }

    /// Its tiles, and the index of each row's first one.
    pub(crate) fn tiles(&self) -> usize {
        self.tiles
    }

    /// The sum of some rows, from those of their tiles. `by` is the mode that the rows are handed on by; none is plain.
    pub(crate) fn sum(&self, tiles: &Buffer<f32>, by: Option<&Divisors>) -> Result<Sum, Error> {
        let sums = self.device.room(self.mask.b())?;
        let mean = u32::from(by.is_some_and(|divisors| divisors.by_row().is_some()));
        let args = RowSums { rows: self.rows(), tiles: tiles.address(), sums: sums.address(), mean };
        self.device.launch(("sum", "row_sums"), self.mask.b().div_ceil(WARPS), &args)?;
        let mut all = Sum::default();
        for (row, sum) in sums.read()?.into_iter().enumerate() {
            all.push(self.mask.first_row() + row as u64, sum);
        }
        Ok(all)
    }

    /// How many were counted.
    pub(crate) fn count(tiles: &Buffer<u32>) -> Result<u64, Error> {
        Ok(tiles.read()?.into_iter().map(u64::from).sum())
    }
}

/// An output of the caller's, on a device: with what it holds, since the slots between rows are left alone.
pub(crate) struct Out<'a, T> {
    to: Option<(&'a mut [T], Buffer<T>)>,
}

impl<'a, T: Plain> Out<'a, T> {
    pub(crate) fn new(device: Device, to: Option<&'a mut [T]>) -> Result<Out<'a, T>, Error> {
        let to = to.map(|to| device.upload(to).map(|room| (to, room))).transpose()?;
        Ok(Out { to })
    }

    /// Where a kernel writes it; nowhere if it is not asked for.
    pub(crate) fn address(&self) -> Address<T> {
        self.to.as_ref().map_or(Address::NONE, |(_, room)| room.address())
    }

    /// Brings it to the caller.
    pub(crate) fn finish(self) -> Result<(), Error> {
        if let Some((to, room)) = self.to {
            to.copy_from_slice(&room.read()?);
        }
        Ok(())
    }
}

#[expect(unsafe_code, reason = "what crosses to a device is bytes")]
// SAFETY: numbers and addresses.
unsafe impl Plain for RowSums {}

/// `Each` of `lanes.cuh`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct Each {
    rows: Rows,
    x: Address<f32>,
    y: Address<f32>,
    out: Address<f32>,
    by: Settings,
}

/// The settings of a term that has one number a token.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Settings {
    pub(crate) a: f32,
    pub(crate) b: f32,
    pub(crate) how: u32,
}

impl Settings {
    pub(crate) const NONE: Settings = Settings { a: 0.0, b: 0.0, how: 0 };
}

#[expect(unsafe_code, reason = "what crosses to a device is bytes")]
// SAFETY: numbers and addresses.
unsafe impl Plain for Each {}

/// Runs a kernel that makes one number a token from one or two; a second one that is empty is absent.
pub(crate) fn each(
    device: Device,
    kernel: (&'static str, &'static str),
    mask: &Mask<'_>,
    [x, y]: [&[f32]; 2],
    by: Settings,
    out: &mut [f32],
) -> Result<(), Error> {
    let batch = Batch::new(device, mask)?;
    let (x, y, out) = (device.upload(x)?, device.upload(y)?, Out::new(device, Some(out))?);
    let y = if y.is_empty() { Address::NONE } else { y.address() };
    let args = Each { rows: batch.rows(), x: x.address(), y, out: out.address(), by };
    batch.over_tiles(kernel, &args)?;
    out.finish()
}
