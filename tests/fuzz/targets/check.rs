//! Any bytes as a dump, with any settings: `ppo check` says what it is, in one of its formats, or refuses it with a sentence.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use ppo_fuzz::{Input, check_formatted, file, mutate::mutate};

fuzz_target!(|bytes: &[u8]| {
    let Input { flags, dump } = Input::of(bytes);
    check_formatted(&file(dump), &flags, bytes.iter().map(|x| *x as usize).sum());
});

fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| { mutate(data, size, most, seed) });
