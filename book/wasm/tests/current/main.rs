//! The built file is the one that these sources make.

mod sources;

use sha2::{Digest, Sha256};
use std::{fs, path::Path};

fn built() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../js/wasm.js");
    fs::read_to_string(file).expect("book/js/wasm.js: write it by book/wasm/build.sh")
}

/// What stands after `// key: ` in the head of the file.
fn said<'a>(file: &'a str, key: &str) -> &'a str {
    let start = format!("// {key}: ");
    file.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("no line `{start}`"))
}

#[test]
fn the_built_file_is_made_of_these_sources() {
    let (file, now) = (built(), format!("sha256 {}", sources::hash()));
    let then = said(&file, "sources");
    assert!(then == now, "book/js/wasm.js was made of other sources: run book/wasm/build.sh\n{then}\n{now}");
}

#[test]
fn the_built_file_holds_what_its_head_says() {
    let file = built();
    let base64: Vec<u8> =
        file.split('`').nth(1).expect("a quoted part").bytes().filter(|b| *b != b'\n').collect();
    let wasm = decoded(&base64);
    let digest: String = Sha256::digest(&wasm).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(said(&file, "wasm"), format!("{} bytes, sha256 {digest}", wasm.len()));
    assert_eq!(&wasm[..8], b"\0asm\x01\0\0\0");
    assert!(said(&file, "compiler").starts_with("rustc 1."));
    for path in ["/root", "/home", "/work", "/tmp", ".cargo", "registry"] {
        let found = wasm.windows(path.len()).any(|window| window == path.as_bytes());
        assert!(!found, "{path} of the machine that built it is in the file");
    }
}

/// RFC 4648 without a judgement on its end.
fn decoded(base64: &[u8]) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut out) = (0u32, 0, Vec::new());
    for letter in base64.iter().take_while(|letter| **letter != b'=') {
        let place = alphabet.iter().position(|known| known == letter).expect("a letter of base64");
        bits = (bits << 6) | place as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}

#[test]
fn a_comment_and_a_test_do_not_go_into_the_file() {
    let source = "//! Head.\nfn one() -> f64 {\n    1.0 // why\n}\n\n#[cfg(test)]\nmod tests {\n}\n";
    assert_eq!(sources::code("x.rs", source), "fn one() -> f64 {\n    1.0\n}\n");
    assert_eq!(sources::code("x.toml", "# kept\n"), "# kept\n");
}
