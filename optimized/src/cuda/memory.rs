//! Memory of a device: owned, lent, or another's by its address.

#![expect(unsafe_code, reason = "device memory")]

use super::{Device, Stream};
use crate::{Error, check};
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

/// Numbers on a device that a kernel reads: those of a [`Buffer`], or another's.
#[derive(Debug)]
pub struct View<'a, T> {
    device: Device,
    address: Address<T>,
    len: usize,
    of: PhantomData<&'a T>,
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

/// Room on a device that a kernel writes: a [`Buffer`]'s, or another's.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    view: View<'a, T>,
    of: PhantomData<&'a mut T>,
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
        Address(self.address, PhantomData)
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
        View { device: self.device, address: self.address(), len: self.len, of: PhantomData }
    }

    /// For a kernel that writes it.
    pub fn view_mut(&mut self) -> ViewMut<'_, T> {
        ViewMut { view: self.view(), of: PhantomData }
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

impl<'a, T: Plain> View<'a, T> {
    /// Memory of the stream's device that something else owns, such as a tensor of another framework.
    ///
    /// # Safety
    ///
    /// From `address` on there are `len` numbers of this type, aligned to one, in memory that the current process may use
    /// on that device (of an emulated one: in the process's own memory). They are there, and nothing else writes
    /// them, until every kernel that was given this view has ended, those of a replayed [`Graph`](super::Graph) too.
    pub unsafe fn from_raw(on: &Stream, address: u64, len: usize) -> View<'a, T> {
        View { device: on.device(), address: Address(address, PhantomData), len, of: PhantomData }
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn address(&self) -> Address<T> {
        self.address
    }

    /// As an argument of that name, which is to be checked.
    pub(crate) fn named(&self, name: &'static str) -> Argument {
        Argument { name, len: self.len, device: self.device }
    }
}

impl<'a, T: Plain> ViewMut<'a, T> {
    /// As [`View::from_raw`], to be written.
    ///
    /// # Safety
    ///
    /// As there, and nothing else reads them meanwhile.
    pub unsafe fn from_raw(on: &Stream, address: u64, len: usize) -> ViewMut<'a, T> {
        // SAFETY: as the caller says.
        ViewMut { view: unsafe { View::from_raw(on, address, len) }, of: PhantomData }
    }

    /// For a kernel that reads what stands there.
    pub fn view(&self) -> View<'_, T> {
        self.view
    }

    /// The same room for one call, after which it is this one's again.
    pub fn lend(&mut self) -> ViewMut<'_, T> {
        ViewMut { view: self.view, of: PhantomData }
    }

    /// The first `at` numbers, and the rest.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    pub fn split_at(self, at: usize) -> (ViewMut<'a, T>, ViewMut<'a, T>) {
        assert!(at <= self.view.len, "{at} of {} numbers", self.view.len);
        (self.part(0, at), self.part(at, self.view.len - at))
    }

    /// N times `len` numbers, which begin `apart` apart.
    pub(crate) fn rooms<const N: usize>(self, len: usize, apart: usize) -> [ViewMut<'a, T>; N] {
        debug_assert!(len <= apart && N * apart <= self.view.len);
        core::array::from_fn(|i| self.part(i * apart, len))
    }

    /// So many numbers from one on. Whoever calls this keeps the parts apart.
    fn part(&self, from: usize, len: usize) -> ViewMut<'a, T> {
        let view = View { address: self.view.address.at(from), len, ..self.view };
        ViewMut { view, of: PhantomData }
    }

    pub(crate) fn address(&self) -> Address<T> {
        self.view.address
    }

    pub(crate) fn named(&self, name: &'static str) -> Argument {
        self.view.named(name)
    }
}

/// Where an optional argument stands.
pub(crate) trait Place<T> {
    fn place(&self) -> Address<T>;
}

impl<T: Plain> Place<T> for Option<View<'_, T>> {
    fn place(&self) -> Address<T> {
        self.as_ref().map_or(Address::NONE, View::address)
    }
}

impl<T: Plain> Place<T> for Option<ViewMut<'_, T>> {
    fn place(&self) -> Address<T> {
        self.as_ref().map_or(Address::NONE, ViewMut::address)
    }
}

/// An argument as it is checked.
#[derive(Clone, Copy)]
pub(crate) struct Argument {
    pub(super) name: &'static str,
    pub(super) len: usize,
    pub(super) device: Device,
}

impl Argument {
    /// It lies on the stream's device and has so many numbers, one per what is said.
    pub(crate) fn check(
        self,
        op: &'static str,
        on: &Stream,
        want: usize,
        one_per: &'static str,
    ) -> Result<(), Error> {
        let Argument { name, len: got, device } = self;
        if device.name() != on.device().name() {
            let said = format!("`{name}` lies on {}", device.name());
            return Err(Error::Device { op, backend: on.device().name(), said });
        }
        if got == want { Ok(()) } else { Err(Error::Length { op, name, got, want, one_per }) }
    }
}

/// Room for c times a gradient per token, in the mask's layout; as [`crate::Grad`], on a device.
#[derive(Debug)]
pub struct Grad<'a> {
    /// The coefficient of the term in the loss that is differentiated: 1 for the term alone.
    pub c: f64,
    /// One element per slot; +0 where a slot is masked.
    pub to: ViewMut<'a, f32>,
}

impl<'a> Grad<'a> {
    /// The coefficient in f32 (1 where there is no gradient) and the room.
    pub(crate) fn split(
        op: &'static str,
        grad: Option<Grad<'a>>,
    ) -> Result<(f32, Option<ViewMut<'a, f32>>), Error> {
        let Some(Grad { c, to }) = grad else { return Ok((1.0, None)) };
        Ok((check::coefficient(op, "c", c)?, Some(to)))
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
