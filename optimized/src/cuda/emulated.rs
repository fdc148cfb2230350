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

pub(super) fn launch<A: Plain>(kernel: &str, blocks: u32, args: &A) -> Result<(), String> {
    let name = CString::new(kernel).map_err(|err| err.to_string())?;
    let _one_at_a_time = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: `name` is a string of C and `args` holds so many bytes, which are what the kernel takes: it compares the
    // size. The addresses in it are of buffers that the caller keeps. What it gives is null or a string of C that stands
    // until the next launch.
    unsafe {
        let said =
            ppo_emulation_launch(name.as_ptr(), blocks, core::ptr::from_ref(args).cast(), size_of::<A>());
        if said.is_null() { Ok(()) } else { Err(CStr::from_ptr(said).to_string_lossy().into_owned()) }
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
