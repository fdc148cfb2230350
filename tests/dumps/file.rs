//! Small dumps made by hand, down to the text of the header.

use conformance::dump::{BadInput, Chosen, Dump, Inputs};
use std::{collections::BTreeMap, io::Write};
use tempfile::NamedTempFile;

/// A file in the making: tensors in order, each with its bytes.
#[derive(Clone, Default)]
pub(crate) struct File {
    tensors: Vec<(String, &'static str, Vec<usize>, Vec<u8>)>,
    metadata: BTreeMap<String, String>,
}

impl File {
    pub(crate) fn new() -> File {
        File::default()
    }

    /// A tensor of any dtype; it takes the place of one of the same name.
    pub(crate) fn raw(mut self, name: &str, dtype: &'static str, shape: &[usize], bytes: Vec<u8>) -> File {
        self.tensors.retain(|(other, ..)| other != name);
        self.tensors.push((name.to_string(), dtype, shape.to_vec(), bytes));
        self
    }

    pub(crate) fn f64(self, name: &str, shape: &[usize], x: &[f64]) -> File {
        self.raw(name, "F64", shape, x.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    /// F64 of that shape, every element alike.
    pub(crate) fn all(self, name: &str, shape: &[usize], x: f64) -> File {
        let count = shape.iter().product();
        self.f64(name, shape, &vec![x; count])
    }

    pub(crate) fn flags(self, name: &str, shape: &[usize], flags: &[u8]) -> File {
        self.raw(name, "BOOL", shape, flags.to_vec())
    }

    pub(crate) fn ids(self, name: &str, shape: &[usize], ids: &[i64]) -> File {
        self.raw(name, "I64", shape, ids.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    pub(crate) fn say(mut self, key: &str, value: &str) -> File {
        self.metadata.insert(key.to_string(), value.to_string());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> File {
        self.tensors.retain(|(other, ..)| other != name);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
        if !self.metadata.is_empty() {
            header.insert("__metadata__".to_string(), serde_json::json!(self.metadata));
        }
        for (name, dtype, shape, bytes) in &self.tensors {
            let place = [data.len(), data.len() + bytes.len()];
            let about = serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": place});
            header.insert(name.clone(), about);
            data.extend_from_slice(bytes);
        }
        with_header(&serde_json::Value::Object(header).to_string(), &data)
    }

    pub(crate) fn save(&self) -> NamedTempFile {
        save(&self.bytes())
    }

    pub(crate) fn open(&self) -> Result<Dump, BadInput> {
        Dump::open(self.save().path())
    }

    /// Opened, with its settings and inputs, under these flags.
    pub(crate) fn load(&self, flags: &[(&str, &str)]) -> Result<(Inputs, Chosen), BadInput> {
        let dump = self.open()?;
        let flags: Vec<_> = flags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let chosen = dump.choose(&flags)?;
        Ok((Inputs::load(&dump, &chosen)?, chosen))
    }

    pub(crate) fn inputs(&self) -> Inputs {
        self.load(&[]).expect("the file is good").0
    }

    /// The sentence that refuses it.
    pub(crate) fn refusal(&self, flags: &[(&str, &str)]) -> String {
        self.load(flags).expect_err("the file is bad").to_string()
    }
}

/// The bytes of a file with that header's text.
pub(crate) fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

pub(crate) fn save(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("to write it");
    file
}

/// The sentence that refuses a file of these bytes.
pub(crate) fn refusal_of(bytes: &[u8]) -> String {
    Dump::open(save(bytes).path()).expect_err("the file is bad").to_string()
}

/// Two rows of three tokens, the last slot of row 1 masked: rewards, values, log-probs, logits of 2.
pub(crate) fn step() -> File {
    let tokens = [2, 3];
    File::new()
        .flags("response_mask", &tokens, &[1, 1, 1, 1, 1, 0])
        .f64("scores", &[2], &[1.0, -1.0])
        .all("old_values", &tokens, 0.5)
        .all("values", &tokens, 0.25)
        .all("old_log_probs", &tokens, -1.0)
        .all("ref_log_probs", &tokens, -1.5)
        .all("logits", &[2, 3, 2], 0.0)
        .ids("actions", &tokens, &[0, 1, 0, 1, 0, -100])
}
