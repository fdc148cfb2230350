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
    ffi::{CString, OsString},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

/// The device, and what was compiled for it.
pub(super) struct Nvidia {
    context: Arc<CudaContext>,
    /// Its compute capability, as NVRTC wants it.
    arch: &'static str,
    capability: u32,
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

/// A stream by its handle.
fn raw(stream: usize) -> sys::CUstream {
    core::ptr::with_exposed_provenance_mut(stream)
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
        if !unsafe { nvrtc::sys::is_culib_present() } && packed().is_none() {
            return Err("no NVRTC");
        }
        let leak = |err| -> &'static str { String::leak(say(err)) };
        result::init().map_err(leak)?;
        if CudaContext::device_count().map_err(leak)? == 0 {
            return Err("no device");
        }
        let context = CudaContext::new(0).map_err(leak)?;
        let (major, minor) = context.compute_capability().map_err(leak)?;
        let capability = (10 * major + minor).unsigned_abs();
        let arch = String::leak(format!("compute_{capability}"));
        Ok(Nvidia { context, arch, capability, functions: Mutex::new(HashMap::new()) })
    }

    fn function(&self, stem: &'static str, kernel: &'static str) -> Result<Function, String> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = functions.get(kernel) {
            return Ok(*function);
        }
        let ptx = match packed() {
            Some(folder) => packed_ptx(Path::new(&folder), stem, self.capability)?,
            None => ptx(stem, self.arch)?,
        };
        let image = CString::new(ptx).map_err(say)?;
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

    /// Compiles and loads a kernel, once.
    pub(super) fn load(&self, stem: &'static str, kernel: &'static str) -> Result<(), String> {
        self.context.bind_to_thread().map_err(say)?;
        self.function(stem, kernel).map(drop)
    }

    /// Asks for a kernel on a stream.
    pub(super) fn launch<A: Plain>(
        &self,
        (stem, kernel): (&'static str, &'static str),
        blocks: u32,
        args: &A,
        stream: usize,
    ) -> Result<(), String> {
        self.context.bind_to_thread().map_err(say)?;
        let Function { handle, threads } = self.function(stem, kernel)?;
        let mut args = [core::ptr::from_ref(args).cast_mut().cast::<c_void>()];
        // SAFETY: the kernel takes one struct, which is what `args` points to and the driver copies; the addresses in it
        // are of memory that is there until the device has come to its end: a buffer waits for the device before it goes.
        unsafe {
            result::launch_kernel(handle, (blocks, 1, 1), (threads, 1, 1), 0, raw(stream), &mut args)
                .map_err(say)
        }
    }

    /// A new stream's handle.
    pub(super) fn stream(&self) -> Result<usize, String> {
        self.context.bind_to_thread().map_err(say)?;
        let kind = result::stream::StreamKind::NonBlocking;
        Ok(result::stream::create(kind).map_err(say)?.expose_provenance())
    }

    pub(super) fn end_stream(&self, stream: usize) {
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: `stream` made it, and it is not used again. The driver lets it finish its work.
            let _ = unsafe { result::stream::destroy(raw(stream)) };
        }
    }

    pub(super) fn wait(&self, stream: usize) -> Result<(), String> {
        self.context.bind_to_thread().map_err(say)?;
        // SAFETY: a stream of `stream`'s or one that the caller says is there.
        unsafe { result::stream::synchronize(raw(stream)).map_err(say) }
    }

    /// From here on what is asked of the stream by this thread is recorded.
    pub(super) fn begin(&self, stream: usize) -> Result<(), String> {
        self.context.bind_to_thread().map_err(say)?;
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: a stream that is there.
        unsafe { result::stream::begin_capture(raw(stream), mode).map_err(say) }
    }

    /// What was recorded, ready to run.
    pub(super) fn end(&self, stream: usize) -> Result<usize, String> {
        // SAFETY: a stream that is being recorded; a graph that is only made into what runs.
        unsafe {
            let graph = result::stream::end_capture(raw(stream)).map_err(say)?;
            if graph.is_null() {
                return Err("nothing was recorded".to_owned());
            }
            let made = result::graph::instantiate(graph, sys::CUgraphInstantiate_flags(0));
            let _ = result::graph::destroy(graph);
            Ok(made.map_err(say)?.expose_provenance())
        }
    }

    pub(super) fn replay(&self, graph: usize, stream: usize) -> Result<(), String> {
        self.context.bind_to_thread().map_err(say)?;
        // SAFETY: `end` made it, and the stream is there.
        unsafe {
            result::graph::launch(core::ptr::with_exposed_provenance_mut(graph), raw(stream)).map_err(say)
        }
    }

    /// Device time between two moments of a stream, in seconds, of which `run` asks what lies between.
    pub(super) fn time<E>(
        &self,
        stream: usize,
        run: impl FnOnce() -> Result<(), E>,
    ) -> Result<Result<f64, E>, String> {
        self.context.bind_to_thread().map_err(say)?;
        let event = || result::event::create(sys::CUevent_flags::CU_EVENT_DEFAULT).map_err(say);
        let (start, end) = (event()?, event()?);
        // SAFETY: events that were just made, and a stream that is there; they are waited for before they go.
        unsafe {
            result::event::record(start, raw(stream)).map_err(say)?;
            let done = run();
            result::event::record(end, raw(stream)).map_err(say)?;
            result::stream::synchronize(raw(stream)).map_err(say)?;
            let ms = result::event::elapsed(start, end).map_err(say)?;
            let _ = (result::event::destroy(start), result::event::destroy(end));
            Ok(done.map(|()| f64::from(ms) * 1e-3))
        }
    }

    /// Copies within the device, on a stream.
    ///
    /// # Safety
    ///
    /// Both hold so many bytes.
    pub(super) unsafe fn copy_within(
        &self,
        from: u64,
        to: u64,
        bytes: usize,
        stream: usize,
    ) -> Result<(), String> {
        self.context.bind_to_thread().map_err(say)?;
        // SAFETY: as the caller says.
        unsafe { result::memcpy_dtod_async(to, from, bytes, raw(stream)).map_err(say) }
    }

    pub(super) fn end_graph(&self, graph: usize) {
        if self.context.bind_to_thread().is_ok() {
            // SAFETY: `end` made it, and it is not used again.
            let _ = unsafe { result::graph::exec_destroy(core::ptr::with_exposed_provenance_mut(graph)) };
        }
    }

    pub(super) fn alloc(&self, bytes: usize) -> Result<u64, String> {
        self.context.bind_to_thread().map_err(say)?;
        // SAFETY: what it holds is not read before it is written.
        unsafe { result::malloc_sync(bytes.max(1)).map_err(say) }
    }

    pub(super) fn free(&self, address: u64, _: usize) {
        // There is nobody to tell that it failed. Where the device cannot be waited for, a kernel may still use the
        // memory, which is then kept.
        if self.context.bind_to_thread().is_ok() && result::ctx::synchronize().is_ok() {
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
        // The copy may come back before its end, which only the default stream knows of.
        // SAFETY: as the caller says.
        unsafe {
            result::memcpy_htod_sync(to, core::slice::from_raw_parts(from, bytes)).map_err(say)?;
            result::stream::synchronize(raw(0)).map_err(say)
        }
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

/// A folder with the PTX of all kernels, in place of NVRTC.
fn packed() -> Option<OsString> {
    std::env::var_os("PPO_PTX_FROM").filter(|folder| !folder.is_empty())
}

/// What [`ptx`] gave elsewhere, for the newest architecture that is no newer than this one.
pub(super) fn packed_ptx(folder: &Path, stem: &str, capability: u32) -> Result<String, String> {
    let entries = std::fs::read_dir(folder).map_err(|err| format!("{}: {err}", folder.display()))?;
    let arch = |path: &PathBuf| -> Option<u32> {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix(stem)?.strip_prefix(".compute_")?.strip_suffix(".ptx")?.parse().ok()
    };
    let all = entries.flatten().map(|entry| entry.path());
    let fit = all.filter_map(|path| Some((arch(&path)?, path))).filter(|(arch, _)| *arch <= capability);
    let (_, path) = fit
        .max()
        .ok_or_else(|| format!("{} has no PTX of `{stem}` for compute_{capability}", folder.display()))?;
    let ptx = std::fs::read_to_string(&path).map_err(|err| format!("{}: {err}", path.display()))?;
    prelude::check_ptx(&ptx)?;
    Ok(ptx)
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
