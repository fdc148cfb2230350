//! Which instruction set runs a kernel: the only place that asks the machine.

#[cfg(test)]
mod tests;

use crate::Error;
#[cfg(kernels)]
use crate::cuda::{self, Device};
use core::fmt;
#[cfg(target_arch = "aarch64")]
use fearless_simd::Neon;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use fearless_simd::{Avx2, Avx512, Sse2, Sse4_2};
use fearless_simd::{Fallback, Level};

/// An instruction set that this machine has.
///
/// Each variant holds a token that only detection can make, so having the value is the proof. All backends
/// return the same bits; they differ in speed alone. Threads are not a backend: they cut rows into fixed
/// blocks around one.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Backend {
    /// Plain scalar code: the same text as every other level, and so the specification.
    Fallback(Fallback),
    /// x86 with SSE2, which every x86-64 has.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Sse2(Sse2),
    /// x86-64-v2.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Sse4_2(Sse4_2),
    /// x86-64-v3: AVX2 with FMA.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Avx2(Avx2),
    /// AVX-512 as Ice Lake has it.
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    Avx512(Avx512),
    /// 64-bit Arm.
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    /// The CUDA kernels, on a GPU or emulated; built with the features `cuda` and `cuda-emulation`. Not every term
    /// has one: see [`Backend::with`].
    #[cfg(kernels)]
    Cuda(Device),
}

impl Backend {
    /// Every name there is, on whatever machine.
    pub const NAMES: &'static [&'static str] =
        &["fallback", "sse2", "sse4.2", "avx2", "avx512", "neon", "cuda", "cuda-emulation"];

    /// The backends of this machine: the levels of its CPU, slowest first, then what runs CUDA. Never empty.
    pub fn available() -> Vec<Backend> {
        let level = Level::new();
        let mut all = Vec::new();
        if let Level::Fallback(token) = Level::fallback() {
            all.push(Backend::Fallback(token));
        }
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        {
            all.extend(level.as_sse2().map(Backend::Sse2));
            all.extend(level.as_sse4_2().map(Backend::Sse4_2));
            all.extend(level.as_avx2().map(Backend::Avx2));
            all.extend(level.as_avx512().map(Backend::Avx512));
        }
        #[cfg(target_arch = "aarch64")]
        all.extend(level.as_neon().map(Backend::Neon));
        #[cfg(kernels)]
        all.extend(Device::all().into_iter().map(Backend::Cuda));
        all
    }

    /// Those of them that have the term of this stem, such as `value_loss`. A level of the CPU has every term.
    pub fn with(stem: &str) -> Vec<Backend> {
        Backend::available().into_iter().filter(|on| on.has(stem)).collect()
    }

    /// Whether the term of this stem runs on it; where it does not, a call is [`Error::NotOn`].
    pub fn has(self, stem: &str) -> bool {
        let _ = stem;
        match self {
            #[cfg(kernels)]
            Backend::Cuda(_) => cuda::TERMS.contains(&stem),
            _ => true,
        }
    }

    /// Whether it is no level of the CPU, so that threads are nothing to it.
    pub fn is_device(self) -> bool {
        #[cfg(kernels)]
        return self.device().is_some();
        #[cfg(not(kernels))]
        false
    }

    /// The best level of this machine's CPU; never fails. A device is asked for by its name.
    pub fn best() -> Backend {
        match Level::new() {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Level::Avx512(token) => Backend::Avx512(token),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Level::Avx2(token) => Backend::Avx2(token),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Level::Sse4_2(token) => Backend::Sse4_2(token),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Level::Sse2(token) => Backend::Sse2(token),
            #[cfg(target_arch = "aarch64")]
            Level::Neon(token) => Backend::Neon(token),
            _ => Backend::Fallback(Fallback::new()),
        }
    }

    /// The backend of this name.
    ///
    /// # Errors
    ///
    /// If this machine does not have it, or the name is not one of [`Backend::NAMES`].
    pub fn named(name: &str) -> Result<Backend, Error> {
        let available = Backend::available();
        if let Some(found) = available.iter().find(|backend| backend.name() == name) {
            return Ok(*found);
        }
        Err(if Backend::NAMES.contains(&name) {
            let available = available.iter().map(|backend| backend.name()).collect();
            Error::AbsentBackend { name: name.to_owned(), why: Backend::why_absent(name), available }
        } else {
            Error::UnknownBackend { name: name.to_owned(), names: Backend::NAMES }
        })
    }

    /// Why a backend that is no level of a CPU is not here.
    fn why_absent(name: &str) -> Option<&'static str> {
        #[cfg(feature = "cuda")]
        let cuda = Device::cuda().err();
        #[cfg(not(feature = "cuda"))]
        let cuda = Some("built without the feature `cuda`");
        match name {
            "cuda" => cuda,
            "cuda-emulation" if cfg!(feature = "cuda-emulation") => Some("no C++ compiler"),
            "cuda-emulation" => Some("built without the feature `cuda-emulation`"),
            _ => None,
        }
    }

    /// What a suite says at its end, such as `ran fallback, sse2; absent: avx2, neon, cuda (no libcuda)`.
    ///
    /// # Errors
    ///
    /// If one of the `required` names, separated by commas, is not here.
    pub fn roll_call(required: &str) -> Result<String, Error> {
        required
            .split(',')
            .filter(|name| !name.is_empty())
            .try_for_each(|name| Backend::named(name).map(drop))?;
        let here: Vec<&str> = Backend::available().iter().map(|backend| backend.name()).collect();
        let absent = Backend::NAMES.iter().filter(|name| !here.contains(name));
        let absent: Vec<String> = absent
            .map(|name| match Backend::why_absent(name) {
                Some(why) => format!("{name} ({why})"),
                None => (*name).to_owned(),
            })
            .collect();
        Ok(format!("ran {}; absent: {}", here.join(", "), absent.join(", ")))
    }

    /// The level that the kernels of the best backend run at.
    pub(crate) fn best_level() -> Level {
        Level::new()
    }

    /// The device, if it is one.
    #[cfg(kernels)]
    pub(crate) fn device(self) -> Option<Device> {
        if let Backend::Cuda(device) = self { Some(device) } else { None }
    }

    /// The token as the dispatch of a term's kernels wants it; refused where the term is not there.
    pub(crate) fn level(self, op: &'static str) -> Result<Level, Error> {
        let _ = op;
        Ok(match self {
            Backend::Fallback(token) => Level::Fallback(token),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Backend::Sse2(token) => Level::Sse2(token),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Backend::Sse4_2(token) => Level::Sse4_2(token),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Backend::Avx2(token) => Level::Avx2(token),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Backend::Avx512(token) => Level::Avx512(token),
            #[cfg(target_arch = "aarch64")]
            Backend::Neon(token) => Level::Neon(token),
            #[cfg(kernels)]
            Backend::Cuda(_) => return Err(Error::NotOn { op, backend: self.name() }),
        })
    }

    /// Its name, one of [`Backend::NAMES`].
    pub fn name(self) -> &'static str {
        match self {
            Backend::Fallback(_) => "fallback",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Backend::Sse2(_) => "sse2",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Backend::Sse4_2(_) => "sse4.2",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Backend::Avx2(_) => "avx2",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Backend::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Backend::Neon(_) => "neon",
            #[cfg(kernels)]
            Backend::Cuda(device) => device.name(),
        }
    }
}

/// Two tokens of one instruction set are the same backend.
impl PartialEq for Backend {
    fn eq(&self, other: &Backend) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Backend {}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
