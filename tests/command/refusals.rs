//! Bad input: one clear line, exit code 2, nothing printed, never more than 64 MB beside the header.

use crate::{
    Ran,
    dumps::{Folder, header, raw, rollout},
    step, step_within,
};
use conformance::dump::LONGEST_HEADER;
use std::{
    fs,
    path::{Path, PathBuf},
};

const MIB: u64 = 1 << 20;

/// Under the limit of memory where there is one to set, with and without `--out`.
#[track_caller]
fn refused(path: &Path) -> String {
    let folder = Folder::new();
    let out = folder.path("terms");
    let run = |flags: &[&str]| -> Ran {
        match cfg!(target_os = "linux") {
            true => step_within(64 * MIB + LONGEST_HEADER, path, flags),
            false => step(path, flags),
        }
    };
    let said = run(&[]).refused();
    assert_eq!(run(&["--json", "--out", out.to_str().unwrap()]).refused(), said);
    assert!(folder.names().is_empty(), "{:?}", folder.names());
    assert!(said.contains(&*path.to_string_lossy()), "{said}");
    said
}

fn file(folder: &Folder, name: &str, bytes: &[u8]) -> PathBuf {
    fs::write(folder.path(name), bytes).unwrap();
    folder.path(name)
}

/// A header alone, and so many bytes of holes behind it.
fn headed(folder: &Folder, name: &str, header: &str, data: u64) -> PathBuf {
    raw(&folder.path(name), header, &[], data);
    folder.path(name)
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let folder = Folder::new();
    let whole = fs::read(folder.dump("d", &rollout(), &[])).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    for length in [0, 1, 7, 8, 9, header / 2, header - 1, header, header + 1, whole.len() - 1] {
        refused(&file(&folder, "cut", &whole[..length]));
    }
    let long = [&whole[..], b"x"].concat();
    assert!(refused(&file(&folder, "long", &long)).contains("1 bytes follow the last tensor"));
}

#[test]
fn a_header_that_lies_is_refused() {
    let folder = Folder::new();
    let one = |tensor: &str| format!("{{\"values\":{{{tensor}}}}}");
    let lies = [
        one(r#""dtype":"F64","shape":[1152921504606846976],"data_offsets":[0,9223372036854775808]"#),
        one(r#""dtype":"F64","shape":[1073741824,1073741824],"data_offsets":[0,9223372036854775808]"#),
        one(r#""dtype":"F64","shape":[1152921504606846976,1152921504606846976],"data_offsets":[0,0]"#),
        one(r#""dtype":"F64","shape":[1,18446744073709551615],"data_offsets":[0,8]"#),
        one(r#""dtype":"F64","shape":[1,1],"data_offsets":[8,0]"#),
        one(r#""dtype":"F64","shape":[1,1],"data_offsets":[8,16]"#),
        one(r#""dtype":"F64","shape":[1,-1],"data_offsets":[0,8]"#),
        one(r#""dtype":"F64","shape":[1,1.5],"data_offsets":[0,8]"#),
        one(r#""dtype":"F128","shape":[1,1],"data_offsets":[0,16]"#),
        one(r#""dtype":"F64","shape":"1","data_offsets":[0,8]"#),
        one(r#""dtype":"F64","shape":[1,1]"#),
        one(r#""dtype":"F64","shape":[0,1],"data_offsets":[0,0]"#),
        r#"{"values":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]},
            "old_values":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]}}"#
            .to_owned(),
        r#"{"values":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]},
            "values":{"dtype":"F64","shape":[1,1],"data_offsets":[8,16]}}"#
            .to_owned(),
        r#"{"__metadata__":{"lam":1}}"#.to_owned(),
        r#"{"__metadata__":{"lam":"1","lam":"0"}}"#.to_owned(),
        "{}".to_owned(),
        "[]".to_owned(),
        "null".to_owned(),
        "{\"val".to_owned(),
        String::new(),
    ];
    for lie in &lies {
        refused(&headed(&folder, "lie", lie, 16));
    }
}

#[test]
fn a_header_that_would_fill_the_memory_is_refused() {
    let folder = Folder::new();
    let most = LONGEST_HEADER as usize;
    let deep = |open: &str| open.repeat(most / open.len());
    let many: String = (0..60_000)
        .map(|k| format!("\"{k}\":{{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[{k},{}]}},", k + 1))
        .collect();
    let axes = "9,".repeat(most / 2 - 100);
    for header in [
        deep("["),
        deep("{\"a\":"),
        format!("{{\"values\":{}", deep("[")),
        format!("{{{}", &many[..many.len() - 1]),
        format!("{{\"values\":{{\"dtype\":\"F64\",\"shape\":[{axes}9],\"data_offsets\":[0,8]}}}}"),
        format!("{{\"{}\":{{}}}}", "n".repeat(most - 100)),
        format!("{{\"__metadata__\":{{\"lam\":\"{}\"}}}}", "9".repeat(most - 100)),
        " ".repeat(most),
    ] {
        let header = &header[..header.len().min(most)];
        let said = refused(&headed(&folder, "large", header, 8));
        assert!(said.len() < 1000, "{}", said.len());
    }
}

#[test]
fn a_file_far_larger_than_memory_is_refused_in_no_time() {
    let folder = Folder::new();
    let hundred = 100_000_000_000;
    raw(&folder.path("holes"), "", &[], hundred);
    refused(&folder.path("holes"));
    let (header, bytes) = header(&[("values", "F64", 8, vec![1, 1])], &[]);
    assert!(refused(&headed(&folder, "tail", &header, bytes + hundred)).contains("follow the last tensor"));
    let wide = |shape| crate::dumps::header(&[("values", "F64", 8, shape)], &[]);
    let (header, bytes) = wide(vec![1 << 17, 1 << 17]);
    assert!(refused(&headed(&folder, "wide", &header, bytes)).contains("split the batch"));
}

#[test]
fn a_wrong_dtype_or_shape_or_a_missing_tensor_is_refused() {
    let folder = Folder::new();
    for tensors in [
        vec![("values", "I64", 8, vec![2, 3])],
        vec![("response_mask", "U8", 1, vec![2, 3]), ("values", "F64", 8, vec![2, 4])],
        vec![("response_mask", "U8", 1, vec![2, 3]), ("values", "F64", 8, vec![3, 3])],
        vec![("values", "F64", 8, vec![6])],
        vec![("scores", "F64", 8, vec![2])],
        vec![("pg_loss", "F64", 8, vec![])],
        vec![("something", "F64", 8, vec![2, 3])],
        vec![("logits", "F64", 8, vec![2, 3])],
        // No token is valid: the mask is all holes.
        vec![("response_mask", "U8", 1, vec![2, 3]), ("values", "F64", 8, vec![2, 3])],
    ] {
        let (header, bytes) = header(&tensors, &[]);
        refused(&headed(&folder, "d", &header, bytes));
    }
}

#[test]
fn a_path_that_is_no_regular_file_is_refused() {
    let folder = Folder::new();
    assert!(refused(&folder.path("")).contains("directory"));
    assert!(refused(&folder.path("missing")).contains("cannot be opened"));
    #[cfg(unix)]
    {
        let fifo = folder.path("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        for path in [&fifo, Path::new("/dev/zero"), Path::new("/dev/null")] {
            assert!(refused(path).contains("a pipe, a socket or a device"), "{}", path.display());
        }
    }
}

/// Somebody writes into it for ever; that must not be read.
#[cfg(unix)]
#[test]
fn a_pipe_that_never_ends_is_refused_and_not_read() {
    let mut command = std::process::Command::new("bash");
    command.args(["-c", "exec \"$0\" step <(yes)", env!("CARGO_BIN_EXE_ppo")]);
    assert!(crate::run(command).refused().contains("a pipe"));
}

/// A name with a line break or an escape sequence stays on one line.
#[cfg(unix)]
#[test]
fn a_path_cannot_break_the_line() {
    let folder = Folder::new();
    let path = file(&folder, "a\nb\u{1b}[2J", b"");
    let said = step(&path, &[]).refused();
    assert!(said.contains(r"a\nb\u{1b}[2J: the file has 0 bytes"), "{said}");
}

/// Every byte of the header, one at a time, set to 0xff and to a quote.
#[test]
fn no_single_wrong_byte_of_a_header_makes_it_panic() {
    let folder = Folder::new();
    let whole = fs::read(folder.dump("d", &rollout(), &[("lam", "0.5")])).unwrap();
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    for at in (0..header).step_by(7) {
        for byte in [0xff, b'"', b'9'] {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            let ran = step(&file(&folder, "wrong", &bytes), &[]);
            if ran.code != Some(0) {
                ran.refused();
            }
        }
    }
}
