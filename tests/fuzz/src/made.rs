//! Well-formed dumps of any tensors, dtypes, numbers and settings, made from a fuzzer's bytes.

use conformance::dump::{Axes, INPUTS, KEYS, Kind, OUTPUTS, Row};
use libfuzzer_sys::arbitrary::{Arbitrary, Result, Unstructured};

/// The bytes of a dump, and settings beside it.
#[derive(Debug)]
pub struct Made {
    /// A file whose header is right.
    pub dump: Vec<u8>,
    /// Flags of the command.
    pub flags: Vec<String>,
}

/// Values that some key or other takes.
const VALUES: [&str; 40] = [
    "0",
    "1",
    "0.9",
    "0.8",
    "0.2",
    "3",
    "20",
    "1e-300",
    "1e300",
    "off",
    "true",
    "false",
    "k1",
    "k2",
    "k3",
    "k3+",
    "abs",
    "max",
    "clipped-only",
    "skip",
    "decay",
    "cut",
    "std",
    "under-root",
    "var-floor",
    "population",
    "last-attended",
    "first-pad",
    "per-token",
    "next-start",
    "token-sum",
    "seq-mean-token-mean",
    "seq-mean-token-sum-norm",
    "token-sum-norm",
    "signed",
    "sign-blind",
    "as-printed",
    "vf_loss",
    "verl",
    "sb3",
];

/// Numbers: mostly those of a rollout, then those at which formulas end.
const NUMBERS: [f64; 16] = [
    0.25,
    -0.5,
    1.0,
    -1.25,
    0.0,
    2.0,
    -3.0,
    0.75,
    1e-8,
    30.0,
    -800.0,
    1e30,
    1e300,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
];

impl Arbitrary<'_> for Made {
    fn arbitrary(bytes: &mut Unstructured) -> Result<Made> {
        let sizes = [bytes.int_in_range(1..=4)?, bytes.int_in_range(1..=5)?, bytes.int_in_range(1..=4)?];
        let flags =
            settings(bytes)?.into_iter().map(|(key, value)| format!("--{key}={value}").replace('_', "-"));
        let flags = flags.collect();
        let mut head = serde_json::Map::new();
        let metadata =
            settings(bytes)?.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        head.insert("__metadata__".to_owned(), serde_json::Value::Object(metadata));
        let mut data = Vec::new();
        for row in INPUTS.iter().chain(OUTPUTS).filter(|row| !shared(row) || OUTPUTS.contains(row)) {
            if bytes.ratio(2, 3)? {
                let start = data.len();
                let (dtype, shape) = tensor(bytes, row, sizes, &mut data)?;
                let about =
                    serde_json::json!({"dtype": dtype, "shape": shape, "data_offsets": [start, data.len()]});
                head.insert(row.name.to_owned(), about);
            }
        }
        let head = serde_json::Value::Object(head).to_string();
        let dump = [&(head.len() as u64).to_le_bytes(), head.as_bytes(), &data].concat();
        Ok(Made { dump, flags })
    }
}

/// Whether both tables have a row of that name.
fn shared(row: &Row) -> bool {
    INPUTS.iter().any(|input| input.name == row.name) && OUTPUTS.iter().any(|output| output.name == row.name)
}

fn settings(bytes: &mut Unstructured) -> Result<Vec<(&'static str, String)>> {
    let count = bytes.int_in_range(0..=4)?;
    let one = |bytes: &mut Unstructured| {
        let key = bytes.choose(KEYS)?.name;
        let value =
            if bytes.ratio(1, 8)? { bytes.arbitrary()? } else { (*bytes.choose(&VALUES)?).to_owned() };
        Ok((key, value))
    };
    (0..count).map(|_| one(bytes)).collect()
}

/// Appends the numbers of one tensor and gives its dtype and shape.
fn tensor(
    bytes: &mut Unstructured,
    row: &Row,
    [b, t_len, vocab]: [usize; 3],
    data: &mut Vec<u8>,
) -> Result<(&'static str, Vec<usize>)> {
    let shape = match row.axes {
        Axes::Scalar => vec![],
        Axes::Row => vec![b],
        Axes::Token => vec![b, t_len],
        Axes::RowOrToken if bytes.arbitrary()? => vec![b],
        Axes::RowOrToken => vec![b, t_len],
        Axes::Logits => vec![b, t_len, vocab],
    };
    let count: usize = shape.iter().product();
    let dtype = match row.kind {
        Kind::Number => *bytes.choose(&["F32", "F64", "BF16"])?,
        Kind::Flag => "U8",
        Kind::Id => "I32",
    };
    for _ in 0..count {
        match (row.kind, dtype) {
            // Most flags of a mask are set, and no other kind of flag is.
            (Kind::Flag, _) => data.push(u8::from(bytes.ratio(1, 4)? != row.name.contains("mask"))),
            (Kind::Id, _) => data.extend(bytes.int_in_range(0..=vocab as i32 - 1)?.to_le_bytes()),
            (_, "F64") => data.extend(number(bytes)?.to_le_bytes()),
            (_, "F32") => data.extend((number(bytes)? as f32).to_le_bytes()),
            _ => data.extend(&(number(bytes)? as f32).to_le_bytes()[2..]),
        }
    }
    Ok((dtype, shape))
}

fn number(bytes: &mut Unstructured) -> Result<f64> {
    let byte: u8 = bytes.arbitrary()?;
    Ok(if byte < 200 { f64::from(byte) / 100.0 - 1.0 } else { NUMBERS[byte as usize % NUMBERS.len()] })
}
