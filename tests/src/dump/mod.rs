//! Rollout dumps: one safetensors file with the inputs of a step, its outputs, and the settings.
//!
//! | part | is |
//! |---|---|
//! | [`Dump::open`] | the header, bounded and checked; roles and shapes; nothing else is read |
//! | [`Dump::open_ranks`] | several files as the ranks of one batch |
//! | [`Dump::choose`] | flags over metadata over defaults: [`Chosen`] |
//! | [`Inputs::load`] | what the step reads, checked so that the reference has nothing to refuse |
//! | [`Dump::output_scalar`], [`Dump::output_matrix`], [`Dump::output_rows`] | the file's own outputs |
//! | [`Writer`] | a dump of outputs |
//!
//! Bad input is a [`BadInput`], one sentence with the name and the numbers; nothing here panics on it.
//!
//! The format itself is written down in `FORMAT.md` beside this file.
//!
//! # Memory
//!
//! A header is at most 4 MiB and names at most 4096 tensors; a refused file costs that and no more, since
//! names, types, shapes, places and the file's length are checked before a tensor is read. Tensors are read
//! through a buffer of 64 KiB. What is held then is one matrix for each (B, L) input and one token's logits.

mod chosen;
pub(crate) mod draft;
mod ends;
pub(crate) mod error;
pub(crate) mod header;
mod json;
mod keys;
mod load;
mod logits;
mod names;
mod needs;
mod outputs;
mod ranks;
mod read;
mod roles;
mod settings;
mod shape;
pub(crate) mod stream;
pub(crate) mod tensor;
pub(crate) mod write;

pub use chosen::{Chosen, Facts, GradOf, Scores, Setting, Source, WhitenOver};
pub use error::BadInput;
pub(crate) use error::plain;
pub use header::{Header, LONGEST_HEADER, Tensor};
pub use keys::{Fallback, KEYS, Key};
pub use load::Inputs;
pub use logits::{Logits, Rows};
pub use names::{Axes, INPUTS, Kind, OUTPUTS, Row};
pub use roles::Roles;
pub use settings::choose;
pub use shape::{MOST_SLOTS, MOST_VOCAB, Shape};
pub use write::{Entry, Writer};

use std::{
    fs::File,
    path::Path,
    sync::{Arc, Mutex},
};

/// An open dump whose header has been checked: one file, or several that are the ranks of one batch.
#[derive(Debug, Clone)]
pub struct Dump {
    /// The files.
    parts: Arc<Vec<Part>>,
    /// Theirs together.
    header: Header,
    roles: Roles,
    shape: Shape,
    /// Scalars that are each rank's own.
    apart: Vec<&'static str>,
}

/// One file.
#[derive(Debug, Clone)]
struct Part {
    file: Arc<Mutex<File>>,
    header: Header,
    shape: Shape,
}

impl Dump {
    /// Opens a file and checks everything that can be checked without reading a tensor.
    ///
    /// # Errors
    ///
    /// Anything but a regular file; a header that is too long, malformed, names something twice or does not
    /// fit the file; names that claim one row; a wrong dtype, rank or shape.
    pub fn open(path: impl AsRef<Path>) -> Result<Dump, BadInput> {
        let mut file = header::open(path.as_ref())?;
        let header = header::read(&mut file)?;
        let roles = Roles::of(header.tensors.iter().map(|tensor| tensor.name.as_str()))?;
        let shape = shape::check(&header, &roles)?;
        let part = Part { file: Arc::new(Mutex::new(file)), header: header.clone(), shape: shape.clone() };
        Ok(Dump { parts: Arc::new(vec![part]), header, roles, shape, apart: Vec::new() })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Which tensor is what.
    pub fn roles(&self) -> &Roles {
        &self.roles
    }

    /// B, L, V.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What the tensors say about the settings.
    pub fn facts(&self) -> Facts {
        let scores = match self.input("scores").map(|scores| scores.shape.len()) {
            None => Scores::Absent,
            Some(1) => Scores::PerRow,
            Some(_) => Scores::PerToken,
        };
        Facts { t_len: self.shape.t_len, scores }
    }

    /// The settings of this file under these flags.
    ///
    /// # Errors
    ///
    /// As [`choose`].
    pub fn choose(&self, flags: &[(String, String)]) -> Result<Chosen, BadInput> {
        choose(flags, &self.header.metadata, self.facts())
    }
}
