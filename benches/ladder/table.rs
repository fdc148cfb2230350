//! One table a work, in markdown.

use crate::{
    timing::{Contender, Runner, THREADS},
    work::Work,
};
use std::fmt;

/// Medians with their ratios.
pub(crate) struct Table {
    title: String,
    rows: Vec<Vec<String>>,
}

/// What a work moves, for the ratios.
struct Moved {
    tokens: f64,
    /// Of an array; more than tokens where those are rows of logits.
    elements: f64,
    bytes: f64,
    operations: f64,
    of_logits: bool,
    /// How many arrays go in and out.
    streams: String,
}

impl Table {
    /// Of other rows, the first of them the head.
    pub(crate) fn of_rows(title: &str, rows: Vec<Vec<String>>) -> Table {
        Table { title: title.to_owned(), rows }
    }

    /// From what each contender took.
    pub(crate) fn new<T>(work: &Work<T>, all: &[Contender]) -> Table {
        let (b, columns) = work.size;
        let (reads, writes) = (work.reads.len() * size_of::<T>(), work.writes.len() * size_of::<T>());
        let of_logits = work.tokens == b;
        let unit = if of_logits { "logit" } else { "token" };
        let moved = Moved {
            tokens: work.tokens as f64,
            elements: (b * columns) as f64,
            bytes: (b * columns * (reads + writes)) as f64,
            operations: (b * columns * work.operations) as f64,
            of_logits,
            streams: format!("{} → {}", work.reads.len(), work.writes.len()),
        };
        let plural = if work.operations == 1 { "" } else { "s" };
        let title = format!(
            "{}, {b} × {columns}: {reads} bytes read and {writes} written a {unit}, {} operation{plural}",
            work.what, work.operations
        );
        let mut head = vec!["", "threads", "runs", "ns/token"];
        head.extend(of_logits.then_some("ns/logit"));
        head.extend(["GB/s", "Gop/s", "of the ceiling", "× fallback", "× one thread"]);
        let mut rows = vec![head.into_iter().map(str::to_owned).collect()];
        rows.extend(all.iter().map(|row| cells(row, all, &moved)));
        Table { title, rows }
    }
}

fn cells(row: &Contender, all: &[Contender], moved: &Moved) -> Vec<String> {
    let ns = row.ns();
    let of = |which: &dyn Fn(&Contender) -> bool| {
        all.iter().filter(|other| which(other)).map(Contender::ns).reduce(|a, b| if b < a { b } else { a })
    };
    let is_level = |row: &Contender| matches!(row.runner, Runner::Level(_));
    let ceiling = of(&|other| !is_level(other) && other.pool == row.pool);
    // The levels come slowest first.
    let fallback = all.iter().find(|other| is_level(other) && other.pool == row.pool).map(Contender::ns);
    let alone = of(&|other| other.runner == row.runner && other.pool == 0);
    let ratio = |x: Option<f64>, shown: bool| match x {
        Some(x) if shown => format!("{:.2}", x / ns),
        _ => String::new(),
    };
    let name = match row.runner {
        Runner::Level(on) => on.to_string(),
        Runner::Read => "read-sum".to_owned(),
        Runner::Copy(store) => format!("{} copy {}", store.name(), moved.streams),
        Runner::InPlace => "negation in place".to_owned(),
    };
    let mut cells =
        vec![name, THREADS[row.pool].to_string(), row.times.len().to_string(), digits(ns / moved.tokens)];
    cells.extend(moved.of_logits.then(|| digits(ns / moved.elements)));
    cells.push(format!("{:.2}", moved.bytes / ns));
    cells.push(if is_level(row) { format!("{:.2}", moved.operations / ns) } else { String::new() });
    cells.push(ratio(ceiling, is_level(row)));
    cells.push(ratio(fallback, is_level(row)));
    cells.push(ratio(alone, true));
    cells
}

/// Three digits, or as many as stand before the point.
fn digits(x: f64) -> String {
    let after = if x < 1.0 { 3 } else { 2 - (x.log10() as usize).min(2) };
    format!("{x:.after$}")
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows[0].len();
        let width = |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0).max(2)).collect();
        writeln!(f, "### {}\n", self.title)?;
        for (k, row) in self.rows.iter().enumerate() {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                if column == 0 {
                    write!(f, "| {cell:<width$} ")?;
                } else {
                    write!(f, "| {cell:>width$} ")?;
                }
            }
            writeln!(f, "|")?;
            if k == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let end = if column == 0 { "-" } else { ":" };
                    write!(f, "|{}{end}", "-".repeat(width + 1))?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}
