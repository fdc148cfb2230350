//! An NVIDIA GPU: the first one, through libcuda and NVRTC, which are opened when they are asked for.

#![expect(unsafe_code, reason = "the driver is C")]

use super::{Plain, prelude};
use core::ffi::c_void;
use cudarc::{
    driver::{CudaContext, result, sys},
    nvrtc::{self, CompileOptions},
};
use std::{
    collections::HashMap,
    ffi::CString,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// The device, and what was compiled for it.
pub(super) struct Nvidia {
    context: Arc<CudaContext>,
    /// Its compute capability, as NVRTC wants it.
    arch: &'static str,
    functions: Mutex<HashMap<&'static str, Function>>,
}

/// A kernel of a loaded module, which is never unloaded.
#[derive(Clone, Copy)]
struct Function {
    handle: sys::CUfunction,
    threads: u32,
}

// SAFETY: a handle of the driver's, which any thread may launch.
unsafe impl Send for Function {}

fn say(err: impl core::fmt::Debug) -> String {
    format!("{err:?}")
}

impl Nvidia {
    /// The GPU, or why there is none. Asked once.
    pub(super) fn get() -> Result<&'static Nvidia, &'static str> {
        static GPU: OnceLock<Result<Nvidia, &'static str>> = OnceLock::new();
        GPU.get_or_init(Nvidia::new).as_ref().map_err(|why| *why)
    }

    fn new() -> Result<Nvidia, &'static str> {
        // Calls of an absent library panic, so that each is asked for first.
        // SAFETY: it only tries to open the library.
        if !unsafe { sys::is_culib_present() } {
            return Err("no libcuda");
        }
        // SAFETY: it only tries to open the library.
        if !unsafe { nvrtc::sys::is_culib_present() } {
            return Err("no NVRTC");
        }
        let leak = |err| -> &'static str { String::leak(say(err)) };
        result::init().map_err(leak)?;
        if CudaContext::device_count().map_err(leak)? == 0 {
            return Err("no device");
        }
        let context = CudaContext::new(0).map_err(leak)?;
        let (major, minor) = context.compute_capability().map_err(leak)?;
        let arch = String::leak(format!("compute_{major}{minor}"));
        Ok(Nvidia { context, arch, functions: Mutex::new(HashMap::new()) })
    }

    fn function(&self, stem: &'static str, kernel: &'static str) -> Result<Function, String> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = functions.get(kernel) {
            return Ok(*function);
        }
        let image = CString::new(ptx(stem, self.arch)?).map_err(say)?;
        let name = CString::new(kernel).map_err(say)?;
        // SAFETY: the image is PTX, ends with a 0 and is copied by the driver; the module is never unloaded.
        let handle = unsafe {
            let module = result::module::load_data(image.as_ptr().cast()).map_err(say)?;
            result::module::get_function(module, name).map_err(say)?
        };
        let threads = prelude::threads(stem, kernel).ok_or_else(|| "is not in its `kernel.cu`".to_owned())?;
        let function = Function { handle, threads };
        functions.insert(kernel, function);
        Ok(function)
    }

    /// Launches a kernel and waits for its end.
    pub(super) fn launch<A: Plain>(
        &self,
        (stem, kernel): (&'static str, &'static str),
        blocks: u32,
        args: &A,
    ) -> Result<(), String> {
        self.context.bind_to_thread().map_err(say)?;
        let Function { handle, threads } = self.function(stem, kernel)?;
        let mut args = [core::ptr::from_ref(args).cast_mut().cast::<c_void>()];
        let stream = core::ptr::null_mut();
        // SAFETY: the kernel takes one struct, which is what `args` points to; the addresses in it are of buffers that
        // the caller keeps.
        unsafe {
            result::launch_kernel(handle, (blocks, 1, 1), (threads, 1, 1), 0, stream, &mut args)
                .map_err(say)?;
            result::stream::synchronize(stream).map_err(say)
        }
    }

    pub(super) fn alloc(&self, bytes: usize) -> Result<u64, String> {
        self.context.bind_to_thread().map_err(say)?;
        // SAFETY: what it holds is not read before it is written.
        unsafe { result::malloc_sync(bytes.max(1)).map_err(say) }
    }

    pub(super) fn free(&self, address: u64, _: usize) {
        // There is nobody to tell that it failed, and no launch is under way: each is waited for.
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: the buffer that is dropped was allocated so.
            let _ = unsafe { result::free_sync(address) };
        }
    }

    /// # Safety
    ///
    /// Both hold so many bytes.
    pub(super) unsafe fn copy(&self, from: *const u8, to: u64, bytes: usize) -> Result<(), String> {
        if bytes == 0 {
            return Ok(());
        }
        self.context.bind_to_thread().map_err(say)?;
        // SAFETY: as the caller says.
        unsafe { result::memcpy_htod_sync(to, core::slice::from_raw_parts(from, bytes)).map_err(say) }
    }

    /// # Safety
    ///
    /// Both hold so many bytes.
    pub(super) unsafe fn copy_back(&self, from: u64, to: *mut u8, bytes: usize) -> Result<(), String> {
        if bytes == 0 {
            return Ok(());
        }
        self.context.bind_to_thread().map_err(say)?;
        // SAFETY: as the caller says; the driver writes all of it.
        unsafe { sys::cuMemcpyDtoH_v2(to.cast(), from, bytes).result().map_err(say) }
    }
}

/// The kernels of a stem as PTX, for an architecture such as `compute_90`; refused where an operation is not the one
/// that is written.
pub(super) fn ptx(stem: &str, arch: &'static str) -> Result<String, String> {
    // SAFETY: it only tries to open the library.
    if !unsafe { nvrtc::sys::is_culib_present() } {
        return Err("no NVRTC".to_owned());
    }
    let source = prelude::text(stem).ok_or_else(|| format!("there is no `{stem}/kernel.cu`"))?;
    let options = CompileOptions {
        fmad: Some(false),
        arch: Some(arch),
        name: Some(format!("{stem}.cu")),
        options: vec!["--std=c++17".to_owned()],
        ..CompileOptions::default()
    };
    let ptx = nvrtc::compile_ptx_with_opts(source, options).map_err(|err| match err {
        nvrtc::CompileError::CompileError { log, .. } => log.to_string_lossy().into_owned(),
        err => say(err),
    })?;
    let ptx = ptx.to_src();
    prelude::check_ptx(&ptx)?;
    Ok(ptx)
}
