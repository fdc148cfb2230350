//! Kernels on a device: an NVIDIA GPU, or an emulation of the CUDA that they are written in. What a term launches stands
//! in its own folder, `kernel.cu` beside `lanes.rs`; this is what all of them need.

mod batch;
#[cfg(emulated)]
mod emulated;
#[cfg(feature = "cuda")]
mod nvidia;
mod prelude;
#[cfg(test)]
mod tests;

pub(crate) use batch::{Batch, Out, Rows, Settings, Weight, each};

use crate::Error;
use core::{fmt, marker::PhantomData};

/// The terms that have a kernel.
pub(crate) const TERMS: &[&str] = &[
    "lanes",
    "log_prob",
    "kl",
    "reward",
    "gae",
    "whiten",
    "returns",
    "policy_loss",
    "value_loss",
    "entropy",
    "token_pass",
    "log_sum_exp",
    "aggregate",
    "total_loss",
    "step",
];

/// A device that this machine has: only detection makes one.
#[derive(Clone, Copy)]
pub struct Device(Kind);

#[derive(Clone, Copy)]
enum Kind {
    #[cfg(emulated)]
    Emulated,
    #[cfg(feature = "cuda")]
    Nvidia(&'static nvidia::Nvidia),
}

/// Device memory by its address: 0 where an operand is not there. A field of a kernel's arguments.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct Address<T>(u64, PhantomData<*const T>);

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
}

/// Numbers that a kernel reads or writes, and structs of nothing else.
///
/// # Safety
///
/// Every bit pattern is a value, and there are no references in it.
#[expect(unsafe_code, reason = "what crosses to a device is bytes")]
pub(crate) unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($number:ty),*) => {$(
        #[expect(unsafe_code, reason = "what crosses to a device is bytes")]
        // SAFETY: a number.
        unsafe impl Plain for $number {}
    )*};
}
plain!(u8, u32, u64);

#[expect(unsafe_code, reason = "what crosses to a device is bytes")]
// SAFETY: f32 and bf16, of which every bit pattern is a number.
unsafe impl<T: crate::memory::Number> Plain for T {}

/// Memory of a device; given back when it is dropped.
pub(crate) struct Buffer<T> {
    device: Device,
    address: u64,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Plain> Buffer<T> {
    pub(crate) fn address(&self) -> Address<T> {
        Address(self.address, PhantomData)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What it holds.
    pub(crate) fn read(&self) -> Result<Vec<T>, Error> {
        let mut all: Vec<T> = Vec::with_capacity(self.len);
        #[expect(unsafe_code, reason = "device memory")]
        // SAFETY: there is room for `len` numbers, and the copy fills all of it.
        unsafe {
            self.device.copy_back(self.address, all.as_mut_ptr().cast(), self.len * size_of::<T>())?;
            all.set_len(self.len);
        }
        Ok(all)
    }
}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        self.device.free(self.address, self.len * size_of::<T>());
    }
}

impl Device {
    /// What this machine has.
    pub(crate) fn all() -> Vec<Device> {
        let mut all = Vec::new();
        #[cfg(feature = "cuda")]
        all.extend(Device::cuda());
        #[cfg(emulated)]
        all.push(Device(Kind::Emulated));
        all
    }

    /// The GPU, or why there is none.
    #[cfg(feature = "cuda")]
    pub(crate) fn cuda() -> Result<Device, &'static str> {
        nvidia::Nvidia::get().map(|gpu| Device(Kind::Nvidia(gpu)))
    }

    /// Its name as a backend.
    pub(crate) fn name(self) -> &'static str {
        match self.0 {
            #[cfg(emulated)]
            Kind::Emulated => "cuda-emulation",
            #[cfg(feature = "cuda")]
            Kind::Nvidia(_) => "cuda",
        }
    }

    /// These numbers, on the device.
    pub(crate) fn upload<T: Plain>(self, x: &[T]) -> Result<Buffer<T>, Error> {
        let to = self.room(x.len())?;
        #[expect(unsafe_code, reason = "device memory")]
        // SAFETY: both hold as many bytes.
        unsafe {
            self.copy(x.as_ptr().cast(), to.address, size_of_val(x))?;
        }
        Ok(to)
    }

    /// Room for so many numbers. It holds anything.
    pub(crate) fn room<T: Plain>(self, len: usize) -> Result<Buffer<T>, Error> {
        let address = self.alloc(len * size_of::<T>())?;
        Ok(Buffer { device: self, address, len, of: PhantomData })
    }

    /// Runs a kernel of the source of that stem on so many blocks.
    pub(crate) fn launch<A: Plain>(
        self,
        (stem, kernel): (&'static str, &'static str),
        blocks: usize,
        args: &A,
    ) -> Result<(), Error> {
        let blocks = u32::try_from(blocks)
            .ok()
            .filter(|blocks| *blocks < 1 << 31)
            .ok_or_else(|| self.error(format!("`{kernel}` would have {blocks} blocks")))?;
        if blocks == 0 {
            return Ok(());
        }
        match self.0 {
            #[cfg(emulated)]
            Kind::Emulated => emulated::launch(kernel, blocks, args),
            #[cfg(feature = "cuda")]
            Kind::Nvidia(gpu) => gpu.launch((stem, kernel), blocks, args),
        }
        .map_err(|said| self.error(format!("`{stem}/{kernel}`: {said}")))
    }

    pub(crate) fn error(self, said: String) -> Error {
        Error::Device { op: "device", backend: self.name(), said }
    }

    fn alloc(self, bytes: usize) -> Result<u64, Error> {
        match self.0 {
            #[cfg(emulated)]
            Kind::Emulated => emulated::alloc_bytes(bytes),
            #[cfg(feature = "cuda")]
            Kind::Nvidia(gpu) => gpu.alloc(bytes),
        }
        .map_err(|said| self.error(format!("no room for {bytes} bytes: {said}")))
    }

    fn free(self, address: u64, bytes: usize) {
        match self.0 {
            #[cfg(emulated)]
            Kind::Emulated => emulated::free(address, bytes),
            #[cfg(feature = "cuda")]
            Kind::Nvidia(gpu) => gpu.free(address, bytes),
        }
    }

    /// # Safety
    ///
    /// `from` holds so many bytes, and so does the device from `to` on.
    #[expect(unsafe_code, reason = "device memory")]
    unsafe fn copy(self, from: *const u8, to: u64, bytes: usize) -> Result<(), Error> {
        match self.0 {
            #[cfg(emulated)]
            // SAFETY: as the caller says.
            Kind::Emulated => unsafe { emulated::copy(from, to, bytes) },
            #[cfg(feature = "cuda")]
            // SAFETY: as the caller says.
            Kind::Nvidia(gpu) => unsafe { gpu.copy(from, to, bytes) },
        }
        .map_err(|said| self.error(format!("copying {bytes} bytes to it: {said}")))
    }

    /// # Safety
    ///
    /// `to` has room for so many bytes, and the device holds them from `from` on.
    #[expect(unsafe_code, reason = "device memory")]
    unsafe fn copy_back(self, from: u64, to: *mut u8, bytes: usize) -> Result<(), Error> {
        match self.0 {
            #[cfg(emulated)]
            // SAFETY: as the caller says.
            Kind::Emulated => unsafe { emulated::copy_back(from, to, bytes) },
            #[cfg(feature = "cuda")]
            // SAFETY: as the caller says.
            Kind::Nvidia(gpu) => unsafe { gpu.copy_back(from, to, bytes) },
        }
        .map_err(|said| self.error(format!("copying {bytes} bytes from it: {said}")))
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
