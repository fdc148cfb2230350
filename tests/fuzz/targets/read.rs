//! Any bytes as a dump: every tensor is read and every term computed, by the reference and by the fast path, or the file is
//! refused with a sentence.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use ppo_fuzz::{Input, file, mutate::mutate, step};

fuzz_target!(|bytes: &[u8]| {
    let Input { mut flags, dump, .. } = Input::of(bytes);
    let file = file("dump", dump);
    let _ = step(&file, &flags);
    flags.push("--backend=best".to_owned());
    let _ = step(&file, &flags);
});

fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| { mutate(data, size, most, seed) });
