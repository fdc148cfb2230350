//! `ppo sample`.

use crate::{dumps::Folder, ppo, root, sample, step};
use conformance::{
    dump::Dump,
    outputs::{GRAD_LOGITS, OUTPUTS},
};
use std::{fs, path::PathBuf};

fn text() -> String {
    ppo(["sample"]).fine()
}

/// The text between a heading and the next that is given.
fn part<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let after = text.split_once(from).unwrap_or_else(|| panic!("no {from:?} in {text}")).1;
    after.split_once(to).unwrap_or_else(|| panic!("no {to:?} after {from:?}")).0
}

/// The two tables, each with its file.
fn tables(text: &str) -> [(&str, &'static str); 2] {
    [
        (part(text, "The listing, corrected", "The listing, as printed"), "step.safetensors"),
        (part(text, "The listing, as printed", "What each departure"), "step-as-printed.safetensors"),
    ]
}

/// The cells of a term's row: label, then reference, PyTorch, difference, bound and code from the right.
fn row(table: &str, name: &str) -> (String, [String; 5]) {
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(name));
    let cells: Vec<&str> =
        line.unwrap_or_else(|| panic!("no {name} in {table}")).split_whitespace().collect();
    let last = cells[cells.len() - 5..].iter().map(ToString::to_string).collect::<Vec<_>>();
    (cells[1].to_owned(), last.try_into().unwrap())
}

#[test]
fn every_term_of_both_listings_stands_beside_pytorch_s_number_within_its_bound() {
    let text = text();
    for (table, file) in tables(&text) {
        assert!(table.contains(file));
        let dump = Dump::open(sample(file)).unwrap();
        let held = dump.output_names();
        for output in OUTPUTS.iter().chain([&GRAD_LOGITS]) {
            let (label, [ours, theirs, difference, bound, code]) = row(table, output.name);
            assert_eq!((label.as_str(), format!("reference/src/{code}")), (output.label, output.file()));
            assert!(root().join(output.file()).is_file(), "{code}");
            assert!(ours.parse::<f64>().unwrap().is_finite());
            if !held.contains(&output.name) {
                assert_eq!([&theirs, &difference, &bound], ["-"; 3], "{}", output.name);
                continue;
            }
            let [off, most]: [f64; 2] = [difference, bound].map(|cell| cell.parse().unwrap());
            assert!(off <= most && most < 1e-4, "{}: {off} of {most}", output.name);
            if is_scalar(output.name) {
                let held = dump.output_scalar(output.name).unwrap().unwrap();
                assert!((theirs.parse::<f64>().unwrap() - held).abs() < 1e-8, "{}", output.name);
            }
        }
        assert!(table.contains(&format!("{} terms compared, each within its derived bound", held.len())));
    }
}

fn is_scalar(name: &str) -> bool {
    conformance::dump::OUTPUTS
        .iter()
        .any(|row| row.name == name && row.axes == conformance::dump::Axes::Scalar)
}

#[test]
fn the_departures_stand_in_the_order_of_what_they_change_each_with_its_number() {
    let text = text();
    let lines: Vec<&str> = text
        .split_once("What each departure")
        .unwrap()
        .1
        .lines()
        .filter(|line| line.contains(" -> "))
        .collect();
    assert!(lines.len() >= 4, "{lines:?}");
    let mut before = f64::INFINITY;
    for line in lines {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [name, erratum, scalar, from, _, to] = cells[..6] else { panic!("{line}") };
        assert!(erratum.starts_with('S'), "{line}");
        let [from, to]: [f64; 2] = [from, to].map(|x| x.parse().unwrap());
        let change = (to - from).abs() / from.abs();
        assert!(change <= before, "{line}");
        before = change;
        for (listing, shown) in [("corrected", from), (name, to)] {
            let json = step(&sample("step.safetensors"), &["--listing", listing, "--json"]).fine();
            let json: serde_json::Value = serde_json::from_str(&json).unwrap();
            let term = json["terms"].as_array().unwrap().iter().find(|term| term["name"] == scalar).unwrap();
            assert!((term["value"].as_f64().unwrap() - shown).abs() < 1e-8, "{listing}: {term}");
        }
    }
    assert!(text.contains("No change by shared-clip-radius"));
}

/// A copy of the samples in which one F32 output has this added to it.
pub(crate) fn tampered(folder: &Folder, output: &str, change: f32) -> PathBuf {
    for file in ["step.safetensors", "step-as-printed.safetensors"] {
        fs::copy(sample(file), folder.path(file)).unwrap();
    }
    let path = folder.path("step.safetensors");
    let mut bytes = fs::read(&path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let at = 8 + length + header[output]["data_offsets"][0].as_u64().unwrap() as usize;
    let changed = f32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) + change;
    bytes[at..at + 4].copy_from_slice(&changed.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    folder.path("")
}

#[test]
fn a_difference_beyond_its_bound_is_named_and_ends_with_exit_code_1() {
    let changes = [("vf_loss", 2e-6), ("pg_clipfrac", 4e-8), ("grad_logits", 1e-6), ("total_loss", f32::NAN)];
    for (output, change) in changes {
        let folder = Folder::new();
        let ran =
            ppo(["sample".as_ref(), "--samples".as_ref(), tampered(&folder, output, change).as_os_str()]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""), "{output}: {}", ran.out);
        let [(corrected, _), (printed, _)] = tables(&ran.out);
        assert!(corrected.contains(&format!("BEYOND THEIR BOUND: {output}.\n")), "{corrected}");
        assert_eq!(corrected.matches('✗').count(), 1, "{corrected}");
        assert!(!printed.contains("BEYOND"), "{printed}");
    }
}

#[test]
fn a_difference_within_its_bound_passes() {
    let folder = Folder::new();
    let dir = tampered(&folder, "vf_loss", 1e-7);
    assert_eq!(ppo(["sample".as_ref(), "--samples".as_ref(), dir.as_os_str()]).code, Some(0));
}

#[test]
fn a_sample_that_is_missing_is_one_sentence() {
    let folder = Folder::new();
    let said = ppo(["sample".as_ref(), "--samples".as_ref(), folder.path("").as_os_str()]).refused();
    assert!(said.contains("step.safetensors: the file cannot be opened"), "{said}");
}
