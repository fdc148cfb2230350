//! Memory of a device: its addresses, and what is owned there.

#![expect(unsafe_code, reason = "device memory")]

use super::{Device, Stream, View, ViewMut};
use crate::Error;
use core::marker::PhantomData;

/// Device memory by its address: 0 where an operand is not there. A field of a kernel's arguments.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Address<T>(pub(super) u64, PhantomData<*const T>);

impl<T> Clone for Address<T> {
    fn clone(&self) -> Address<T> {
        *self
    }
}

impl<T> Copy for Address<T> {}

impl<T> Address<T> {
    pub(crate) const NONE: Address<T> = Address(0, PhantomData);

    pub(super) fn new(address: u64) -> Address<T> {
        Address(address, PhantomData)
    }

    pub(crate) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// The place of the element of that index; of other numbers where `U` is another type of that size.
    pub(crate) fn at<U>(self, index: usize) -> Address<U> {
        Address(self.0 + (index * size_of::<T>()) as u64, PhantomData)
    }
}

/// Numbers that a kernel reads or writes, and structs of nothing else.
///
/// # Safety
///
/// Every bit pattern is a value, and there are no references in it.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($number:ty),*) => {$(
        // SAFETY: a number.
        unsafe impl Plain for $number {}
    )*};
}
plain!(u8, u32, u64);

// SAFETY: f32 and bf16, of which every bit pattern is a number.
unsafe impl<T: crate::memory::Number> Plain for T {}

/// Numbers that stay on a device. Their memory is given back when this is dropped, which waits for the device first.
#[derive(Debug)]
pub struct Buffer<T> {
    device: Device,
    address: u64,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Plain> Buffer<T> {
    /// These numbers, on the stream's device.
    ///
    /// # Errors
    ///
    /// If the device has no room, or the stream is being recorded.
    pub fn new(on: &Stream, x: &[T]) -> Result<Buffer<T>, Error> {
        on.upload(x)
    }

    /// Room for so many numbers. It holds anything.
    ///
    /// # Errors
    ///
    /// As [`Buffer::new`].
    pub fn room(on: &Stream, len: usize) -> Result<Buffer<T>, Error> {
        on.room(len)
    }

    pub(super) fn alloc(device: Device, len: usize) -> Result<Buffer<T>, Error> {
        let bytes = len.checked_mul(size_of::<T>());
        let bytes = bytes.ok_or_else(|| device.error(format!("no room for {len} numbers")))?;
        Ok(Buffer { device, address: device.alloc(bytes)?, len, of: PhantomData })
    }

    pub(crate) fn address(&self) -> Address<T> {
        Address::new(self.address)
    }

    /// Its address, for [`View::from_raw`] or for another framework: of memory that is there as long as this is.
    pub fn as_raw(&self) -> u64 {
        self.address
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// For a kernel that reads it.
    pub fn view(&self) -> View<'_, T> {
        View::new(self.device, self.address(), self.len)
    }

    /// For a kernel that writes it.
    pub fn view_mut(&mut self) -> ViewMut<'_, T> {
        ViewMut::new(self.view())
    }

    /// What it holds once the stream has done all that was asked of it before.
    ///
    /// # Errors
    ///
    /// If the device fails, or the stream is being recorded.
    pub fn read(&self, on: &Stream) -> Result<Vec<T>, Error> {
        on.fetch(self.address(), self.len)
    }

    /// Replaces what it holds, after all that was asked of the stream before.
    ///
    /// # Errors
    ///
    /// If there are not as many numbers; else as [`Buffer::read`].
    pub fn write(&mut self, on: &Stream, x: &[T]) -> Result<(), Error> {
        if x.len() != self.len {
            let (got, want) = (x.len(), self.len);
            return Err(Error::Length { op: "write", name: "x", got, want, one_per: "number of the buffer" });
        }
        on.wait()?;
        on.fill(self.address(), x)
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        self.device.free(self.address, self.len * size_of::<T>());
    }
}

/// An output of the caller's in host memory, on a device: with what it holds, since the slots between rows are left alone.
pub(crate) struct Out<'a, T: Plain> {
    to: Option<(&'a mut [T], Buffer<T>)>,
}

impl<'a, T: Plain> Out<'a, T> {
    pub(crate) fn new(on: &Stream, to: Option<&'a mut [T]>) -> Result<Out<'a, T>, Error> {
        let to = to.map(|to| on.upload(to).map(|room| (to, room))).transpose()?;
        Ok(Out { to })
    }

    /// Where a kernel writes it; nowhere if it is not asked for.
    pub(crate) fn address(&self) -> Address<T> {
        self.to.as_ref().map_or(Address::NONE, |(_, room)| room.address())
    }

    /// Brings it to the caller.
    pub(crate) fn finish(self, on: &Stream) -> Result<(), Error> {
        if let Some((to, room)) = self.to {
            to.copy_from_slice(&room.read(on)?);
        }
        Ok(())
    }
}
