//! Which instruction set runs a kernel: the only place that asks the machine.

use crate::Error;
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
}

impl Backend {
    /// Every name there is, on whatever machine.
    pub const NAMES: &'static [&'static str] = &["fallback", "sse2", "sse4.2", "avx2", "avx512", "neon"];

    /// The backends of this machine, slowest first. Never empty.
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
        all
    }

    /// The best backend of this machine; never fails.
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
            Error::AbsentBackend { name: name.to_owned(), available }
        } else {
            Error::UnknownBackend { name: name.to_owned(), names: Backend::NAMES }
        })
    }

    /// What a suite says at its end, such as `ran fallback, sse2; absent: sse4.2, avx2, avx512, neon`.
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
        let absent: Vec<&str> = Backend::NAMES.iter().copied().filter(|name| !here.contains(name)).collect();
        Ok(format!("ran {}; absent: {}", here.join(", "), absent.join(", ")))
    }

    /// The token as the dispatch of kernels wants it.
    pub(crate) fn level(self) -> Level {
        match self {
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
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_backend_is_the_last_available_one() {
        assert_eq!(Backend::available().last(), Some(&Backend::best()));
    }

    #[test]
    fn the_specification_is_always_there() {
        assert_eq!(Backend::named("fallback").unwrap(), Backend::available()[0]);
    }

    #[test]
    fn every_available_backend_is_found_by_its_name() {
        for backend in Backend::available() {
            assert!(Backend::NAMES.contains(&backend.name()), "{backend} is not listed");
            assert_eq!(Backend::named(&backend.to_string()), Ok(backend));
        }
    }

    #[test]
    fn two_backends_are_equal_where_their_names_are() {
        let all = Backend::available();
        for (left, right) in all.iter().flat_map(|left| all.iter().map(move |right| (left, right))) {
            assert_eq!(left == right, left.name() == right.name(), "{left} and {right}");
        }
    }

    #[test]
    fn an_absent_backend_is_an_error_that_says_what_there_is() {
        let absent = if cfg!(target_arch = "aarch64") { "avx2" } else { "neon" };
        let said = Backend::named(absent).unwrap_err().to_string();
        assert!(
            said.starts_with(&format!("backend: `{absent}` is absent; this machine has fallback")),
            "{said}"
        );
    }

    #[test]
    fn a_roll_call_names_every_backend_once_and_fails_without_a_required_one() {
        let said = Backend::roll_call("").unwrap();
        let (ran, absent) = said.strip_prefix("ran ").and_then(|said| said.split_once("; absent: ")).unwrap();
        let mut all: Vec<&str> = ran.split(", ").chain(absent.split(", ")).collect();
        all.sort_by_key(|name| Backend::NAMES.iter().position(|known| known == name));
        assert_eq!(all, Backend::NAMES);
        assert_eq!(Backend::roll_call(&ran.replace(", ", ",")), Ok(said.clone()));
        assert!(Backend::roll_call(&format!("fallback,{}", absent.split(", ").next().unwrap())).is_err());
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_names() {
        let said = Backend::named("mmx").unwrap_err().to_string();
        assert_eq!(said, "backend: `mmx` is not one of fallback, sse2, sse4.2, avx2, avx512, neon");
    }
}
