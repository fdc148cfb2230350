//! Files that are no dump: each is refused with one sentence, without a tensor being read.

use crate::file::{File, refusal_of, save, with_header};
use conformance::dump::Dump;

/// The sentence for a header and no data.
fn header(text: &str) -> String {
    refusal_of(&with_header(text, &[]))
}

fn tensor(name: &str, dtype: &str, shape: &str, offsets: &str) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}"#)
}

#[test]
fn a_file_shorter_than_its_length_field_is_refused() {
    let want = "the file has 3 bytes, and a safetensors file begins with 8 that say how long its header is";
    assert_eq!(refusal_of(b"abc"), want);
    assert!(refusal_of(b"").starts_with("the file has 0 bytes"));
}

#[test]
fn a_header_over_4_mib_is_refused_before_it_is_read() {
    for length in [4 * 1024 * 1024 + 1, 1 << 60, u64::MAX] {
        let want = format!(
            "the first 8 bytes claim a header of {length} bytes, and at most 4194304 are read: this is no dump"
        );
        assert_eq!(refusal_of(&length.to_le_bytes()), want);
    }
}

#[test]
fn a_truncated_header_is_refused() {
    let mut bytes = 100u64.to_le_bytes().to_vec();
    bytes.extend(b"{}");
    let want = "the header claims 100 bytes after the first 8, and the file has 10 in all: it is cut short";
    assert_eq!(refusal_of(&bytes), want);
}

#[test]
fn truncated_data_is_refused() {
    let bytes = File::new().all("old_values", &[2, 3], 0.5).bytes();
    let want = "`old_values` ends at byte 48 of the data, and the file has 47 of them: it is cut short";
    assert_eq!(refusal_of(&bytes[..bytes.len() - 1]), want);
}

#[test]
fn data_that_no_tensor_claims_is_refused() {
    let bytes = [File::new().all("old_values", &[2, 3], 0.5).bytes(), vec![0; 5]].concat();
    assert_eq!(refusal_of(&bytes), "5 bytes follow the last tensor, and no tensor claims them");
}

#[test]
fn a_claim_of_2_to_the_60_elements_allocates_nothing() {
    let huge = tensor("old_values", "U8", "[1073741824,1073741824]", "[0,1152921504606846976]");
    let want = "`old_values` ends at byte 1152921504606846976 of the data, and the file has 0 of them: it is cut \
                short";
    assert_eq!(header(&format!("{{{huge}}}")), want);
    let wider = huge.replace("U8", "F64").replace("1152921504606846976", "9223372036854775808");
    let want = "`old_values` claims the shape [1073741824, 1073741824], more than a machine can address";
    assert_eq!(header(&format!("{{{wider}}}")), want);
}

#[test]
fn a_shape_that_overflows_is_refused() {
    let lies = tensor("x", "F64", "[4294967296,4294967296,2]", "[0,8]");
    let want = "`x` claims the shape [4294967296, 4294967296, 2], more than a machine can address";
    assert_eq!(header(&format!("{{{lies}}}")), want);
    let bits = tensor("x", "F64", "[1152921504606846976]", "[0,8]");
    assert_eq!(
        header(&format!("{{{bits}}}")),
        "`x` claims the shape [1152921504606846976], more than a machine can address"
    );
}

#[test]
fn offsets_that_overlap_leave_a_gap_or_run_backwards_are_refused() {
    let two = |second: &str| {
        let first = tensor("a", "U8", "[4]", "[0,4]");
        refusal_of(&with_header(&format!("{{{first},{}}}", tensor("b", "U8", "[4]", second)), &[0; 16]))
    };
    let rest = "tensors neither overlap nor leave gaps";
    let at = |start: u8| {
        format!("`b` begins at byte {start} of the data, and the tensor before it ends at 4: {rest}")
    };
    assert_eq!(two("[2,6]"), at(2));
    assert_eq!(two("[6,10]"), at(6));
    assert_eq!(two("[8,4]"), "`b` begins at byte 8 of the data and ends before that, at 4");
}

#[test]
fn a_size_that_is_not_the_shape_is_refused() {
    let lies = tensor("a", "F32", "[3]", "[0,8]");
    let want = "`a` is F32 of shape [3] and needs 12 bytes, but its offsets span 8";
    assert_eq!(refusal_of(&with_header(&format!("{{{lies}}}"), &[0; 8])), want);
    let bits = tensor("a", "F4", "[3]", "[0,1]");
    assert!(refusal_of(&with_header(&format!("{{{bits}}}"), &[0])).contains("needs 2 bytes"));
}

#[test]
fn a_name_that_stands_twice_is_refused() {
    let one = tensor("scores", "U8", "[0]", "[0,0]");
    let got = header(&format!("{{{one},{one}}}"));
    assert!(got.starts_with("the header is malformed: it names `scores` twice"), "{got}");
    let got = header(r#"{"__metadata__":{"gamma":"1","gamma":"0.9"}}"#);
    assert!(got.starts_with("the header is malformed: its `__metadata__` names `gamma` twice"), "{got}");
    let got = header(r#"{"__metadata__":{},"__metadata__":{}}"#);
    assert!(got.contains("it names `__metadata__` twice"), "{got}");
    let got = header(r#"{"a":{"dtype":"U8","dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#);
    assert!(got.contains("duplicate field `dtype`"), "{got}");
}

#[test]
fn json_that_is_deep_long_or_no_header_is_refused() {
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let axes = tensor("a", "U8", &format!("[{}0]", "0,".repeat(1_000_000)), "[0,0]");
    let many: Vec<String> = (0..5000).map(|i| tensor(&i.to_string(), "U8", "[0]", "[0,0]")).collect();
    let keys: Vec<String> = (0..5000).map(|i| format!(r#""{i}":"""#)).collect();
    let deep_shape = tensor("a", "U8", &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), "[0,0]");
    for (text, says) in [
        (deep, "invalid type: sequence"),
        (format!("{{{deep_shape}}}"), "invalid type: sequence, expected u64"),
        (format!("{{{axes}}}"), "a tensor has more than 8 axes"),
        (format!("{{{}}}", many.join(",")), "it names more than 4096 tensors"),
        (format!(r#"{{"__metadata__":{{{}}}}}"#, keys.join(",")), "has more than 4096 keys"),
        ("[]".to_string(), "invalid type: sequence, expected an object of tensors"),
        ("{".to_string(), "EOF"),
        (r#"{"__metadata__":{"gamma":0.9}}"#.to_string(), "expected a string"),
        (r#"{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}}"#.to_string(), "`-1`"),
        (r#"{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,0]}}"#.to_string(), "1.5"),
        (r#"{"a":{"dtype":"U8","shape":[0]}}"#.to_string(), "missing field `data_offsets`"),
        (
            r#"{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":[[[]]]}}"#.to_string(),
            "unknown field `x`",
        ),
    ] {
        let got = header(&text);
        assert!(got.starts_with("the header is malformed: ") && got.contains(says), "{got} for {says}");
        assert!(got.chars().count() < 200 && !got.contains('\n'), "{got}");
    }
}

#[test]
fn a_dtype_that_nobody_knows_and_text_that_is_not_utf8_are_refused() {
    let odd = tensor("a", "F128", "[0]", "[0,0]");
    assert_eq!(header(&format!("{{{odd}}}")), "`a` has dtype `F128`, which safetensors does not know");
    let bytes = [&3u64.to_le_bytes()[..], b"{\"\xff"].concat();
    assert_eq!(refusal_of(&bytes), "the header is not UTF-8: byte 2 is wrong");
}

#[test]
fn a_name_with_control_characters_stays_on_one_line() {
    let got = header(&format!("{{{}}}", tensor(r"a\nb\u001b[31m", "F128", "[0]", "[0,0]")));
    assert_eq!(got, "`a\\nb\\u{1b}[31m` has dtype `F128`, which safetensors does not know");
}

#[test]
fn a_directory_a_device_and_a_missing_path_are_refused() {
    let refusal = |path: &std::path::Path| Dump::open(path).unwrap_err().to_string();
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(refusal(folder.path()), "this is a directory, and a dump is a regular file");
    assert!(refusal(&folder.path().join("absent")).starts_with("the file cannot be opened: "));
    let device = std::path::Path::new("/dev/zero");
    if device.exists() {
        assert_eq!(refusal(device), "this is a pipe, a socket or a device, and a dump is a regular file");
    }
}

/// To open it would wait for a writer that never comes.
#[test]
fn a_fifo_is_refused_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    if !made.is_ok_and(|status| status.success()) {
        eprintln!("absent: mkfifo");
        return;
    }
    let got = Dump::open(&fifo).unwrap_err().to_string();
    assert_eq!(got, "this is a pipe, a socket or a device, and a dump is a regular file");
}

#[test]
fn a_file_without_an_input_is_refused() {
    assert_eq!(header("{}"), "the file has 0 tensors, and none of them is an input");
    let got = File::new().all("pg_loss", &[], 1.0).all("lunch", &[2], 0.0).refusal(&[]);
    assert_eq!(got, "the file has 2 tensors, and none of them is an input");
    let got = File::new().all("scores", &[2], 1.0).refusal(&[]);
    assert_eq!(got, "no input is (B, L), so the number of response tokens is not known");
}

/// The sizes fit the file, which is mostly a hole, but no machine should be asked to read that much.
#[test]
fn more_slots_than_a_batch_has_are_refused_before_any_is_read() {
    let text = format!("{{{}}}", tensor("old_values", "U8", "[65536,65536]", "[0,4294967296]"));
    let sparse = |text: &str, len: u64| {
        let file = save(&with_header(text, &[]));
        file.as_file().set_len(8 + text.len() as u64 + len).unwrap();
        Dump::open(file.path()).unwrap_err().to_string()
    };
    assert_eq!(sparse(&text, 1 << 32), "`old_values` has dtype U8, and numbers are F64, F32, BF16 or F16");
    let text = text.replace("old_values", "response_mask");
    let want = "`response_mask` is 65536 × 65536, and at most 67108864 slots are read: split the batch";
    assert_eq!(sparse(&text, 1 << 32), want);
    let text = format!("{{{}}}", tensor("logits", "F32", "[1,1,1073741824]", "[0,4294967296]"));
    let want = "`logits` has a vocabulary of 1073741824, and it must be 1 to 16777216";
    assert_eq!(sparse(&text, 1 << 32), want);
}
