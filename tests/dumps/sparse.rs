//! Logits larger than memory, of which a few rows are read.

use crate::file::{save, with_header};
use conformance::dump::Dump;
use std::io::{Seek, SeekFrom, Write};

/// Eight gigabytes that are mostly a hole: 16 × 1024 rows of 131072 numbers of 4 bytes.
#[test]
fn a_row_of_8_gib_of_logits_is_read_alone() {
    let (b, t_len, vocab) = (16usize, 1024usize, 1usize << 17);
    let len = (b * t_len * vocab * 4) as u64;
    let header =
        format!(r#"{{"logits":{{"dtype":"F32","shape":[{b},{t_len},{vocab}],"data_offsets":[0,{len}]}}}}"#);
    let mut file = save(&with_header(&header, &[]));
    let start = 8 + header.len() as u64;
    if file.as_file().set_len(start + len).is_err() {
        eprintln!("absent: sparse files of 8 GiB");
        return;
    }
    file.seek(SeekFrom::Start(start + len - 4)).unwrap();
    file.write_all(&2.5f32.to_le_bytes()).unwrap();

    let dump = Dump::open(file.path()).unwrap();
    let inputs = conformance::dump::Inputs::load(&dump, &dump.choose(&[]).unwrap()).unwrap();
    let (mut logits, mut row) = (inputs.logits.unwrap(), Vec::new());
    for slot in [(15, 1023), (0, 0), (7, 512), (15, 1023)] {
        logits.row(slot, Some(0), &mut row).unwrap();
        assert_eq!(row.len(), vocab);
        assert_eq!(row[vocab - 1], if slot == (15, 1023) { 2.5 } else { 0.0 });
    }
}

/// Rows shorter than the buffer, longer, and cut by its end, in and out of order.
#[test]
fn every_row_is_itself_in_any_order() {
    for vocab in [1, 3, 8191, 8192, 8193, 20000] {
        let (b, t_len) = (2, 5);
        let z: Vec<f64> = (0..b * t_len * vocab).map(|i| i as f64).collect();
        let file = crate::file::File::new().f64("logits", &[b, t_len, vocab], &z);
        let mut logits = file.inputs().logits.unwrap();
        let mut row = Vec::new();
        for slot in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 0, 5, 4, 8, 2] {
            logits.row((slot / t_len, slot % t_len), None, &mut row).unwrap();
            assert_eq!(row, z[slot * vocab..(slot + 1) * vocab], "{vocab} {slot}");
        }
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_an_error() {
    let file = crate::file::step().save();
    let dump = Dump::open(file.path()).unwrap();
    file.as_file().set_len(600).unwrap();
    let chosen = dump.choose(&[]).unwrap();
    let got = conformance::dump::Inputs::load(&dump, &chosen).unwrap_err().to_string();
    assert!(got.contains("cannot be read: "), "{got}");
}
