//! A batch on a device: where its tokens are, and kernels over its tiles.

#![expect(unsafe_code, reason = "what crosses to a device is bytes")]

use super::{Address, Buffer, Device, Out, Plain, Stream, ViewMut, Work, stream::Kernel, view::Argument};
use crate::{
    Error, Mask,
    aggregate::Divisors,
    gae::{FEW, GROUPS, LONG, next_valid},
    lanes::TILE,
    mask::count,
};

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

/// Warps of a block that has a tile each, or a row each.
pub(super) const WARPS: usize = 4;

/// The tokens of a mask on a device: made once a batch, and then every call's.
#[derive(Debug)]
pub struct Batch<'a> {
    mask: Mask<'a>,
    valid: Buffer<u8>,
    start: Buffer<u64>,
    length: Buffer<u32>,
    end: Buffer<u32>,
    tokens: Buffer<u32>,
    first_tile: Buffer<u32>,
    /// For each group of each tile the row's first valid slot after it; only where a row has a gap.
    next_valid: Option<Buffer<u32>>,
    /// The slots of the rows; only where there are others between them.
    slots: Option<Buffer<u32>>,
    slots_of_rows: usize,
    tiles: usize,
    /// Tiles of every row; 0 where they differ.
    alike: u32,
    longest: usize,
}

impl<'a> Batch<'a> {
    /// Copies the mask to the stream's device.
    ///
    /// # Errors
    ///
    /// If it has more than 2³² slots or rows, the device has no room, or the stream is being recorded.
    pub fn new(on: &Stream, mask: &Mask<'a>) -> Result<Batch<'a>, Error> {
        let too_many =
            |_| on.device().error(format!("a mask of {} slots is more than 2³²", mask.valid().len()));
        let all = u32::try_from(mask.valid().len().max(mask.b())).map_err(too_many)?;
        let rows = || (0..mask.b()).map(|row| mask.row(row));
        let valid: Vec<u8> = mask.valid().iter().map(|valid| u8::from(*valid)).collect();
        let start: Vec<u64> = rows().map(|slots| slots.start as u64).collect();
        let length: Vec<u32> = rows().map(|slots| slots.len() as u32).collect();
        let end: Vec<u32> = (0..mask.b()).map(|row| mask.end(row) as u32).collect();
        let tokens: Vec<u32> = rows().map(|slots| count(&mask.valid()[slots]) as u32).collect();
        let mut first_tile = vec![0];
        first_tile.extend(rows().scan(0, |tiles, slots| {
            *tiles += slots.len().div_ceil(TILE) as u32;
            Some(*tiles)
        }));
        let of_row = |row: usize| first_tile[row + 1] - first_tile[row];
        let of_first = if mask.b() > 0 { of_row(0) } else { 0 };
        let alike = (0..mask.b()).all(|row| of_row(row) == of_first);
        let slots_of_rows = rows().map(|slots| slots.len()).sum();
        let slots = (slots_of_rows < all as usize)
            .then(|| (0..all).filter(|slot| mask.holds(*slot as usize)).collect::<Vec<u32>>());
        let gaps = next_valid(mask);
        Ok(Batch {
            mask: *mask,
            alike: if alike { of_first } else { 0 },
            valid: on.upload(&valid)?,
            start: on.upload(&start)?,
            length: on.upload(&length)?,
            end: on.upload(&end)?,
            tokens: on.upload(&tokens)?,
            next_valid: gaps.map(|gaps| on.upload(&gaps)).transpose()?,
            slots: slots.map(|slots| on.upload(&slots)).transpose()?,
            slots_of_rows,
            tiles: first_tile[mask.b()] as usize,
            first_tile: on.upload(&first_tile)?,
            longest: rows().map(|slots| slots.len()).max().unwrap_or(0),
        })
    }

    /// The mask that it was made of.
    pub fn mask(&self) -> &Mask<'a> {
        &self.mask
    }

    /// How many f32 any one call takes as scratch for this batch. What a call leaves there is of no use to another: calls on
    /// one stream may share it.
    pub fn scratch_len(&self) -> usize {
        Work::len(self.tiles, self.mask.b()).max(3 * self.groups_at_once())
    }

    /// Groups that [`crate::cuda::gae`] keeps something of: all, where a few long rows are cut at them.
    pub(crate) fn groups_at_once(&self) -> usize {
        if self.mask.b() < FEW && self.longest >= LONG { self.tiles * GROUPS } else { 0 }
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

    /// Each row's slot after its last valid token.
    pub(crate) fn end(&self) -> Address<u32> {
        self.end.address()
    }

    pub(crate) fn valid(&self) -> Address<u8> {
        self.valid.address()
    }

    pub(crate) fn next_valid(&self) -> Address<u32> {
        self.next_valid.as_ref().map_or(Address::NONE, Buffer::address)
    }

    /// The slots of the rows, by their places if there are others, and how many.
    pub(crate) fn slots(&self) -> (Address<u32>, usize) {
        (self.slots.as_ref().map_or(Address::NONE, Buffer::address), self.slots_of_rows)
    }

    pub(crate) fn tiles(&self) -> usize {
        self.tiles
    }

    /// Runs a kernel that has a warp for each tile.
    pub(crate) fn over_tiles<A: Plain>(&self, on: &Stream, kernel: Kernel, args: &A) -> Result<(), Error> {
        on.launch(kernel, self.tiles.div_ceil(WARPS), args)
    }

    /// The places of sums and counts in a scratch of the caller's.
    pub(crate) fn work(
        &self,
        op: &'static str,
        on: &Stream,
        scratch: &ViewMut<'_, f32>,
    ) -> Result<Work, Error> {
        let (got, want) = (scratch.view().len(), self.scratch_len());
        scratch.named("scratch").check(op, on, got.max(want), "number of `scratch_len`")?;
        Ok(Work::new(scratch.address(), self.tiles, self.mask.b()))
    }

    /// All of these have one number a slot and lie, as this does, on the stream's device.
    pub(crate) fn check(&self, op: &'static str, on: &Stream, all: &[Argument]) -> Result<(), Error> {
        self.mask.check_part(op)?;
        let slots = self.mask.valid().len();
        self.valid.view().named("batch").check(op, on, slots, "slot of the mask")?;
        all.iter().try_for_each(|argument| argument.check(op, on, slots, "slot of the mask"))
    }
}

/// `Each` of `lanes.cuh`.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Each {
    pub(crate) rows: Rows,
    pub(crate) x: Address<f32>,
    pub(crate) y: Address<f32>,
    pub(crate) out: Address<f32>,
    pub(crate) by: Settings,
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

// SAFETY: numbers and addresses.
unsafe impl Plain for Each {}

/// Runs a kernel that makes one number a token from one or two of the host's; a second one that is empty is absent.
pub(crate) fn each(
    device: Device,
    kernel: Kernel,
    mask: &Mask<'_>,
    [x, y]: [&[f32]; 2],
    by: Settings,
    out: &mut [f32],
) -> Result<(), Error> {
    let on = Stream::of_host(device);
    let batch = Batch::new(&on, mask)?;
    let (x, y, out) = (on.upload(x)?, on.upload(y)?, Out::new(&on, Some(out))?);
    let y = if y.is_empty() { Address::NONE } else { y.address() };
    let args = Each { rows: batch.rows(), x: x.address(), y, out: out.address(), by };
    batch.over_tiles(&on, kernel, &args)?;
    out.finish(&on)
}
