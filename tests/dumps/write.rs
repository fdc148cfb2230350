//! What is written is what is read; what is not finished is not there.

use conformance::dump::{Dump, Entry, Writer};
use nalgebra::dmatrix;
use std::{collections::BTreeMap, fs, path::Path};

fn entries() -> Vec<Entry> {
    vec![
        Entry::new("pg_loss", []),
        Entry::new("old_values", [2, 3]),
        Entry::new("returns", [2, 3]),
        Entry::new("grad_logits", [2, 3, 2]),
    ]
}

fn create(path: &Path) -> Writer {
    let metadata = BTreeMap::from([("gamma".to_string(), "0.9 \"\\\n!".to_string())]);
    Writer::create(path, &entries(), &metadata).unwrap()
}

fn write(path: &Path) -> Result<(), conformance::dump::BadInput> {
    let mut writer = create(path);
    writer.scalar("pg_loss", f64::NAN)?;
    writer.matrix("old_values", &dmatrix![1.0, 2.0, 3.0; 4.0, 5.0, 6.0])?;
    writer.matrix("returns", &dmatrix![1.5, -0.0, 3.0; f64::INFINITY, 5.0, 1e-310])?;
    for slot in 0..6 {
        writer.part("grad_logits", &[f64::from(slot), 0.5])?;
    }
    writer.finish()
}

fn names(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn what_is_written_is_read_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.safetensors");
    fs::write(&path, "an older file").unwrap();
    write(&path).unwrap();
    assert_eq!(names(folder.path()), ["out.safetensors"]);

    let dump = Dump::open(&path).unwrap();
    assert_eq!(dump.header().metadata["gamma"], "0.9 \"\\\n!");
    assert_eq!(dump.output_names(), ["pg_loss", "grad_logits"]);
    assert!(dump.output_scalar("pg_loss").unwrap().unwrap().is_nan());
    let inputs = dump.choose(&[]).map(|_| ()).unwrap_err().to_string();
    assert!(inputs.starts_with("`gamma` is `0.9 \"\\\\n!`"), "{inputs}");
    let mut row = Vec::new();
    dump.output_rows("grad_logits").unwrap().row((1, 2), &mut row).unwrap();
    assert_eq!(row, [5.0, 0.5]);
}

#[test]
fn the_safetensors_crate_reads_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.safetensors");
    write(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(u64::from_le_bytes(bytes[..8].try_into().unwrap()) % 8, 0, "data is aligned");
    let returns = file.tensor("returns").unwrap();
    let x: Vec<u64> = returns.data().chunks(8).map(|x| u64::from_le_bytes(x.try_into().unwrap())).collect();
    assert_eq!(x, [1.5, -0.0, 3.0, f64::INFINITY, 5.0, 1e-310].map(f64::to_bits));
}

#[test]
fn the_same_bytes_come_out_twice() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| folder.path().join(name));
    write(&one).unwrap();
    write(&two).unwrap();
    assert_eq!(fs::read(one).unwrap(), fs::read(two).unwrap());
}

#[test]
fn an_unfinished_writer_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    drop(create(&path));
    assert!(names(folder.path()).is_empty());
    let mut writer = create(&path);
    assert_eq!(names(folder.path()).len(), 1, "the bytes go beside the target first");
    writer.scalar("pg_loss", 1.0).unwrap();
    writer.part("old_values", &[1.0]).unwrap();
    assert_eq!(writer.finish().unwrap_err().to_string(), "`old_values` has 1 of its 6 elements");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_wrong_order_size_or_shape_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = create(&folder.path().join("out"));
    let got = writer.scalar("vf_loss", 1.0).unwrap_err().to_string();
    assert_eq!(got, "`vf_loss` is not next to be written, `pg_loss` is");
    writer.scalar("pg_loss", 1.0).unwrap();
    let got = writer.part("old_values", &[0.0; 7]).unwrap_err().to_string();
    assert_eq!(got, "`old_values` has room for 6 more of its 6 elements, not 7");
    let got = writer.matrix("old_values", &dmatrix![1.0, 2.0; 3.0, 4.0; 5.0, 6.0]).unwrap_err().to_string();
    assert_eq!(got, "`old_values` is 3 × 2, and was declared [2, 3]");
    writer.part("old_values", &[0.0; 6]).unwrap();
    writer.part("returns", &[0.0; 6]).unwrap();
    writer.part("grad_logits", &[0.0; 12]).unwrap();
    let got = writer.part("grad_logits", &[0.0]).unwrap_err().to_string();
    assert_eq!(got, "`grad_logits` is not next to be written: every tensor is whole");
}

#[test]
fn a_header_that_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |path: &Path, entries: &[Entry], metadata: &BTreeMap<String, String>| {
        Writer::create(path, entries, metadata).unwrap_err().to_string()
    };
    let (path, none) = (folder.path().join("out"), BTreeMap::new());
    let twice = [Entry::new("a", [1]), Entry::new("a", [2])];
    assert_eq!(refusal(&path, &twice, &none), "`a` cannot be written: the name is taken");
    let huge = [Entry::new("a", [1 << 40, 1 << 40])];
    assert!(refusal(&path, &huge, &none).ends_with("is larger than a file can be"));
    let long = BTreeMap::from([("a".to_string(), "x".repeat(5 << 20))]);
    assert!(refusal(&path, &[], &long).ends_with("bytes, more than 4194304"));
    assert_eq!(refusal(folder.path(), &[], &none), "the target is no regular file, and is not replaced");
    let absent = folder.path().join("absent").join("out");
    assert!(refusal(&absent, &[], &none).starts_with("the file cannot be created: "));
    assert!(names(folder.path()).is_empty());
}
