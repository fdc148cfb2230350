//! `ppo step --out`: whatever is read, a file is written where it was asked for and whole, or nothing is, and nothing else
//! changes.
#![no_main]

use conformance::dump::Dump;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use ppo_fuzz::{Input, file, folder, mutate::mutate, step};
use std::{collections::BTreeMap, fs, path::Path};

/// What stood there before.
const BEFORE: &[u8] = b"before";

fuzz_target!(|bytes: &[u8]| {
    let Input { mut flags, dump, .. } = Input::of(bytes);
    let (input, folder) = (file("dump", dump), folder());
    fs::write(folder.join("kept"), BEFORE).expect("a file beside");
    fs::create_dir(folder.join("within")).expect("a folder beside");
    let target = folder.join("within/out.safetensors");
    let there = dump.len() % 2 == 0;
    if there {
        fs::write(&target, BEFORE).expect("a file in the place of --out");
    }
    flags.push(format!("--out={}", target.display()));
    let said = step(&input, &flags);
    assert_eq!(fs::read(&input).expect("the input"), dump, "the file that was read is as it was");
    let mut left = files(&folder);
    assert_eq!(left.remove("kept").as_deref(), Some(BEFORE));
    let out = left.remove("within/out.safetensors");
    assert!(left.is_empty(), "left behind: {:?}", left.keys());
    match (&said, out) {
        (Ok(_), Some(_)) => drop(Dump::open(&target).expect("a dump")),
        (Ok(_), None) => panic!("nothing was written"),
        (Err(_), out) => assert_eq!(out.as_deref(), there.then_some(BEFORE), "{said:?}"),
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| { mutate(data, size, most, seed) });

/// Every file under a folder, by its path in it.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        let name = entry.file_name().expect("a name").to_string_lossy().into_owned();
        if entry.is_dir() {
            all.extend(files(&entry).into_iter().map(|(under, bytes)| (format!("{name}/{under}"), bytes)));
        } else {
            all.insert(name, fs::read(&entry).expect("a file"));
        }
    }
    all
}
