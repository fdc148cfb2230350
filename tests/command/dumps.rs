//! Small dumps, and large ones that are mostly holes.

use conformance::dump::{Entry, Writer};
use safetensors::{Dtype, tensor::TensorView};
use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// B and L of the small rollout.
pub(crate) const B: usize = 3;
pub(crate) const L: usize = 6;
const LENGTHS: [usize; B] = [6, 4, 1];

/// Numbers of one tensor; F64 in the file.
#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) name: String,
    pub(crate) shape: Vec<usize>,
    pub(crate) numbers: Vec<f64>,
}

pub(crate) fn tensor(name: &str, shape: &[usize], numbers: Vec<f64>) -> Tensor {
    assert_eq!(shape.iter().product::<usize>(), numbers.len(), "{name}");
    Tensor { name: name.to_owned(), shape: shape.to_vec(), numbers }
}

/// Multiples of 1/16 in (−1, 1), so that every dtype of numbers holds them exactly.
pub(crate) fn sixteenths(seed: usize, count: usize) -> Vec<f64> {
    (0..count).map(|i| (((i * 37 + seed * 11) % 31) as f64 - 15.0) / 16.0).collect()
}

/// A (B, L) tensor of them.
pub(crate) fn matrix(name: &str, seed: usize) -> Tensor {
    tensor(name, &[B, L], sixteenths(seed, B * L))
}

pub(crate) fn mask() -> Tensor {
    let valid = |i: usize| if i % L < LENGTHS[i / L] { 1.0 } else { 0.0 };
    tensor("response_mask", &[B, L], (0..B * L).map(valid).collect())
}

/// README's rollout: three sequences of 6, 4 and 1 tokens.
pub(crate) fn rollout() -> Vec<Tensor> {
    let mut all = vec![mask(), tensor("scores", &[B], sixteenths(1, B))];
    let names = ["old_values", "values", "old_log_probs", "log_probs", "ref_log_probs"];
    all.extend(names.iter().enumerate().map(|(seed, name)| matrix(name, seed + 2)));
    all
}

/// The rollout with some of its tensors left out.
pub(crate) fn without(names: &[&str]) -> Vec<Tensor> {
    rollout().into_iter().filter(|tensor| !names.contains(&tensor.name.as_str())).collect()
}

/// A folder of its own for the files of one test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let name =
            |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut names: Vec<String> = std::fs::read_dir(self.0.path()).unwrap().map(name).collect();
        names.sort();
        names
    }

    /// A dump of F64 tensors.
    pub(crate) fn dump(&self, name: &str, tensors: &[Tensor], metadata: &[(&str, &str)]) -> PathBuf {
        let path = self.path(name);
        let entries: Vec<Entry> =
            tensors.iter().map(|t| Entry::new(t.name.as_str(), t.shape.clone())).collect();
        let metadata = metadata.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let mut writer = Writer::create(&path, &entries, &metadata).unwrap();
        tensors.iter().for_each(|tensor| writer.part(&tensor.name, &tensor.numbers).unwrap());
        writer.finish().unwrap();
        path
    }

    /// A dump whose tensors have these dtypes, by name; F64 where none is said.
    pub(crate) fn typed(&self, name: &str, tensors: &[Tensor], dtypes: &[(&str, Dtype)]) -> PathBuf {
        let path = self.path(name);
        let dtype = |name: &str| dtypes.iter().find(|(of, _)| *of == name).map_or(Dtype::F64, |(_, d)| *d);
        let bytes: Vec<(Vec<u8>, Dtype)> = tensors
            .iter()
            .map(|tensor| {
                let dtype = dtype(&tensor.name);
                (tensor.numbers.iter().flat_map(|x| bytes(*x, dtype)).collect(), dtype)
            })
            .collect();
        let views: HashMap<String, TensorView<'_>> = tensors
            .iter()
            .zip(&bytes)
            .map(|(tensor, (bytes, dtype))| {
                (tensor.name.clone(), TensorView::new(*dtype, tensor.shape.clone(), bytes).unwrap())
            })
            .collect();
        std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
        path
    }
}

fn bytes(x: f64, dtype: Dtype) -> Vec<u8> {
    match dtype {
        Dtype::F64 => x.to_le_bytes().to_vec(),
        Dtype::F32 => (x as f32).to_le_bytes().to_vec(),
        Dtype::BF16 => half::bf16::from_f64(x).to_le_bytes().to_vec(),
        Dtype::F16 => half::f16::from_f64(x).to_le_bytes().to_vec(),
        Dtype::BOOL | Dtype::U8 => vec![x as u8],
        Dtype::I32 => (x as i32).to_le_bytes().to_vec(),
        Dtype::U32 => (x as u32).to_le_bytes().to_vec(),
        Dtype::I64 => (x as i64).to_le_bytes().to_vec(),
        other => unreachable!("{other:?} is no dtype of these tests"),
    }
}

/// A file that begins with this header, followed by `data` bytes of which all but `first` are a hole.
pub(crate) fn raw(path: &Path, header: &str, first: &[u8], data: u64) {
    let mut file = File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.write_all(first).unwrap();
    file.set_len(8 + header.len() as u64 + data).unwrap();
}

/// The header of tensors one after another: name, dtype, bytes an element, shape; and the bytes in all.
pub(crate) fn header(tensors: &[(&str, &str, u64, Vec<u64>)], metadata: &[(&str, &str)]) -> (String, u64) {
    let (mut all, mut end) = (serde_json::Map::new(), 0);
    let metadata: BTreeMap<&str, &str> = metadata.iter().copied().collect();
    all.insert("__metadata__".to_owned(), serde_json::json!(metadata));
    for (name, dtype, size, shape) in tensors {
        let start = end;
        end += size * shape.iter().product::<u64>();
        let tensor = serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, end] });
        all.insert((*name).to_owned(), tensor);
    }
    (serde_json::Value::Object(all).to_string(), end)
}
