//! Everything that can be wrong with a call, one line each.

use core::fmt;

/// Why a call was refused. Nothing was computed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A backend that this machine does not have was asked for.
    AbsentBackend {
        /// What was asked for.
        name: String,
        /// What this machine has.
        available: Vec<&'static str>,
    },
    /// A name that is no backend's was asked for.
    UnknownBackend {
        /// What was asked for.
        name: String,
        /// Every name there is.
        names: &'static [&'static str],
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::AbsentBackend { name, available } => {
                write!(f, "backend: `{name}` is absent; this machine has {}", available.join(", "))
            }
            Error::UnknownBackend { name, names } => {
                write!(f, "backend: `{name}` is not one of {}", names.join(", "))
            }
        }
    }
}

impl std::error::Error for Error {}
