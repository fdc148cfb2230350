//! The emulated device: its memory is the host's, and its launches are calls of `emulation/machine.cpp`.

#![expect(unsafe_code, reason = "the emulation is C++")]

use super::Plain;
use core::ffi::{CStr, c_char, c_void};
use std::{
    alloc::{Layout, alloc, dealloc},
    ffi::CString,
    sync::{Mutex, PoisonError},
};

unsafe extern "C" {
    fn ppo_emulation_launch(
        name: *const c_char,
        blocks: u32,
        args: *const c_void,
        bytes: usize,
    ) -> *const c_char;
}

/// The emulation is one machine, which runs one kernel at a time.
static MACHINE: Mutex<()> = Mutex::new(());

/// A kernel with its arguments, to be run now or later, and again.
#[derive(Debug)]
pub(super) struct Launch {
    kernel: &'static str,
    blocks: u32,
    args: Vec<u64>,
    bytes: usize,
}

impl Launch {
    pub(super) fn new<A: Plain>(kernel: &'static str, blocks: u32, args: &A) -> Launch {
        let bytes = size_of::<A>();
        let mut copy = vec![0; bytes.div_ceil(8)];
        // SAFETY: there is room for its bytes, of which some may be between its fields.
        unsafe { core::ptr::from_ref(args).copy_to_nonoverlapping(copy.as_mut_ptr().cast(), 1) };
        Launch { kernel, blocks, args: copy, bytes }
    }

    pub(super) fn run(&self) -> Result<(), String> {
        let name = CString::new(self.kernel).map_err(|err| err.to_string())?;
        let _one_at_a_time = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: `name` is a string of C and `args` holds so many bytes, which are what the kernel takes: it compares the
        // size. The addresses in it are of memory that the caller keeps. What it gives is null or a string of C that
        // stands until the next launch.
        unsafe {
            let said =
                ppo_emulation_launch(name.as_ptr(), self.blocks, self.args.as_ptr().cast(), self.bytes);
            if said.is_null() { Ok(()) } else { Err(CStr::from_ptr(said).to_string_lossy().into_owned()) }
        }
    }
}

/// Memory begins as a GPU's does, and holds what no kernel has computed.
const GARBAGE: u8 = 0xff;

fn layout(bytes: usize) -> Result<Layout, String> {
    Layout::from_size_align(bytes.max(1), 256).map_err(|err| err.to_string())
}

pub(super) fn alloc_bytes(bytes: usize) -> Result<u64, String> {
    let layout = layout(bytes)?;
    // SAFETY: the size is not 0, and what is filled is what was allocated.
    unsafe {
        let to = alloc(layout);
        if to.is_null() {
            return Err("the host has none left".to_owned());
        }
        to.write_bytes(GARBAGE, layout.size());
        Ok(to.expose_provenance() as u64)
    }
}

pub(super) fn free(address: u64, bytes: usize) {
    if let Ok(layout) = layout(bytes) {
        // SAFETY: the buffer that is dropped was allocated so.
        unsafe { dealloc(core::ptr::with_exposed_provenance_mut(address as usize), layout) }
    }
}

/// # Safety
///
/// Both hold so many bytes.
pub(super) unsafe fn copy(from: *const u8, to: u64, bytes: usize) -> Result<(), String> {
    // SAFETY: as the caller says; two allocations do not overlap.
    unsafe { from.copy_to_nonoverlapping(core::ptr::with_exposed_provenance_mut(to as usize), bytes) };
    Ok(())
}

/// # Safety
///
/// Both hold so many bytes.
pub(super) unsafe fn copy_back(from: u64, to: *mut u8, bytes: usize) -> Result<(), String> {
    // SAFETY: as the caller says; two allocations do not overlap.
    unsafe { to.copy_from_nonoverlapping(core::ptr::with_exposed_provenance(from as usize), bytes) };
    Ok(())
}
