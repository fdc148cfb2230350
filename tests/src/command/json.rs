//! `--json`: the same lines for a program.

use super::run::Run;
use conformance::{
    dump::Source,
    engine::Engine,
    report::{Line, Place},
};
use serde_json::{Map, Value, json};

/// The version of the layout; it changes when a reader of the old one would break.
const SCHEMA: u32 = 1;

/// A number, or one of the strings "NaN", "Infinity", "-Infinity".
pub(super) fn number(x: f64) -> Value {
    if x.is_nan() {
        json!("NaN")
    } else if x.is_infinite() {
        json!(if x > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        json!(x)
    }
}

/// The whole report as one object.
pub(crate) fn report(
    file: &str,
    (b, t_len, vocab): (usize, usize, Option<usize>),
    run: &Run,
    not_computed: &[String],
    ignored: &[String],
) -> String {
    let settings: Map<String, Value> = run
        .chosen
        .sources
        .iter()
        .map(|setting| {
            (setting.key.to_owned(), json!({ "value": setting.value, "from": from(setting.from) }))
        })
        .collect();
    let object = json!({
        "schema": SCHEMA,
        "file": file,
        "sequences": b,
        "width": t_len,
        "vocab": vocab,
        "computed_by": match run.engine {
            Engine::Reference => "reference".to_owned(),
            Engine::Fast(on) => on.to_string(),
        },
        "settings": settings,
        "ignored_settings": run.chosen.unknown,
        "ignored_tensors": ignored,
        "terms": run.lines.iter().map(term).collect::<Vec<_>>(),
        "not_computed": not_computed,
        "notes": run.notes(),
    });
    format!("{object:#}\n")
}

fn from(source: Source) -> String {
    source.to_string()
}

/// Where a number stands: null for the only one.
pub(super) fn at(place: Place) -> Value {
    match place {
        Place::Scalar => Value::Null,
        Place::Mean => json!("mean"),
        Place::Token(row, t) => json!([row, t]),
        Place::Logit(row, t, v) => json!([row, t, v]),
    }
}

fn term(line: &Line) -> Value {
    let or_null = |x: Option<f64>| x.map_or(Value::Null, number);
    json!({
        "name": line.output.name,
        "label": line.output.label,
        "at": at(line.place),
        "value": number(line.ours),
        "file": or_null(line.theirs),
        "difference": or_null(line.difference()),
        "code": line.output.file(),
    })
}
