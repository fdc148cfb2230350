//! Curves from the records of `record-training`: JSON, a line for each point, the first saying where it comes from.

use super::Curve;
use serde_json::Value;

/// The lines of a record with `key` equal to `is`, as points of the numbers `x` and `y` in them.
pub(super) fn curve(record: &str, (key, is): (&str, &Value), (x, y): (&str, &str), name: &str) -> Curve {
    let lines = record
        .lines()
        .skip(1)
        .map(|line| -> Value { serde_json::from_str(line).expect("a record is JSON, line by line") });
    let number = |value: &Value| value.as_f64().expect("a record holds numbers");
    let of_ours = lines.filter(|line| line[key] == *is);
    let points: Vec<_> = of_ours.map(|line| (number(&line[x]), number(&line[y]))).collect();
    assert!(!points.is_empty(), "the record has no line with {key} = {is}");
    Curve { name: name.into(), points }
}
