//! The files as a stranger reads them: with a JSON reader and README.md.

use conformance::vectors::{
    case::{Case, Tensor},
    run::{Numbers, Outputs},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Where they lie.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// A case of a file.
pub(crate) struct Read {
    pub(crate) term: String,
    pub(crate) case: Case,
    pub(crate) expected: Outputs,
    pub(crate) f64s: Outputs,
    pub(crate) f32s: Option<Outputs>,
    pub(crate) flags: Vec<String>,
}

impl Read {
    /// How a failure names it.
    pub(crate) fn name(&self) -> String {
        format!("{} of {}.json", self.case.name, self.term)
    }

    /// The names of its outputs.
    pub(crate) fn outputs(&self) -> Vec<&str> {
        self.expected.keys().map(String::as_str).collect()
    }
}

/// Every file by its stem.
pub(crate) fn files() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.extension().is_some_and(|extension| extension == "json") && stem != "schema" {
            let text = fs::read_to_string(&path).unwrap();
            all.push((stem, serde_json::from_str(&text).unwrap()));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!all.is_empty(), "no vectors");
    all
}

/// Every case of every file.
pub(crate) fn cases() -> Vec<Read> {
    let of = |(stem, file): &(String, Value)| {
        assert_eq!(file["term"], stem.as_str());
        let read = |case| read(stem, &file["settings"], case);
        file["cases"].as_array().unwrap().iter().map(read).collect::<Vec<_>>()
    };
    files().iter().flat_map(of).collect()
}

fn read(term: &str, shared: &Value, from: &Value) -> Read {
    let tensor = |(name, x): (&String, &Value)| {
        let (shape, x) = flat(x);
        Tensor {
            name: name.clone(),
            shape,
            x: x.into_iter().map(|x| x.expect("an input is no null")).collect(),
        }
    };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    // What the file states, and over it what the case does.
    let mut settings: BTreeMap<String, String> = BTreeMap::new();
    for stated in [shared, &from["settings"]] {
        settings.extend(stated.as_object().unwrap().iter().map(|(key, value)| (key.clone(), text(value))));
    }
    let outputs = |from: &Value| {
        let numbers = |(name, x): (&String, &Value)| {
            let (shape, x) = flat(x);
            (name.clone(), Numbers { shape, x })
        };
        from.as_object().map(|from| from.iter().map(numbers).collect::<Outputs>())
    };
    Read {
        term: term.to_owned(),
        case: Case {
            name: text(&from["name"]),
            comment: text(&from["comment"]),
            inputs: from["inputs"].as_object().unwrap().iter().map(tensor).collect(),
            settings: settings.into_iter().collect(),
        },
        expected: outputs(&from["expected"]).unwrap(),
        f64s: outputs(&from["tolerance"]["f64"]).unwrap(),
        f32s: outputs(&from["tolerance"]["f32"]),
        flags: from["flags"].as_array().unwrap().iter().map(text).collect(),
    }
}

/// Nested arrays as a shape and its numbers, row-major; none where null stands.
fn flat(x: &Value) -> (Vec<usize>, Vec<Option<f64>>) {
    let Value::Array(rows) = x else { return (Vec::new(), vec![number(x)]) };
    let rows: Vec<_> = rows.iter().map(flat).collect();
    let inner = rows.first().map(|(shape, _)| shape.clone()).unwrap_or_default();
    assert!(rows.iter().all(|(shape, _)| *shape == inner), "rows of unequal length");
    let shape = [rows.len()].into_iter().chain(inner).collect();
    (shape, rows.into_iter().flat_map(|(_, x)| x).collect())
}

fn number(x: &Value) -> Option<f64> {
    match x {
        Value::Null => None,
        Value::String(x) if x == "NaN" => Some(f64::NAN),
        Value::String(x) if x == "Infinity" => Some(f64::INFINITY),
        Value::String(x) if x == "-Infinity" => Some(f64::NEG_INFINITY),
        x => Some(x.as_f64().unwrap_or_else(|| panic!("{x} is no number"))),
    }
}

/// The rule: the first number that does not pass, as a sentence.
pub(crate) fn failure(read: &Read, tolerance: &Outputs, got: &Outputs) -> Option<String> {
    for (name, expected) in &read.expected {
        let Some(got) = got.get(name) else { return Some(format!("{name} is missing")) };
        if got.shape != expected.shape {
            return Some(format!("{name} is {:?} and not {:?}", got.shape, expected.shape));
        }
        for (index, right) in expected.x.iter().enumerate() {
            let (Some(right), Some(tolerance)) = (right, tolerance[name].x[index]) else { continue };
            let passes = |got: f64| {
                (got.is_nan() && right.is_nan()) || got == *right || (got - right).abs() <= tolerance
            };
            if !got.x[index].is_some_and(passes) {
                let (place, got) = (expected.place(index), got.x[index]);
                return Some(format!("{name}{place} is {got:?}, expected {right:?} within {tolerance:e}"));
            }
        }
    }
    None
}
