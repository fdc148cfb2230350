//! Memory of a device that is lent, or another's by its address, and how it is checked as an argument.

#![expect(unsafe_code, reason = "memory by its address")]

use super::{Address, Device, Plain, Stream};
use crate::{Error, check};
use core::marker::PhantomData;

/// Numbers on a device that a kernel reads: those of a [`Buffer`](super::Buffer), or another's.
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

/// Room on a device that a kernel writes: a [`Buffer`](super::Buffer)'s, or another's.
#[derive(Debug)]
pub struct ViewMut<'a, T> {
    view: View<'a, T>,
    of: PhantomData<&'a mut T>,
}

impl<'a, T: Plain> View<'a, T> {
    pub(super) fn new(device: Device, address: Address<T>, len: usize) -> View<'a, T> {
        View { device, address, len, of: PhantomData }
    }

    /// Memory of the stream's device that something else owns, such as a tensor of another framework.
    ///
    /// # Safety
    ///
    /// From `address` on there are `len` numbers of this type, aligned to one, in memory that the current process may use
    /// on that device (of an emulated one: in the process's own memory). They are there, and nothing else writes
    /// them, until every kernel that was given this view has ended, those of a replayed [`Graph`](super::Graph) too.
    pub unsafe fn from_raw(on: &Stream, address: u64, len: usize) -> View<'a, T> {
        View::new(on.device(), Address::new(address), len)
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
    /// Nothing else reads or writes what is viewed.
    pub(super) fn new(view: View<'a, T>) -> ViewMut<'a, T> {
        ViewMut { view, of: PhantomData }
    }

    /// As [`View::from_raw`], to be written.
    ///
    /// # Safety
    ///
    /// As there, and nothing else reads them meanwhile.
    pub unsafe fn from_raw(on: &Stream, address: u64, len: usize) -> ViewMut<'a, T> {
        // SAFETY: as the caller says.
        ViewMut::new(unsafe { View::from_raw(on, address, len) })
    }

    /// For a kernel that reads what stands there.
    pub fn view(&self) -> View<'_, T> {
        self.view
    }

    /// The same room for one call, after which it is this one's again.
    pub fn lend(&mut self) -> ViewMut<'_, T> {
        ViewMut::new(self.view)
    }

    /// The first `at` numbers, and the rest; whoever calls this has seen that there are as many.
    pub(crate) fn split_at(self, at: usize) -> (ViewMut<'a, T>, ViewMut<'a, T>) {
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
        ViewMut::new(View { address: self.view.address.at(from), len, ..self.view })
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
