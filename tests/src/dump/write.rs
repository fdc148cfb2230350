//! A dump written in one pass: all F64, beside its target, renamed when it is whole.

use super::{
    BadInput,
    error::{bad, plain},
    header::LONGEST_HEADER,
};
use nalgebra::DMatrix;
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// One tensor to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the file.
    pub name: String,
    /// Its axes; none for a scalar.
    pub shape: Vec<usize>,
}

impl Entry {
    /// A tensor of that name and shape.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<usize>>) -> Entry {
        Entry { name: name.into(), shape: shape.into() }
    }
}

/// Writes the declared tensors in their order, each whole or in parts.
///
/// The bytes go to a file beside the target, which takes the target's name in [`Writer::finish`]; a writer
/// that is dropped before leaves nothing behind.
#[derive(Debug)]
pub struct Writer {
    file: Option<BufWriter<File>>,
    beside: PathBuf,
    target: PathBuf,
    /// Each tensor with its number of elements.
    entries: Vec<(Entry, usize)>,
    /// The tensor that is being written, and how many of its elements are.
    now: (usize, usize),
}

impl Writer {
    /// Creates the file and writes its header.
    ///
    /// # Errors
    ///
    /// If the target is no regular file, two entries share a name, or the file cannot be written.
    pub fn create(
        path: &Path,
        entries: &[Entry],
        metadata: &BTreeMap<String, String>,
    ) -> Result<Writer, BadInput> {
        if fs::metadata(path).is_ok_and(|about| !about.is_file()) {
            return Err(bad!("the target is no regular file, and is not replaced"));
        }
        let (header, sizes) = header(entries, metadata)?;
        let beside = beside(path)?;
        let file = File::options().write(true).create_new(true).open(&beside);
        let file = file.map_err(|err| bad!("the file cannot be created: {err}"))?;
        let mut writer = Writer {
            file: Some(BufWriter::with_capacity(64 << 10, file)),
            beside,
            target: path.to_path_buf(),
            entries: sizes,
            now: (0, 0),
        };
        writer.put(&(header.len() as u64).to_le_bytes())?;
        writer.put(header.as_bytes())?;
        Ok(writer)
    }

    /// A scalar.
    ///
    /// # Errors
    ///
    /// As [`Writer::part`].
    pub fn scalar(&mut self, name: &str, x: f64) -> Result<(), BadInput> {
        self.part(name, &[x])
    }

    /// A b × t_len matrix, row by row.
    ///
    /// # Errors
    ///
    /// If its shape is not the declared one, and as [`Writer::part`].
    pub fn matrix(&mut self, name: &str, x: &DMatrix<f64>) -> Result<(), BadInput> {
        let declared = self.entries.iter().find(|(entry, _)| entry.name == name);
        if let Some((entry, _)) = declared.filter(|(entry, _)| entry.shape != [x.nrows(), x.ncols()]) {
            let name = plain(name);
            return Err(bad!(
                "`{name}` is {} × {}, and was declared {:?}",
                x.nrows(),
                x.ncols(),
                entry.shape
            ));
        }
        let mut row = Vec::with_capacity(x.ncols());
        for i in 0..x.nrows() {
            row.clear();
            row.extend(x.row(i).iter());
            self.part(name, &row)?;
        }
        Ok(())
    }

    /// The next elements of a tensor, such as one token's row of a (B, L, V) gradient.
    ///
    /// # Errors
    ///
    /// If the tensor is not the next in the order that was declared, if it is full, or if the file cannot be
    /// written.
    pub fn part(&mut self, name: &str, x: &[f64]) -> Result<(), BadInput> {
        self.skip_full();
        let (index, done) = self.now;
        let Some((Entry { name: next, .. }, size)) = self.entries.get(index) else {
            return Err(bad!("`{}` is not next to be written: every tensor is whole", plain(name)));
        };
        if next != name {
            return Err(bad!("`{}` is not next to be written, `{}` is", plain(name), plain(next)));
        }
        if x.len() > size - done {
            let left = size - done;
            return Err(bad!(
                "`{}` has room for {left} more of its {size} elements, not {}",
                plain(name),
                x.len()
            ));
        }
        self.now.1 += x.len();
        x.iter().try_for_each(|x| self.put(&x.to_le_bytes()))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    ///
    /// If a tensor is not whole, or the file cannot be written or renamed.
    pub fn finish(mut self) -> Result<(), BadInput> {
        self.skip_full();
        let (index, done) = self.now;
        if let Some((Entry { name, .. }, size)) = self.entries.get(index) {
            return Err(bad!("`{}` has {done} of its {size} elements", plain(name)));
        }
        let unwritable = |err: std::io::Error| bad!("the file cannot be written: {err}");
        if let Some(file) = &mut self.file {
            file.flush().map_err(unwritable)?;
        }
        fs::rename(&self.beside, &self.target).map_err(unwritable)?;
        self.file = None;
        Ok(())
    }

    /// On to the first tensor that is not whole.
    fn skip_full(&mut self) {
        while self.entries.get(self.now.0).is_some_and(|(_, size)| *size == self.now.1) {
            self.now = (self.now.0 + 1, 0);
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), BadInput> {
        match &mut self.file {
            Some(file) => file.write_all(bytes).map_err(|err| bad!("the file cannot be written: {err}")),
            None => Ok(()),
        }
    }
}

impl Drop for Writer {
    /// An unfinished file goes away; whether that works cannot be said here.
    fn drop(&mut self) {
        if self.file.take().is_some() {
            let _ = fs::remove_file(&self.beside);
        }
    }
}

/// A name beside the target that no other writer has.
fn beside(path: &Path) -> Result<PathBuf, BadInput> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| bad!("the target names no file"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.{}.part", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    Ok(path.with_file_name(hidden))
}

/// The header's text, padded to 8 bytes, and the number of elements of each tensor.
fn header(
    entries: &[Entry],
    metadata: &BTreeMap<String, String>,
) -> Result<(String, Vec<(Entry, usize)>), BadInput> {
    let (mut tensors, mut sizes, mut end) = (Vec::new(), Vec::<(Entry, usize)>::new(), 0u64);
    for entry in entries {
        let name = plain(&entry.name);
        if entry.name == "__metadata__" || sizes.iter().any(|(other, _)| other.name == entry.name) {
            return Err(bad!("`{name}` cannot be written: the name is taken"));
        }
        let size = entry.shape.iter().try_fold(1, |n: usize, axis| n.checked_mul(*axis));
        let bytes =
            size.and_then(|size| (size as u64).checked_mul(8)).and_then(|bytes| end.checked_add(bytes));
        let (Some(size), Some(next)) = (size, bytes) else {
            return Err(bad!("`{name}` of shape {:?} is larger than a file can be", entry.shape));
        };
        tensors.push(serde_json::json!({"dtype": "F64", "shape": entry.shape, "data_offsets": [end, next]}));
        sizes.push((entry.clone(), size));
        end = next;
    }
    let names = entries.iter().map(|entry| entry.name.as_str());
    let text = serde_json::to_string(&Head { metadata, tensors: names.zip(tensors).collect() });
    let mut text = text.map_err(|err| bad!("the header cannot be written: {err}"))?;
    text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
    if text.len() as u64 > LONGEST_HEADER {
        return Err(bad!("the header would have {} bytes, more than {LONGEST_HEADER}", text.len()));
    }
    Ok((text, sizes))
}

/// The header in the order in which it is written.
struct Head<'a> {
    metadata: &'a BTreeMap<String, String>,
    tensors: Vec<(&'a str, serde_json::Value)>,
}

impl Serialize for Head<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry("__metadata__", self.metadata)?;
        }
        self.tensors.iter().try_for_each(|(name, tensor)| map.serialize_entry(name, tensor))?;
        map.end()
    }
}
