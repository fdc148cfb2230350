//! Any bytes as a dump, with any settings: `ppo check` says what it is, in one of its formats, or refuses it with a sentence.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use ppo_fuzz::{Input, check, file, mutate::mutate};

fuzz_target!(|bytes: &[u8]| {
    let Input { flags, of_check, dump } = Input::of(bytes);
    check(&[&file("dump", dump)], &[flags, of_check].concat(), bytes.iter().map(|x| *x as usize).sum());
});

fuzz_mutator!(|data: &mut [u8], size: usize, most: usize, seed: u32| { mutate(data, size, most, seed) });
