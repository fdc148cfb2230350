//! Well-formed dumps that no trainer writes: `ppo check` and `ppo step` say what they are, or refuse them with a sentence.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ppo_fuzz::{check_formatted, file, made::Made, step};

fuzz_target!(|made: Made| {
    let file = file(&made.dump);
    check_formatted(&file, &made.flags, made.dump.len());
    let _ = step(&file, &made.flags);
});
