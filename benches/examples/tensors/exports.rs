//! What the library exports.

use crate::work::Work;
use optimized::Backend;
use std::{
    error::Error,
    ffi::{CStr, CString, c_char, c_void},
    ptr,
    sync::{Mutex, PoisonError},
};

static SAID: Mutex<Option<CString>> = Mutex::new(None);

/// Why the last call failed: stands until another fails.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn ppo_said() -> *const c_char {
    let said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    said.as_deref().unwrap_or(c"").as_ptr()
}

fn fails(error: &dyn Error) {
    let text = CString::new(error.to_string().replace('\0', "")).unwrap_or_default();
    *SAID.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
}

/// A work on a stream of that backend, or null.
///
/// # Safety
///
/// `on` and `kind` are strings of C, `valid` has a byte a token, 0 or 1, on the host, or is null; the stream is there as long
/// as the work.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ppo_open(
    on: *const c_char,
    kind: *const c_char,
    rows: usize,
    columns: usize,
    valid: *const bool,
    stream: *mut c_void,
) -> *mut Work {
    // SAFETY: as the caller says.
    let made = unsafe {
        let words = [on, kind].map(|text| CStr::from_ptr(text).to_string_lossy().into_owned());
        let valid = (!valid.is_null()).then(|| std::slice::from_raw_parts(valid, rows * columns).to_vec());
        Backend::named(&words[0]).and_then(|on| Work::new(on, &words[1], (rows, columns), valid, stream))
    };
    made.map_or_else(
        |error| {
            fails(&error);
            ptr::null_mut()
        },
        |work| Box::into_raw(Box::new(work)),
    )
}

/// How many f32 of scratch it takes.
///
/// # Safety
///
/// [`ppo_open`] made the work.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ppo_scratch(work: *const Work) -> usize {
    // SAFETY: as the caller says.
    unsafe { &*work }.scratch()
}

/// Asks the stream for the work; 0 if that went well.
///
/// # Safety
///
/// [`ppo_open`] made the work; the addresses are as many as its kind has, in its order, of memory of its backend's that is as
/// large, and is there until the stream has come to the work's end.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ppo_run(work: *const Work, addresses: *const u64) -> i32 {
    // SAFETY: as the caller says.
    let done = unsafe {
        let work = &*work;
        work.run(std::slice::from_raw_parts(addresses, work.operands()))
    };
    done.map_or_else(
        |error| {
            fails(&error);
            1
        },
        |()| 0,
    )
}

/// Gives back the mask's memory, and waits for the device.
///
/// # Safety
///
/// [`ppo_open`] made the work, and it is not used again.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn ppo_close(work: *mut Work) {
    // SAFETY: as the caller says.
    drop(unsafe { Box::from_raw(work) });
}
