//! Lines of terms as aligned text.

use conformance::report::Line;

/// A table of terms. `ours` and `theirs` name the two columns of numbers; `allowed` adds what the difference may be.
/// The code is in reference/src.
pub(crate) fn terms(lines: &[Line], ours: &str, theirs: &str, allowed: bool) -> String {
    let mut head = ["term", "label", "at", ours, theirs, "difference", "code"].map(str::to_owned).to_vec();
    if allowed {
        head.insert(6, "bound".to_owned());
    }
    let mut rows = vec![head];
    rows.extend(lines.iter().map(|line| cells(line, allowed)));
    let left = |column: usize| column < 3 || column + 1 == rows[0].len();
    aligned(&rows, left)
}

/// A table of our own numbers alone.
pub(crate) fn own(lines: &[Line]) -> String {
    let mut rows = vec![["term", "label", "", "value", "code"].map(str::to_owned).to_vec()];
    rows.extend(lines.iter().map(|line| {
        let code = line.output.file().replace("reference/src/", "");
        let (name, label) = (line.output.name.to_owned(), line.output.label.to_owned());
        vec![name, label, line.place.to_string(), number(line.ours), code]
    }));
    aligned(&rows, |column| column != 3)
}

fn cells(line: &Line, allowed: bool) -> Vec<String> {
    let or_dash = |x: Option<String>| x.unwrap_or_else(|| "-".to_owned());
    let mut cells = vec![
        line.output.name.to_owned(),
        line.output.label.to_owned(),
        line.place.to_string(),
        number(line.ours),
        or_dash(line.theirs.map(number)),
        or_dash(line.difference().map(small)),
        line.output.file().replace("reference/src/", ""),
    ];
    if allowed {
        let mark = if line.fails() { " ✗" } else { "" };
        let bound = line.theirs.and(line.allowed).map(|allowed| small(allowed) + mark);
        cells.insert(6, or_dash(bound));
    }
    cells
}

/// A value: eight digits after the point, or in powers of ten where that shows too few.
pub(crate) fn number(x: f64) -> String {
    let plain = x == 0.0 || (1e-3..1e4).contains(&x.abs());
    if plain { format!("{x:.8}") } else { format!("{x:.6e}") }
}

/// A difference: two digits.
pub(crate) fn small(x: f64) -> String {
    if x == 0.0 { "0".to_owned() } else { format!("{x:.1e}") }
}

/// Text out of a path or a file as it may stand in a line: control characters escaped.
pub(crate) fn one_line(text: &str) -> String {
    let escape = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// Rows of cells as columns, two spaces apart.
pub(crate) fn aligned(rows: &[Vec<String>], left: impl Fn(usize) -> bool) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cell = |(column, cell): (usize, &String)| {
            let width = widths[column];
            if left(column) { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        };
        let line = row.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ");
        text.push_str("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A list after a few words, folded at 100 columns, the rest of it indented.
pub(crate) fn folded(words: &str, list: &[String]) -> String {
    let mut text = words.to_owned();
    let mut column = text.chars().count();
    for (k, item) in list.iter().enumerate() {
        let item = if k + 1 < list.len() { format!("{item}, ") } else { item.clone() };
        let width = item.trim_end().chars().count();
        if column + width > 100 {
            text.truncate(text.trim_end().len());
            text.push_str("\n    ");
            column = 4;
        }
        column += item.chars().count();
        text.push_str(&item);
    }
    text + "\n"
}
