//! Tensors read by seeking, through one small buffer, and widened exactly.

use super::{
    BadInput, Tensor,
    error::{bad, plain},
    stream::Stream,
};
use half::{bf16, f16};
use nalgebra::DMatrix;
use safetensors::Dtype;
use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    sync::{Arc, Mutex, PoisonError},
};

/// Bytes that are read at once.
const BUFFER: usize = 64 << 10;

/// The bytes of one element as a value.
pub(crate) type Widen<T> = fn(&[u8]) -> T;

/// The elements of one tensor of one file, from anywhere in it, through a buffer of 64 KiB.
///
/// To read on where the last reading ended costs no seek inside the buffer.
#[derive(Debug)]
pub(super) struct Piece {
    file: Arc<Mutex<File>>,
    tensor: Tensor,
    buffer: Vec<u8>,
    /// The place of `buffer[0]`, bytes from the start of the tensor.
    at: u64,
}

impl Piece {
    pub(super) fn new(file: &Arc<Mutex<File>>, tensor: &Tensor) -> Piece {
        Piece { file: Arc::clone(file), tensor: tensor.clone(), buffer: Vec::new(), at: 0 }
    }

    /// Its axes in that file.
    pub(super) fn shape(&self) -> &[usize] {
        &self.tensor.shape
    }

    /// Elements `first..first + count`, each handed to `take` with its index.
    ///
    /// # Errors
    ///
    /// If the file cannot be read there, or `take` refuses.
    pub(super) fn each<T>(
        &mut self,
        first: usize,
        count: usize,
        of: Widen<T>,
        mut take: impl FnMut(usize, T) -> Result<(), BadInput>,
    ) -> Result<(), BadInput> {
        let size = self.tensor.dtype.bitsize() / 8;
        let mut index = first;
        while index < first + count {
            let offset = self.fill((index * size) as u64)?;
            let ready = self.buffer[offset..].chunks_exact(size).take(first + count - index);
            let before = index;
            for bytes in ready {
                take(index, of(bytes))?;
                index += 1;
            }
            if index == before {
                return Err(bad!("`{}` ended while it was read", plain(&self.tensor.name)));
            }
        }
        Ok(())
    }

    /// Where in the buffer the byte `place` of the tensor is, after reading it if need be.
    fn fill(&mut self, place: u64) -> Result<usize, BadInput> {
        let size = self.tensor.dtype.bitsize() as u64 / 8;
        let held = self.at..self.at + self.buffer.len() as u64;
        if held.contains(&place) && held.contains(&(place + size - 1)) {
            return Ok((place - self.at) as usize);
        }
        let rest = self.tensor.len() as u64 * size - place;
        self.buffer.resize(rest.min(BUFFER as u64) as usize, 0);
        self.at = place;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let read = file
            .seek(SeekFrom::Start(self.tensor.start + place))
            .and_then(|_| file.read_exact(&mut self.buffer));
        if let Err(err) = read {
            self.buffer.clear();
            return Err(bad!("`{}` cannot be read: {err}", plain(&self.tensor.name)));
        }
        Ok(0)
    }
}

/// The bytes of a number, widened to f64 exactly.
pub(crate) fn number(tensor: &Tensor) -> Result<Widen<f64>, BadInput> {
    Ok(match tensor.dtype {
        Dtype::F64 => |x| f64::from_le_bytes(array(x)),
        Dtype::F32 => |x| f64::from(f32::from_le_bytes(array(x))),
        Dtype::BF16 => |x| f64::from(bf16::from_le_bytes(array(x))),
        Dtype::F16 => |x| f64::from(f16::from_le_bytes(array(x))),
        _ => return Err(wrong_dtype(tensor, "numbers are F64, F32, BF16 or F16")),
    })
}

/// The bytes of a flag; none where it is neither 0 nor 1.
pub(crate) fn flag(tensor: &Tensor) -> Result<Widen<Option<bool>>, BadInput> {
    fn exactly(x: f64) -> Option<bool> {
        if x == 0.0 {
            Some(false)
        } else if x == 1.0 {
            Some(true)
        } else {
            None
        }
    }
    Ok(match tensor.dtype {
        Dtype::BOOL | Dtype::U8 => |x| exactly(f64::from(x[0])),
        Dtype::I32 => |x| exactly(f64::from(i32::from_le_bytes(array(x)))),
        Dtype::I64 => |x| match i64::from_le_bytes(array(x)) {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        },
        Dtype::F64 => |x| exactly(f64::from_le_bytes(array(x))),
        Dtype::F32 => |x| exactly(f64::from(f32::from_le_bytes(array(x)))),
        Dtype::BF16 => |x| exactly(f64::from(bf16::from_le_bytes(array(x)))),
        Dtype::F16 => |x| exactly(f64::from(f16::from_le_bytes(array(x)))),
        _ => return Err(wrong_dtype(tensor, "masks and flags are BOOL, U8, I32, I64 or floats of 0 and 1")),
    })
}

/// The bytes of a token id, which may be negative where it is masked.
pub(crate) fn id(tensor: &Tensor) -> Result<Widen<i64>, BadInput> {
    Ok(match tensor.dtype {
        Dtype::U8 => |x| i64::from(x[0]),
        Dtype::I32 => |x| i64::from(i32::from_le_bytes(array(x))),
        Dtype::U32 => |x| i64::from(u32::from_le_bytes(array(x))),
        Dtype::I64 => |x| i64::from_le_bytes(array(x)),
        _ => return Err(wrong_dtype(tensor, "token ids are U8, I32, I64 or U32")),
    })
}

fn wrong_dtype(tensor: &Tensor, legal: &str) -> BadInput {
    bad!("`{}` has dtype {:?}, and {legal}", plain(&tensor.name), tensor.dtype)
}

/// The bytes of one element, whose number the caller's dtype fixes.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(bytes);
    array
}

/// A tensor of two axes (or one, as a column), row by row in the file, as a matrix; `take` makes an
/// element from the slot (row, t) and what stands there.
pub(crate) fn matrix<T, M: nalgebra::Scalar>(
    stream: &mut Stream,
    fill: M,
    of: Widen<T>,
    mut take: impl FnMut((usize, usize), T) -> Result<M, BadInput>,
) -> Result<DMatrix<M>, BadInput> {
    let shape = &stream.tensor().shape;
    let (rows, columns) = (shape.first().copied().unwrap_or(1), shape.get(1).copied().unwrap_or(1));
    let mut out = DMatrix::from_element(rows, columns, fill);
    stream.each(0, rows * columns, of, |index, x| {
        let slot = (index / columns, index % columns);
        out[slot] = take(slot, x)?;
        Ok(())
    })?;
    Ok(out)
}
