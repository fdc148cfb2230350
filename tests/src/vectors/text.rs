//! A file of vectors as text: one case a block, one row of numbers a line.

use super::{
    Mistake, Vector,
    case::Tensor,
    equations,
    flags::Shown,
    run::{Numbers, Outputs},
    terms::Term,
};
use crate::dump::Kind;
use std::fmt::Write;

/// What a runner does with the numbers, in one sentence that every file begins with.
const RULE: &str = "A number passes where |got - expected| <= tolerance, with the tolerance of the precision it was \
                    computed in; NaN and the infinities pass as themselves, and null is not compared. See README.md.";

/// The whole file, one space a level: with two, half of a file of numbers would be margin.
pub(super) fn file(term: &Term, vectors: &[Vector], mistakes: &[Mistake]) -> String {
    let (labels, files) = equations(term);
    let list = |of: &[String]| of.iter().map(|x| text(x)).collect::<Vec<_>>().join(", ");
    let labels: Vec<String> = labels.into_iter().map(str::to_owned).collect();
    let mut out = String::from("{\n");
    let mut field = |name: &str, value: &str| _ = writeln!(out, " {}: {value},", text(name));
    field("$schema", &text("schema.json"));
    field("schema", "1");
    field("term", &text(term.stem));
    field("equations", &format!("[{}]", list(&labels)));
    field("reference", &format!("[{}]", list(&files)));
    field("rule", &text(RULE));
    let shared = shared(term, vectors);
    field("settings", &settings(&shared));
    field("flags", &notes(vectors, mistakes));
    let cases: Vec<String> = vectors.iter().map(|vector| block(vector, &shared)).collect();
    out + &format!(" \"cases\": [\n{}\n ]\n}}\n", cases.join(",\n"))
}

/// One note a flag: where it shows, what is wrong, what it does in the first case that catches it, and who did it.
fn notes(vectors: &[Vector], mistakes: &[Mistake]) -> String {
    let mut all: Vec<String> = Vec::new();
    let mut done: Vec<&str> = Vec::new();
    for mistake in mistakes {
        let carries = |vector: &&Vector| vector.flags.contains_key(&mistake.flag);
        let Some(first) = vectors.iter().find(carries) else { continue };
        if done.contains(&mistake.flag.as_str()) {
            continue;
        }
        done.push(&mistake.flag);
        let of_flag = || mistakes.iter().filter(|other| other.flag == mistake.flag);
        let seen = joined(of_flag().map(|mistake| mistake.seen));
        let seen = if seen.is_empty() { "no known project".to_owned() } else { seen };
        let says = joined(of_flag().map(|mistake| mistake.says.as_str()));
        let shown = vectors.iter().filter_map(|vector| vector.flags.get(&mistake.flag));
        let outputs = joined(shown.map(|shown| shown.output.as_str()));
        let outputs: Vec<String> = outputs.split("; ").map(text).collect();
        all.push(format!(
            "  {}: {{\n   \"outputs\": [{}],\n   \"mistake\": {},\n   \"effect\": {},\n   \"seen\": {}\n  }}",
            text(&mistake.flag),
            outputs.join(", "),
            text(&says),
            text(&effect(&first.case.name, &first.flags[&mistake.flag])),
            text(&seen)
        ));
    }
    if all.is_empty() { "{}".to_owned() } else { format!("{{\n{}\n }}", all.join(",\n")) }
}

/// Each once, in their order.
fn joined<'a>(of: impl Iterator<Item = &'a str>) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in of.filter(|part| !part.is_empty()) {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.join("; ")
}

fn effect(case: &str, shown: &Shown) -> String {
    let Shown { output, place, expected, got } = shown;
    format!("in {case}, {output}{place} is {} and not {}", rounded(*got), rounded(*expected))
}

/// Six significant digits.
fn rounded(x: f64) -> String {
    let short: f64 = format!("{x:.5e}").parse().unwrap_or(x);
    number(short).trim_matches('"').to_owned()
}

/// What most cases have of each setting: a case states the others.
fn shared(term: &Term, vectors: &[Vector]) -> Vec<(String, String)> {
    let stated = || vectors.iter().flat_map(|vector| &vector.case.settings);
    let of_key = |key: &str| {
        let mut counts: Vec<(&(String, String), usize)> = Vec::new();
        for setting in stated().filter(|(of, _)| of == key) {
            match counts.iter_mut().find(|(other, _)| *other == setting) {
                Some((_, count)) => *count += 1,
                None => counts.push((setting, 1)),
            }
        }
        // Of two that are as frequent, the first.
        counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(setting, _)| setting.clone())
    };
    term.keys().filter_map(of_key).collect()
}

fn settings(all: &[(String, String)]) -> String {
    let fields: Vec<String> =
        all.iter().map(|(key, value)| format!("{}: {}", text(key), setting(value))).collect();
    format!("{{{}}}", fields.join(", "))
}

fn block(vector: &Vector, shared: &[(String, String)]) -> String {
    let Vector { case, expected, f64s, f32s, flags } = vector;
    let mut parts = vec![format!("   \"name\": {}", text(&case.name))];
    parts.push(format!("   \"comment\": {}", text(&case.comment)));
    let inputs = case.inputs.iter().map(|tensor| (tensor.name.as_str(), input(tensor)));
    parts.push(format!("   \"inputs\": {}", object(inputs, 3)));
    let own: Vec<_> = case.settings.iter().filter(|setting| !shared.contains(setting)).cloned().collect();
    parts.push(format!("   \"settings\": {}", settings(&own)));
    parts.push(format!("   \"expected\": {}", outputs(expected, exactly, 3)));
    let mut tolerance = vec![format!("    \"f64\": {}", within(f64s))];
    tolerance.extend(f32s.as_ref().map(|f32s| format!("    \"f32\": {}", within(f32s))));
    parts.push(format!("   \"tolerance\": {{\n{}\n   }}", tolerance.join(",\n")));
    let flags: Vec<String> = flags.keys().map(|flag| text(flag)).collect();
    parts.push(format!("   \"flags\": [{}]", flags.join(", ")));
    format!("  {{\n{}\n  }}", parts.join(",\n"))
}

/// An object of arrays, one a line.
fn object<'a>(fields: impl Iterator<Item = (&'a str, String)>, indent: usize) -> String {
    let pad = " ".repeat(indent);
    let fields: Vec<String> = fields.map(|(name, value)| format!("{pad} {}: {value}", text(name))).collect();
    format!("{{\n{}\n{pad}}}", fields.join(",\n"))
}

fn input(tensor: &Tensor) -> String {
    let write = |x: &f64| match tensor.kind() {
        Kind::Number => number(*x),
        _ => (*x as i64).to_string(),
    };
    nested(&tensor.shape, &tensor.x.iter().map(write).collect::<Vec<_>>(), 4)
}

fn outputs(of: &Outputs, write: fn(Option<f64>) -> String, indent: usize) -> String {
    let value = |numbers: &Numbers| {
        let x: Vec<String> = numbers.x.iter().map(|x| write(*x)).collect();
        nested(&numbers.shape, &x, indent + 1)
    };
    object(of.iter().map(|(name, numbers)| (name.as_str(), value(numbers))), indent)
}

/// Tolerances on one line where each is one number or one row.
fn within(of: &Outputs) -> String {
    let shown = outputs(of, above, 4);
    let one_line =
        of.values().all(|numbers| numbers.shape.len() < 3 && numbers.shape.first().is_none_or(|b| *b == 1));
    if !one_line {
        return shown;
    }
    shown.lines().map(str::trim).collect::<Vec<_>>().join(" ").replace("{ ", "{").replace(" }", "}")
}

/// An array of arrays, the innermost on a line of their own unless there is but one.
fn nested(shape: &[usize], x: &[String], indent: usize) -> String {
    match shape {
        [] => x[0].clone(),
        [_] => format!("[{}]", x.join(", ")),
        [1, rest @ ..] => format!("[{}]", nested(rest, x, indent)),
        [b, rest @ ..] => {
            let pad = " ".repeat(indent);
            let size = x.len() / b;
            let rows = x.chunks(size.max(1)).map(|row| format!("{pad} {}", nested(rest, row, indent + 1)));
            format!("[\n{}\n{pad}]", rows.collect::<Vec<_>>().join(",\n"))
        }
    }
}

fn exactly(x: Option<f64>) -> String {
    x.map_or_else(|| "null".to_owned(), number)
}

/// Two digits, rounded up.
fn above(off: Option<f64>) -> String {
    let Some(off) = off else { return "null".to_owned() };
    let two = |x: f64| format!("{x:.1e}");
    let (mut shown, mut up) = (two(off), off);
    while shown.parse::<f64>().is_ok_and(|shown| shown < off) {
        up *= 1.01;
        shown = two(up);
    }
    if off == 0.0 { "0".to_owned() } else { shown }
}

/// The shortest text that reads back as the same bits; what JSON has no number for is a string.
fn number(x: f64) -> String {
    match x {
        x if x.is_nan() => "\"NaN\"".to_owned(),
        f64::INFINITY => "\"Infinity\"".to_owned(),
        f64::NEG_INFINITY => "\"-Infinity\"".to_owned(),
        x => format!("{x:?}"),
    }
}

/// A number as a number, a truth value as one, all else as text.
fn setting(value: &str) -> String {
    match value {
        "true" | "false" => value.to_owned(),
        _ if value.parse::<f64>().is_ok_and(f64::is_finite) => value.to_owned(),
        _ => text(value),
    }
}

fn text(x: &str) -> String {
    serde_json::Value::from(x).to_string()
}
