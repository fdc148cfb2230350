//! The house rules that a compiler does not know: labels, stems, tables and manifests agree.

mod files;
mod grid;
mod labels;
mod notation;
mod readme;
mod suites;
