//! The head of a dump: opened, bounded and checked before a single tensor is read.

use super::{
    BadInput,
    error::{bad, plain},
    json::{Written, WrittenTensor},
};
use safetensors::{Dtype, tensor::Metadata};
use serde::{Deserialize, de::IntoDeserializer};
use std::{collections::BTreeMap, fs::File, io::Read, path::Path};

/// The longest header that is read, in bytes; that of a dump has a few thousand.
pub const LONGEST_HEADER: u64 = 4 << 20;

/// Bytes before the header: its length.
const LENGTH: u64 = 8;

/// One tensor of a file: where it is and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in the file.
    pub name: String,
    /// The type of an element.
    pub dtype: Dtype,
    /// Axes; the product fits a usize and so does the number of bytes.
    pub shape: Vec<usize>,
    /// Its first byte, from the start of the file.
    pub(crate) start: u64,
}

impl Tensor {
    /// The number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A checked header: every tensor lies inside the file, none overlaps another, nothing is left over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// In the order of the data.
    pub tensors: Vec<Tensor>,
    /// `__metadata__`.
    pub metadata: BTreeMap<String, String>,
}

/// Opens a path if it is a regular file. Anything else is refused before it is opened, since to open a
/// FIFO is to wait for its writer.
pub(crate) fn open(path: &Path) -> Result<File, BadInput> {
    let cannot = |err: std::io::Error| bad!("the file cannot be opened: {err}");
    let kind = std::fs::metadata(path).map_err(cannot)?.file_type();
    if kind.is_dir() {
        return Err(bad!("this is a directory, and a dump is a regular file"));
    }
    if !kind.is_file() {
        return Err(bad!("this is a pipe, a socket or a device, and a dump is a regular file"));
    }
    let file = File::open(path).map_err(cannot)?;
    match file.metadata() {
        Ok(about) if about.is_file() => Ok(file),
        Ok(_) => Err(bad!("this is no regular file any more")),
        Err(err) => Err(cannot(err)),
    }
}

/// Reads and checks the header of an open file that stands at its start.
pub(crate) fn read(file: &mut File) -> Result<Header, BadInput> {
    let unreadable = |err: std::io::Error| bad!("the file cannot be read: {err}");
    let file_len = file.metadata().map_err(unreadable)?.len();
    if file_len < LENGTH {
        return Err(bad!(
            "the file has {file_len} bytes, and a safetensors file begins with {LENGTH} that say how long its \
             header is"
        ));
    }
    let mut length = [0; LENGTH as usize];
    file.read_exact(&mut length).map_err(unreadable)?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST_HEADER {
        return Err(bad!(
            "the first 8 bytes claim a header of {length} bytes, and at most {LONGEST_HEADER} are read: this is \
             no dump"
        ));
    }
    if LENGTH + length > file_len {
        return Err(bad!(
            "the header claims {length} bytes after the first 8, and the file has {file_len} in all: it is cut \
             short"
        ));
    }
    let mut text = vec![0; length as usize];
    file.read_exact(&mut text).map_err(unreadable)?;
    let text = String::from_utf8(text)
        .map_err(|err| bad!("the header is not UTF-8: byte {} is wrong", err.utf8_error().valid_up_to()))?;
    parse(&text, LENGTH + length, file_len)
}

/// The checks in order: names, dtypes, sizes, places, the `safetensors` crate's own, the file's length.
fn parse(text: &str, data_start: u64, file_len: u64) -> Result<Header, BadInput> {
    let malformed =
        |err: &dyn std::fmt::Display| bad!("the header is malformed: {}", plain(&err.to_string()));
    let Written { mut tensors, metadata } = serde_json::from_str(text).map_err(|err| malformed(&err))?;
    tensors.sort_by_key(|(_, tensor)| tensor.data_offsets);
    let (mut checked, mut end) = (Vec::new(), 0);
    for (name, tensor) in tensors {
        let (dtype, shape) = check(&plain(&name), &tensor, end)?;
        checked.push(Tensor { name, dtype, shape, start: data_start + tensor.data_offsets.0 });
        end = tensor.data_offsets.1;
        if end > file_len - data_start {
            let Tensor { name, .. } = &checked[checked.len() - 1];
            return Err(bad!(
                "`{}` ends at byte {end} of the data, and the file has {} of them: it is cut short",
                plain(name),
                file_len - data_start
            ));
        }
    }
    serde_json::from_str::<Metadata>(text).map_err(|err| malformed(&err))?;
    if end < file_len - data_start {
        let rest = file_len - data_start - end;
        return Err(bad!("{rest} bytes follow the last tensor, and no tensor claims them"));
    }
    Ok(Header { tensors: checked, metadata })
}

/// One tensor, given where the one before it ends.
fn check(name: &str, tensor: &WrittenTensor, before: u64) -> Result<(Dtype, Vec<usize>), BadInput> {
    let unknown = |_: serde::de::value::Error| {
        bad!("`{name}` has dtype `{}`, which safetensors does not know", plain(&tensor.dtype))
    };
    let dtype = Dtype::deserialize(tensor.dtype.as_str().into_deserializer()).map_err(unknown)?;
    let (start, end) = tensor.data_offsets;
    if end < start {
        return Err(bad!("`{name}` begins at byte {start} of the data and ends before that, at {end}"));
    }
    if start != before {
        return Err(bad!(
            "`{name}` begins at byte {start} of the data, and the tensor before it ends at {before}: tensors \
             neither overlap nor leave gaps"
        ));
    }
    let too_large =
        || bad!("`{name}` claims the shape {:?}, more than a machine can address", tensor.shape.0);
    let size = |axis: &u64| usize::try_from(*axis).ok();
    let shape: Vec<usize> = tensor.shape.0.iter().map(size).collect::<Option<_>>().ok_or_else(too_large)?;
    let count = shape.iter().try_fold(1, |n: usize, axis| n.checked_mul(*axis)).ok_or_else(too_large)?;
    let bits = count.checked_mul(dtype.bitsize()).ok_or_else(too_large)? as u64;
    if !bits.is_multiple_of(8) || bits / 8 != end - start {
        return Err(bad!(
            "`{name}` is {dtype:?} of shape {shape:?} and needs {} bytes, but its offsets span {}",
            bits.div_ceil(8),
            end - start
        ));
    }
    Ok((dtype, shape))
}
