//! The order of what a device does.

#![expect(unsafe_code, reason = "device memory")]

#[cfg(emulated)]
use super::emulated;
use super::{Address, Buffer, Device, Kind, Plain, View, ViewMut};
use crate::{Backend, Error};
use core::{cell::RefCell, ffi::c_void, time::Duration};

/// A kernel by the stem of its source and its name there.
pub(crate) type Kernel = (&'static str, &'static str);

/// What a device does one after the other. A call of a term on a stream asks for kernels and comes back at once: it allocates
/// nothing, copies nothing and waits for nothing.
#[derive(Debug)]
#[cfg_attr(not(feature = "cuda"), expect(dead_code, reason = "the emulation has one order, and no handles"))]
pub struct Stream {
    pub(super) device: Device,
    /// The driver's handle; 0 is its default stream.
    pub(super) handle: usize,
    owned: bool,
    pub(super) mode: RefCell<Mode>,
}

/// What becomes of what is asked.
#[derive(Debug)]
pub(super) enum Mode {
    Run,
    /// Kernels are compiled and loaded, and not run.
    Load,
    /// The driver records.
    #[cfg(feature = "cuda")]
    Record,
    /// What the emulation records.
    #[cfg(emulated)]
    Keep(Vec<emulated::Launch>),
}

impl Stream {
    /// A new stream on the device of a backend.
    ///
    /// # Errors
    ///
    /// If the backend is a level of the CPU, or the device fails.
    pub fn new(on: Backend) -> Result<Stream, Error> {
        let device = device_of(on)?;
        let handle = match device.0 {
            #[cfg(emulated)]
            Kind::Emulated => 0,
            #[cfg(feature = "cuda")]
            Kind::Nvidia(gpu) => gpu.stream().map_err(|said| device.error(said))?,
        };
        Ok(Stream { device, handle, owned: true, mode: RefCell::new(Mode::Run) })
    }

    /// A stream of the caller's: a `CUstream` or `cudaStream_t` on the first GPU's primary context, null for its default
    /// stream. On an emulated device it is not looked at.
    ///
    /// # Safety
    ///
    /// It is one, and is there as long as this is.
    ///
    /// # Errors
    ///
    /// If the backend is a level of the CPU.
    pub unsafe fn from_raw(on: Backend, handle: *mut c_void) -> Result<Stream, Error> {
        let handle = handle.expose_provenance();
        Ok(Stream { device: device_of(on)?, handle, owned: false, mode: RefCell::new(Mode::Run) })
    }

    /// The default stream, for arrays of the host's.
    pub(crate) fn of_host(device: Device) -> Stream {
        Stream { device, handle: 0, owned: false, mode: RefCell::new(Mode::Run) }
    }

    pub(crate) fn device(&self) -> Device {
        self.device
    }

    /// Waits until the device has done all that was asked of it here.
    ///
    /// # Errors
    ///
    /// If a kernel failed, or the stream is being recorded.
    pub fn wait(&self) -> Result<(), Error> {
        self.idle("wait")?;
        match self.device.0 {
            #[cfg(emulated)]
            Kind::Emulated => Ok(()),
            #[cfg(feature = "cuda")]
            Kind::Nvidia(gpu) => gpu.wait(self.handle).map_err(|said| self.device.error(said)),
        }
    }

    /// How long the device took for what `run` asks of this stream: the time between two events on it. Of an emulated device it
    /// is the clock's.
    ///
    /// # Errors
    ///
    /// What `run` gives; if the stream is being recorded, or the device fails.
    pub fn time(&self, run: impl FnOnce(&Stream) -> Result<(), Error>) -> Result<Duration, Error> {
        self.wait()?;
        match self.device.0 {
            #[cfg(emulated)]
            Kind::Emulated => {
                let started = std::time::Instant::now();
                run(self).map(|()| started.elapsed())
            }
            #[cfg(feature = "cuda")]
            Kind::Nvidia(gpu) => {
                let timed = gpu.time(self.handle, || run(self)).map_err(|said| self.device.error(said))?;
                timed.map(Duration::from_secs_f64)
            }
        }
    }

    /// Copies numbers within the device, by the driver.
    ///
    /// # Errors
    ///
    /// If there are not as many of both, one lies elsewhere, the stream is being recorded, or the device fails.
    pub fn copy<T: Plain>(&self, from: View<'_, T>, to: ViewMut<'_, T>) -> Result<(), Error> {
        const OP: &str = "copy";
        self.idle(OP)?;
        let len = from.len();
        from.named("from").check(OP, self, len, "number")?;
        to.named("to").check(OP, self, len, "number of `from`")?;
        let (from, to, bytes) = (from.address().0, to.address().0, len * size_of::<T>());
        match self.device.0 {
            #[cfg(emulated)]
            // SAFETY: both hold so many bytes, of two arrays.
            Kind::Emulated => unsafe {
                emulated::copy(core::ptr::with_exposed_provenance(from as usize), to, bytes)
            },
            #[cfg(feature = "cuda")]
            // SAFETY: both hold so many bytes.
            Kind::Nvidia(gpu) => unsafe { gpu.copy_within(from, to, bytes, self.handle) },
        }
        .map_err(|said| self.device.error(said))
    }

    /// Runs a kernel on so many blocks.
    pub(crate) fn launch<A: Plain>(
        &self,
        (stem, kernel): Kernel,
        blocks: usize,
        args: &A,
    ) -> Result<(), Error> {
        let _ = stem;
        let blocks = u32::try_from(blocks)
            .ok()
            .filter(|blocks| *blocks < 1 << 31)
            .ok_or_else(|| self.device.error(format!("`{kernel}` would have {blocks} blocks")))?;
        if blocks == 0 {
            return Ok(());
        }
        let mut mode = self.mode.borrow_mut();
        match self.device.0 {
            #[cfg(emulated)]
            Kind::Emulated => match &mut *mode {
                Mode::Keep(kept) => {
                    kept.push(emulated::Launch::new(kernel, blocks, args));
                    Ok(())
                }
                Mode::Run => emulated::Launch::new(kernel, blocks, args).run(),
                _ => Ok(()),
            },
            #[cfg(feature = "cuda")]
            Kind::Nvidia(gpu) => match &mut *mode {
                Mode::Load => gpu.load(stem, kernel),
                _ => gpu.launch((stem, kernel), blocks, args, self.handle),
            },
        }
        .map_err(|said| self.device.error(format!("`{stem}/{kernel}`: {said}")))
    }

    /// Refuses what cannot be recorded.
    pub(super) fn idle(&self, what: &'static str) -> Result<(), Error> {
        match &*self.mode.borrow() {
            Mode::Run => Ok(()),
            _ => Err(self.device.error(format!("`{what}` while the stream is being recorded"))),
        }
    }

    /// These numbers, on the device.
    pub(crate) fn upload<T: Plain>(&self, x: &[T]) -> Result<Buffer<T>, Error> {
        let to = self.room(x.len())?;
        self.fill(to.address(), x)?;
        Ok(to)
    }

    /// Room for so many numbers. It holds anything.
    pub(crate) fn room<T: Plain>(&self, len: usize) -> Result<Buffer<T>, Error> {
        self.idle("room")?;
        Buffer::alloc(self.device, len)
    }

    /// Writes to memory of a buffer that has room for them.
    pub(super) fn fill<T: Plain>(&self, to: Address<T>, x: &[T]) -> Result<(), Error> {
        self.idle("write")?;
        // SAFETY: both hold as many bytes.
        unsafe { self.device.copy(x.as_ptr().cast(), to.0, size_of_val(x)) }
    }

    /// What stands there, in a buffer that has so many, once the stream has come to it.
    pub(crate) fn fetch<T: Plain>(&self, from: Address<T>, len: usize) -> Result<Vec<T>, Error> {
        self.wait()?;
        let mut all: Vec<T> = Vec::with_capacity(len);
        // SAFETY: there is room for `len` numbers, and the copy fills all of it.
        unsafe {
            self.device.copy_back(from.0, all.as_mut_ptr().cast(), len * size_of::<T>())?;
            all.set_len(len);
        }
        Ok(all)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        match self.device.0 {
            #[cfg(feature = "cuda")]
            Kind::Nvidia(gpu) if self.owned => gpu.end_stream(self.handle),
            _ => {}
        }
    }
}

fn device_of(on: Backend) -> Result<Device, Error> {
    on.device().ok_or(Error::NotOn { op: "stream", backend: on.name() })
}
